"""Pictures of a trial."""

from __future__ import annotations

from typing import Any


class TrialRecord:
    """History of one trial."""

    @classmethod
    def begin(cls, simulation: Any) -> TrialRecord:
        """Start."""
        return cls()

    def add(self, simulation: Any) -> None:
        """Add."""


def draw_text(record: TrialRecord) -> str:
    """Text."""
    return ""


def draw_trial(record: TrialRecord) -> Any:
    """Picture."""
    return None
