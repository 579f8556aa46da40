"""What the pipeline did to a log, step by step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StepReport:
    """One step of the preparation.

    Attributes:
        step: its name.
        changed: how many rows, items or values it changed or dropped.
        of: how many it looked at.
        note: what was done to them, in words.
    """

    step: str
    changed: int
    of: int
    note: str


@dataclass(frozen=True)
class PreparationReport:
    """All steps of the preparation, in order; prints as a small table.

    Attributes:
        log: name of the log.
        source: the file that was read.
        steps: what each step changed.
    """

    log: str
    source: str
    steps: tuple[StepReport, ...]

    def __getitem__(self, step: str) -> StepReport:
        """Return a step by its name.

        Raises:
            KeyError: if there is no such step; names those there are.
        """
        for report in self.steps:
            if report.step == step:
                return report
        names = ", ".join(report.step for report in self.steps)
        raise KeyError(f"no step {step!r} in the preparation of {self.log}; there are: {names}")

    def __str__(self) -> str:
        rows = [("step", "changed", "of", "what was done")]
        rows += [(s.step, f"{s.changed:,}", f"{s.of:,}", s.note) for s in self.steps]
        wide = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [
            f"{step:<{wide[0]}}  {changed:>{wide[1]}}  {of:>{wide[2]}}  {note}"
            for step, changed, of, note in rows
        ]
        return "\n".join([f"{self.log}, prepared from {self.source}", *lines])
