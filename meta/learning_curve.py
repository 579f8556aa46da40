"""The learning curve of a training run, read and drawn."""

from __future__ import annotations

import json
from pathlib import Path

from driftrec.envs.files import replacing


def learning_curve(folder: str | Path) -> list[dict[str, float]]:
    """The lines of a run's `metrics.jsonl`, each with its metrics by name."""
    lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def plot_learning_curve(folder: str | Path, path: str | Path) -> None:
    """Draw reward a request while training, by sampling, and on validation users, greedily.

    Args:
        folder: of a training run.
        path: of the picture.
    """
    # A figure of its own instead of pyplot: no display is needed and no global state touched.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = learning_curve(folder)
    looks = [line for line in lines if "validation" in line]
    figure = Figure(figsize=(8, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(
        [line["iteration"] for line in lines], [line["reward"] for line in lines],
        color="0.6", linewidth=1, label="training users, sampled",
    )  # fmt: skip
    axes.plot(
        [line["iteration"] for line in looks], [line["validation"] for line in looks],
        color="tab:blue", marker="o", markersize=3, label="validation users, greedy",
    )  # fmt: skip
    axes.set(title="Learning curve", xlabel="iteration", ylabel="reward a request")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
    axes.legend(frameon=False, loc="lower right")
    kind = Path(path).suffix.lstrip(".") or "png"
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=150)
