"""What policies that are not trained return on the published tasks."""

from __future__ import annotations

import json
from pathlib import Path

SCORES = Path(__file__).parent / "data" / "scores.json"
"""Written by `scripts/validate_simulators.py --write`."""


def reference_scores(task: str | None = None) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean return of a trial and its standard error, by task and policy.

    Policies are "random", "myopic oracle" (knows the hidden state, shows what is liked most now)
    and "planning oracle" (looks ahead too; no upper bound). How they were measured is in the
    documentation, "Published simulators".

    Args:
        task: a published task, such as "sardine.SlateTopK-Bored"; all if left out.

    Raises:
        ValueError: if there is no such task.

    >>> scores = reference_scores("sardine.SingleItem-Static")["sardine.SingleItem-Static"]
    >>> scores["random"] < scores["myopic oracle"]
    True
    """
    found = {
        name: {policy: (mean, error) for policy, (mean, error) in row.items()}
        for name, row in json.loads(SCORES.read_text()).items()
    }
    if task is None:
        return found
    if task not in found:
        raise ValueError(f"task must be one of {', '.join(found)}; got {task!r}")
    return {task: found[task]}
