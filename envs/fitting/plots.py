"""Pictures of a simulated log beside a real one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.envs.fitting.realism import Comparison

_INSIDE, _SHORT, _REAL = "#2a7fb8", "#d1495b", "#444444"


def plot_statistics(found: Sequence[Comparison], path: Path) -> None:
    """Every statistic as its simulated over its real value, with intervals, as a PNG file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.27 * len(found) + 1.2), layout="constrained")
    for row, one in enumerate(found):
        scale = abs(one.real) or 1.0
        low, high = np.array(one.real_interval) / scale
        axes.plot([low, high], [row, row], color=_REAL, alpha=0.25, lw=7, solid_capstyle="butt")
        low, high = np.array(one.simulated_interval) / scale
        colour = _INSIDE if one.inside else _SHORT
        axes.plot([low, high], [row, row], color=colour, linewidth=1.5)
        axes.plot(one.simulated / scale, row, "o", color=colour, markersize=4)
    axes.set_yticks(range(len(found)), [one.name for one in found], fontsize=8)
    axes.set_xlim(-2.5, 3.0)
    axes.invert_yaxis()
    axes.set_xlabel("over the real value's size: grey real, blue inside, red falls short (95%)")
    axes.grid(axis="x", alpha=0.3)
    _save(figure, path)


def plot_decay(found: Sequence[Comparison], path: Path) -> None:
    """Covariance of a user's clicks by the time between them, as a PNG file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    prefix = "covariance of clicks, "
    lags = [one for one in found if one.name.startswith(prefix)]
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    places = np.arange(len(lags))
    for shift, colour, label in ((-0.08, _REAL, "real"), (0.08, _INSIDE, "simulated")):
        values = np.array([one.real if label == "real" else one.simulated for one in lags])
        ends = np.array(
            [one.real_interval if label == "real" else one.simulated_interval for one in lags]
        )
        axes.vlines(places + shift, ends[:, 0], ends[:, 1], color=colour)
        axes.plot(places + shift, values, "o-", color=colour, label=label)
    axes.set_xticks(places, [one.name.removeprefix(prefix) for one in lags])
    axes.set_xlabel("time between two requests of a user")
    axes.set_ylabel("covariance of clicks")
    axes.set_ylim(bottom=0)
    axes.legend()
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
