"""What environments there are."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import gymnasium

NAMESPACE = "DriftRec"

EXTRAS = {"DriftRec/RecSimNG-v0": "recsim-ng"}
"""What must be installed beside this package before an environment can be made."""


def ids(holding: str = "") -> list[str]:
    """Ids of all environments of this package that can be made here, sorted.

    Those that need an extra (`EXTRAS`) are left out where it is not installed.

    Args:
        holding: text that the id must hold, such as "sardine".

    >>> import driftrec.envs
    >>> driftrec.envs.list("Rerank")
    ['DriftRec/sardine.SlateRerank-Bored-v0', 'DriftRec/sardine.SlateRerank-Static-v0']
    """
    return sorted(
        name
        for name, spec in gymnasium.registry.items()
        if spec.namespace == NAMESPACE and holding in name and _installed(EXTRAS.get(name))
    )


def _installed(distribution: str | None) -> bool:
    if distribution is None:
        return True
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
