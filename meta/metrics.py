"""Metrics of a run: JSON lines, TensorBoard, and a progress bar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from driftrec.envs.files import write_text


class MetricsLog:
    """Writes one line an iteration to `metrics.jsonl` and the same to TensorBoard.

    Args:
        folder: where to write, or None for nowhere.
        iteration: the last of an earlier run that counts; its later lines are dropped, so that a
            resumed run leaves the same file as one that was never cut.
    """

    def __init__(self, folder: Path | None, iteration: int = 0) -> None:
        self._file: Any = None
        self._board: Any = None
        if folder is None:
            return
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "metrics.jsonl"
        write_text(path, "".join(_lines_until(path, iteration)))
        self._file = path.open("a")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=iteration + 1)

    def write(self, iteration: int, values: dict[str, float]) -> None:
        """Record the values of one iteration."""
        if self._file is None:
            return
        self._file.write(json.dumps({"iteration": iteration, **values}) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, iteration)

    def close(self) -> None:
        """Flush and close the files."""
        if self._file is not None:
            self._file.close()
            self._board.close()


def _lines_until(path: Path, iteration: int) -> list[str]:
    """Whole lines of an earlier run up to `iteration`."""
    if not path.exists():
        return []
    kept = []
    for line in path.read_text().splitlines(keepends=True):
        if not line.endswith("\n") or json.loads(line)["iteration"] > iteration:
            break
        kept.append(line)
    return kept
