"""Figures of the page that are not of a single comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from driftrec.agents.plots import COLOURS
from driftrec.agents.statistics import Interval
from driftrec.envs.files import replacing


def plot_costs(points: Mapping[str, tuple[float, Interval]], path: Path) -> None:
    """Score with its interval against CPU-seconds of training, a point for each learner."""
    figure, axes = _figure("CPU-seconds of one training", "score on test users")
    for place, (name, (seconds, score)) in enumerate(points.items()):
        _bar(axes, seconds, score, name, place)
    _finish(figure, axes, path)


def plot_efficiency(
    curves: Mapping[str, Sequence[tuple[float, Interval]]], path: Path, last: float
) -> None:
    """Score against the number of training users, a line for each learner.

    Args:
        curves: by learner.
        path: of the picture.
        last: where "unlimited" stands on the axis.
    """
    figure, axes = _figure("training users", "score on test users")
    for place, (name, points) in enumerate(curves.items()):
        axes.plot(
            [users for users, _ in points], [one.value for _, one in points],
            color=COLOURS[place], linewidth=1.2,
        )  # fmt: skip
        for users, score in points:
            _bar(axes, users, score, name if users == points[0][0] else "", place)
    ticks = sorted({users for points in curves.values() for users, _ in points})
    axes.set_xticks(ticks, ["unlimited" if tick == last else f"{tick:,.0f}" for tick in ticks])
    _finish(figure, axes, path)


def _figure(x_label: str, y_label: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(xlabel=x_label, ylabel=y_label, xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, place: f"{value:,g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axhline(1, color="0.4", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
    return figure, axes


def _bar(axes: Any, place: float, score: Interval, label: str, colour: int) -> None:
    # Of few users the interval may be unknown, or the estimate outside it.
    down, up = max(score.value - score.low, 0.0), max(score.high - score.value, 0.0)
    axes.errorbar(
        place, score.value, [[down], [up]], fmt="os^"[colour // len(COLOURS) % 3],
        color=COLOURS[colour % len(COLOURS)], label=label or None, capsize=3,
    )  # fmt: skip


def _finish(figure: Figure, axes: Any, path: Path) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
