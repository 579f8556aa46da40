"""Checks of the default user's parameters, and the parameters ready for arithmetic."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from driftrec.envs.drifting_user import DriftingUser

SESSION_GAP = 0.5 / 24
"""Days without a request after which the next one opens a new session (30 minutes)."""

DAYS_PER_YEAR = 365.25

_FREE = ("intercept", "expectation", "slot_bias")
_SHARES = ("persona_share", "retained_per_year", "influence", "churn", "memory")
_TIMES = ("mood_hours", "whim_minutes", "satiation_hours", "memory_days", "return_days")
_POSITIVE = (*_TIMES, "return_shape")
_ENDLESS = (*_POSITIVE, "session_requests")


def default_personas(count: int, dimension: int, seed: int = 0, share: float = 0.5) -> np.ndarray:
    """Persona tastes N(0, share I), centred over personas, `(personas, d)`."""
    rng = np.random.default_rng([seed, count, dimension])
    personas = np.sqrt(share) * rng.standard_normal((count, dimension))
    centred: np.ndarray = (personas - personas.mean(0)).astype(np.float32)
    return centred


def check_parameters(model: DriftingUser) -> None:
    """Refuse parameters out of range.

    Raises:
        ValueError: naming the parameter, what it must be and what it is.
    """
    personas = model.personas
    if personas.ndim != 2 or not personas.size or not np.isfinite(personas).all():
        raise ValueError(f"personas must be finite, (personas, d), got shape {personas.shape}")
    if model.choice not in ("independent", "multinomial"):
        raise ValueError(f"choice must be 'independent' or 'multinomial', got {model.choice!r}")
    if model.topics < 1:
        raise ValueError(f"topics must be at least 1, got {model.topics}")
    for name, value in _numbers(model).items():
        _check_range(name, value)


def _check_range(name: str, value: Any) -> None:
    if not np.isfinite(value) and not (name in _ENDLESS and value > 0):
        raise ValueError(f"{name} must be a finite number, got {value}")
    if name in _SHARES and not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")
    if name in _POSITIVE and value <= 0:
        raise ValueError(f"{name} must be positive, got {value}")
    if name == "session_requests" and value < 1:
        raise ValueError(f"session_requests must be at least 1, got {value}")
    if name == "return_shape" and value < 0.2:
        raise ValueError(f"return_shape must be at least 0.2 (gaps overflow below), got {value}")
    if name == "slot_bias" and value > 0:
        raise ValueError(f"slot_bias must be 0 or negative, got {value}")
    if name not in _FREE and value < 0:
        raise ValueError(f"{name} must not be negative, got {value}")


def scalars_of(model: DriftingUser) -> SimpleNamespace:
    """The model's numbers by name, with some that follow from them."""
    return SimpleNamespace(
        **_numbers(model),
        one=1.0,
        pause=model.seconds_per_request / 86400,
        kept_by_request=1 - model.memory,
        item_size=model.dimension**0.5,
        session_gap=SESSION_GAP,
    )


def arrays_of(scalars: SimpleNamespace) -> SimpleNamespace:
    """The same numbers as float32 arrays of no axes.

    Numpy takes twice as long to multiply by a Python number.
    """
    return SimpleNamespace(
        **{name: np.array(value, np.float32) for name, value in vars(scalars).items()}
    )


def _numbers(model: DriftingUser) -> dict[str, float]:
    values = {item.name: getattr(model, item.name) for item in fields(model)}
    return {name: value for name, value in values.items() if isinstance(value, int | float)}
