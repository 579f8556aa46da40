"""Numbers and settings as JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from driftrec.agents.statistics import Interval

NOTHING: dict[str, None] = {"value": None, "low": None, "high": None}
"""The interval of what was not measured."""


def plain(value: Any) -> Any:
    """A value as JSON's own: numbers of six digits, null for NaN and infinity, text for the rest.

    Args:
        value: numbers, arrays, intervals, texts, and lists and mappings of them.
    """
    if isinstance(value, Interval):
        return {name: plain(getattr(value, name)) for name in NOTHING}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
