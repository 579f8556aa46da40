"""Plots of a comparison, written as PNG, SVG or PDF by the ending of the path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from driftrec.agents.comparison import Comparison
from driftrec.agents.metrics import adaptation_curve, survival_curve
from driftrec.agents.statistics import Interval
from driftrec.envs.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Told apart by the colour-blind too (Okabe and Ito 2008)."""

STYLES = ("-", "--", "-.", ":")


def plot_adaptation(
    comparison: Comparison,
    path: str | Path,
    policies: Sequence[str] | None = None,
    window: int = 9,
) -> None:
    """CTR by request of the trial, pooled over `window` requests, with its interval as a band.

    Args:
        comparison: of the policies.
        path: of the picture.
        policies: names of those to draw; all if left out.
        window: requests (odd) pooled around each.
    """
    measure = partial(adaptation_curve, window=window)
    curves = {
        policy: comparison.estimate(policy, measure) for policy in policies or comparison.policies
    }
    _plot(
        comparison,
        path,
        curves,
        np.arange(1, comparison.example.requests + 1),
        title="Adaptation to a new user",
        x_label=f"request of the trial (running mean over {window})",
        y_label="click-through rate",
    )


def plot_advantage(
    comparison: Comparison,
    path: str | Path,
    policies: Sequence[str] | None = None,
    window: int = 9,
) -> None:
    """How much higher the CTR is than the baseline's, request by request, on the same users.

    The best items are shown first and soon used up, so CTR falls over a trial for most policies;
    what they learn about the user shows in the difference.

    Args:
        comparison: of the policies, the baseline among them.
        path: of the picture.
        policies: names of those to draw; all others if left out.
        window: requests (odd) pooled around each.
    """
    measure = partial(adaptation_curve, window=window)
    others = [name for name in policies or comparison.policies if name != comparison.baseline]
    _plot(
        comparison,
        path,
        {name: comparison.difference(name, comparison.baseline, measure) for name in others},
        np.arange(1, comparison.example.requests + 1),
        title=f"Advantage over {comparison.baseline}",
        x_label=f"request of the trial (running mean over {window})",
        y_label="difference in click-through rate",
        zero=True,
    )


def plot_survival(
    comparison: Comparison,
    path: str | Path,
    policies: Sequence[str] | None = None,
    last_day: float = 30.0,
) -> None:
    """Share of users active on or after each day (Kaplan-Meier), with its interval as a band.

    Args:
        comparison: of the policies.
        path: of the picture.
        policies: names of those to draw; all if left out.
        last_day: where the axis ends.
    """
    days = np.linspace(0, last_day, 121)
    measure = partial(survival_curve, days=days)
    curves = {
        policy: comparison.estimate(policy, measure) for policy in policies or comparison.policies
    }
    _plot(
        comparison,
        path,
        curves,
        days,
        title="Retention",
        x_label="days since first contact",
        y_label="share of users still active (Kaplan-Meier)",
    )


def _plot(
    comparison: Comparison,
    path: str | Path,
    curves: Mapping[str, Interval],
    points: np.ndarray,
    *,
    title: str,
    x_label: str,
    y_label: str,
    zero: bool = False,
) -> None:
    # A figure of its own instead of pyplot: no display is needed and no global state touched.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if zero:
        axes.axhline(0, color="0.4", linewidth=0.8)
    lines = [
        _draw(axes, points, curve, policy, comparison.policies.index(policy))
        for policy, curve in curves.items()
    ]
    example = comparison.example
    where = f"{example.population}, {example.users} {example.split} users"
    axes.set(title=f"{title} ({where})", xlabel=x_label, ylabel=y_label)
    if len(points) > 1:
        axes.set_xlim(points[0], points[-1])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
    # In the order in which the curves end, so that the eye need not match colours.
    lines.sort(key=_end, reverse=True)
    axes.legend(handles=lines, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    kind = Path(path).suffix.lstrip(".") or "png"
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=150)


def _draw(axes: Axes, points: np.ndarray, curve: Interval, policy: str, place: int) -> Line2D:
    colour = COLOURS[place % len(COLOURS)]
    style = STYLES[place // len(COLOURS) % len(STYLES)]
    axes.fill_between(points, curve.low, curve.high, color=colour, alpha=0.13, linewidth=0)
    (line,) = axes.plot(
        points, curve.value, color=colour, linestyle=style, linewidth=1.6, label=policy
    )
    return line


def _end(line: Line2D) -> float:
    values = np.array(line.get_ydata(), np.float64)
    known = values[np.isfinite(values)]
    return float(known[-len(known) // 5 :].mean()) if len(known) else -np.inf
