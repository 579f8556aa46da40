"""Checks of configs and of observations; NaN passes none of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import torch

from driftrec.envs.observation import Observation


def check_counts(config: Any, *names: str) -> None:
    """Refuse a count below 1.

    Raises:
        ValueError: naming the first that is.
    """
    _check(config, names, lambda value: value >= 1, "be at least 1")


def check_positive(config: Any, *names: str) -> None:
    """Refuse what is not above 0.

    Raises:
        ValueError: naming the first that is not.
    """
    _check(config, names, lambda value: value > 0, "be positive")


def check_not_negative(config: Any, *names: str) -> None:
    """Refuse what is below 0.

    Raises:
        ValueError: naming the first that is.
    """
    _check(config, names, lambda value: value >= 0, "not be negative")


def check_fractions(config: Any, *names: str) -> None:
    """Refuse what lies outside of [0, 1].

    Raises:
        ValueError: naming the first that does.
    """
    _check(config, names, lambda value: 0 <= value <= 1, "lie in [0, 1]")


def _check(config: Any, names: Sequence[str], holds: Callable[[float], bool], must: str) -> None:
    for name in names:
        if not holds(value := getattr(config, name)):
            raise ValueError(f"{name} must {must}, got {value}")


def check_names(config: Any, **kinds: Any) -> None:
    """Refuse a name that is none of a `Literal`.

    Args:
        config: whose fields are looked at.
        kinds: the `Literal` of each field.

    Raises:
        ValueError: saying which there are.
    """
    for name, kind in kinds.items():
        if getattr(config, name) not in get_args(kind):
            raise ValueError(
                f"{name} must be one of {get_args(kind)}, got {getattr(config, name)!r}"
            )


def check_observed(observation: Observation) -> None:
    """Refuse feedback or a time since that is not finite: it would stay in a memory.

    Raises:
        ValueError: naming the first rows that hold it.
    """
    for name in ("feedback", "log_elapsed"):
        finite = torch.as_tensor(observation[name]).isfinite()
        if not finite.all():
            rows = (~finite).any(1).nonzero()[:, 0].tolist()
            more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
            raise ValueError(
                f"{name} must be finite, got NaN or infinity in row(s) {rows[:5]}{more}"
            )
