"""What environments there are."""

from __future__ import annotations

import gymnasium

NAMESPACE = "DriftRec"


def ids(holding: str = "") -> list[str]:
    """Ids of all environments of this package that Gymnasium knows, sorted.

    Args:
        holding: text that the id must hold, such as "sardine".

    >>> import driftrec.envs
    >>> driftrec.envs.list("Rerank")
    ['DriftRec/sardine.SlateRerank-Bored-v0', 'DriftRec/sardine.SlateRerank-Static-v0']
    """
    return sorted(
        name
        for name, spec in gymnasium.registry.items()
        if spec.namespace == NAMESPACE and holding in name
    )
