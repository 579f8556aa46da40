"""The panels of a trial's picture. Needs matplotlib, and is imported only to draw."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from driftrec.envs.arrays import leaves
from driftrec.envs.rendering import DriftingHistory, TrialRecord, topic_names

WINDOW = 10
FEWEST_COLUMNS = 20
MOST_ROWS = 14
INK, QUIET, ACCENT = "#222222", "#8a8a8a", "#1f5fa8"


def compose(record: TrialRecord, history: DriftingHistory | None) -> Figure:
    """Draw a record, with the hidden panels of a `DriftingUser` where `history` is given.

    Args:
        record: what happened.
        history: the hidden side, or None for a panel of whatever the state holds.
    """
    slate = len(record.items[0]) if len(record) else 1
    strip = 0.45 + 0.12 * min(slate, 8)
    heights = [strip, 1.1] + ([0.75, 0.75, 2.3, 1.9] if history else [4.2])
    figure = Figure(figsize=(11, 9.5), dpi=100, facecolor="white")
    grid = figure.add_gridspec(
        len(heights), 2, height_ratios=heights, width_ratios=[1, 0.016],
        left=0.125, right=0.94, top=0.94, bottom=0.05, hspace=0.34, wspace=0.03,
    )  # fmt: skip
    panels = [figure.add_subplot(grid[row, 0]) for row in range(len(heights))]
    _draw_shown(panels[0], record)
    _draw_clicks(panels[1], record)
    if history:
        _draw_line(panels[2], record, history.mood, "mood\n(logits)", 1.5)
        _draw_line(panels[3], record, history.satisfaction, "satis-\nfaction", 0.3)
        bars = [figure.add_subplot(grid[row, 1]) for row in (4, 5)]
        _draw_taste(panels[4], bars[0], record, history.taste)
        _draw_satiation(panels[5], bars[1], record, history.satiation)
    else:
        _draw_state(panels[2], figure.add_subplot(grid[2, 1]), record)
    _finish(panels, record)
    figure.suptitle(record.summary(), x=0.125, y=0.99, ha="left", fontsize=12, color=INK)
    return figure


def _draw_shown(panel: Axes, record: TrialRecord) -> None:
    """A cell for each item shown, in its topic's colour; clicked ones carry a dot."""
    panel.set_ylabel(f"shown\n(•: {'clicked' if record.of_clicks else 'above 0'})")
    panel.set_yticks([])
    if not len(record):
        return
    topics, feedback = _shown_topics(record).T, np.array(record.feedback).T
    colours = _topic_colours(record)[topics]
    colours[..., 3] = np.where(feedback > 0, 1.0, 0.35)
    slate, requests = topics.shape
    panel.imshow(
        colours, aspect="auto", interpolation="nearest",
        extent=(0.5, requests + 0.5, slate - 0.5, -0.5),
    )  # fmt: skip
    slot, request = np.nonzero(feedback > 0)
    panel.scatter(request + 1, slot, s=14 if requests < 60 else 7, color="black", linewidths=0)
    panel.set_ylim(slate - 0.5, -0.5)


def _draw_clicks(panel: Axes, record: TrialRecord) -> None:
    """Moving click rate within the session, and the hidden expectation behind it if it is known."""
    low, high = record.split.model.feedback_range
    panel.set_ylabel("click rate" if record.of_clicks else "feedback")
    if np.isfinite([low, high]).all():
        panel.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    if not len(record):
        return
    mean = np.array([values.mean() for values in record.feedback])
    requests = np.arange(1, len(record) + 1)
    lines = {f"mean of the session's last {WINDOW}": Line2D([], [], color=ACCENT, lw=2)}
    if not record.split.model.observed_only:
        lines["hidden expectation of what was shown"] = Line2D([], [], color=QUIET, lw=1)
        panel.plot(*_split_sessions(record, _expected(record)), ".-", color=QUIET, lw=1, ms=2.5)
    panel.plot(*_split_sessions(record, _moving_mean(record, mean)), ".-", color=ACCENT, lw=2, ms=4)
    panel.scatter(requests, mean, s=9, color=np.where(mean > 0, INK, "#bbbbbb"), linewidths=0)
    panel.legend(
        list(lines.values()), list(lines),
        loc="lower right", bbox_to_anchor=(1, 1.04), ncols=2, frameon=False, fontsize=8,
        borderpad=0, borderaxespad=0.1,
    )  # fmt: skip


def _draw_line(panel: Axes, record: TrialRecord, values: np.ndarray, name: str, at: float) -> None:
    """A hidden number around 0, at least the range [-at, at] in view."""
    values = values[: max(len(record), 1)]
    limit = max(at, 1.1 * float(np.abs(values).max()))
    panel.axhline(0, color=QUIET, lw=0.7)
    requests, line = _split_sessions(record, values)
    panel.plot(requests, line, ".-", color=ACCENT, lw=1.5, ms=3)
    panel.fill_between(requests, 0, line, color=ACCENT, alpha=0.18, linewidth=0)
    panel.set_ylim(-limit, limit)
    panel.set_ylabel(name)


def _draw_taste(panel: Axes, bar: Axes, record: TrialRecord, taste: np.ndarray) -> None:
    limit = max(1.0, float(np.abs(taste).max()))
    _heat(panel, bar, record, taste, "RdBu_r", (-limit, limit), "taste (logits)")
    panel.set_ylabel("taste by topic:\ncore + whim")
    if not len(record):
        return
    row_of = np.full(taste.shape[1], np.nan)
    row_of[_topic_rows(record)] = range(len(_topic_rows(record)))
    request = np.indices(np.shape(record.items))[0]
    clicked = np.array(record.feedback) > 0
    panel.scatter(
        request + 1, row_of[_shown_topics(record)], s=16 if len(record) < 60 else 7,
        c=np.where(clicked, "black", "white").ravel(), edgecolors="black", linewidths=0.6,
    )  # fmt: skip
    panel.legend(
        [
            Line2D([], [], ls="", marker="o", ms=4, mec="black", mew=0.6, mfc=face)
            for face in ("black", "white")
        ],
        ["shown and clicked", "shown, not clicked"],
        loc="lower right", bbox_to_anchor=(1, 1.0), ncols=2, frameon=False, fontsize=8,
        borderpad=0, borderaxespad=0.1,
    )  # fmt: skip


def _draw_satiation(panel: Axes, bar: Axes, record: TrialRecord, satiation: np.ndarray) -> None:
    most = max(0.5, float(satiation.max()))
    _heat(panel, bar, record, satiation, "OrRd", (0, most), "lost (logits)")
    panel.set_ylabel("satiation\nby topic")


def _heat(
    panel: Axes, bar: Axes, record: TrialRecord, values: np.ndarray, colours: str,
    limits: tuple[float, float], unit: str,
) -> None:  # fmt: skip
    """Topics down, requests across."""
    columns, rows = max(len(record), 1), _topic_rows(record)
    image = panel.imshow(
        values[:columns, rows].T, aspect="auto", interpolation="nearest", cmap=colours,
        vmin=limits[0], vmax=limits[1], extent=(0.5, columns + 0.5, len(rows) - 0.5, -0.5),
    )  # fmt: skip
    names, tints = topic_names(record), _topic_colours(record)
    panel.set_yticks(range(len(rows)), [names[topic][:14] for topic in rows], fontsize=8)
    for label, topic in zip(panel.get_yticklabels(), rows, strict=True):
        label.set_color(tuple(0.75 * tints[topic, :3]))
        label.set_fontweight("bold")
    panel.figure.colorbar(image, cax=bar)
    bar.set_ylabel(unit, fontsize=8)
    bar.tick_params(labelsize=7)


def _draw_state(panel: Axes, bar: Axes, record: TrialRecord) -> None:
    """Each number of any model's state that changes, scaled to its own range."""
    columns = max(len(record), 1)
    series = _state_series(record, columns)
    moving = {name: values for name, values in series.items() if np.ptp(values) > 0}
    still = [f"{name} {values[0]:.3g}" for name, values in series.items() if name not in moving]
    rows = dict(list((moving or series).items())[:MOST_ROWS])
    low = np.array([values.min() for values in rows.values()])[:, None]
    high = np.array([values.max() for values in rows.values()])[:, None]
    image = panel.imshow(
        (np.array(list(rows.values())) - low) / np.where(high > low, high - low, 1),
        aspect="auto", interpolation="nearest", cmap="viridis", vmin=0, vmax=1,
        extent=(0.5, columns + 0.5, len(rows) - 0.5, -0.5),
    )  # fmt: skip
    labels = [f"{name[:16]}\n{v.min():.3g} … {v.max():.3g}" for name, v in rows.items()]
    panel.set_yticks(range(len(rows)), labels)
    constant = f"; constant: {', '.join(still[:6])}" if moving and still else ""
    panel.set_title(
        f"hidden state, each number over its own range{constant}", loc="left", fontsize=9
    )
    panel.figure.colorbar(image, cax=bar, ticks=[0, 1]).set_ticklabels(["low", "high"], fontsize=8)


def _state_series(record: TrialRecord, columns: int) -> dict[str, np.ndarray]:
    """Every number of the state over the trial, by its name and place."""
    series: dict[str, np.ndarray] = {}
    for name in leaves(record.states[0]):
        stacked = np.array([leaves(state)[name][0] for state in record.states[:columns]])
        numbers = stacked.reshape(columns, -1).astype(np.float64)
        for place in range(numbers.shape[1]):
            label = name if numbers.shape[1] == 1 else f"{name}[{place}]"
            series[label] = numbers[:, place]
    return series


def _finish(panels: list[Axes], record: TrialRecord) -> None:
    """One axis of requests, sessions kept apart and dated, frames out of the way."""
    right = max(len(record), FEWEST_COLUMNS) + 0.5
    starts = _session_starts(record)
    for panel in panels:
        panel.set_xlim(0.5, right)
        panel.tick_params(labelsize=8, labelbottom=panel is panels[-1])
        panel.yaxis.label.set_fontsize(9)
        panel.yaxis.set_label_coords(-0.085, 0.5)
        panel.spines[["top", "right"]].set_visible(False)
        for start in starts[1:]:
            panel.axvline(start + 0.5, color=INK, lw=1.1)
    panels[-1].set_xlabel("request (a line: a new session)", fontsize=9)
    last = -np.inf
    for start in starts:
        if start - last >= 0.06 * right:
            panels[0].annotate(
                f"day {record.day[start]:.1f}", (start + 0.5, 1.05), fontsize=8, color=INK,
                xycoords=("data", "axes fraction"), annotation_clip=False,
            )  # fmt: skip
            last = start


def _session_starts(record: TrialRecord) -> list[int]:
    numbers = record.session[: max(len(record), 1)]
    return [k for k, number in enumerate(numbers) if k == 0 or number != numbers[k - 1]]


def _split_sessions(record: TrialRecord, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Request numbers and values with a hole before each new session, so that lines break there."""
    starts = _session_starts(record)[1:]
    requests = np.arange(1, len(values) + 1, dtype=np.float64)
    return np.insert(requests, starts, np.array(starts) + 0.5), np.insert(
        np.asarray(values, np.float64), starts, np.nan
    )


def _moving_mean(record: TrialRecord, values: np.ndarray) -> np.ndarray:
    starts = np.repeat(_session_starts(record), np.diff([*_session_starts(record), len(record)]))
    first = np.maximum(starts, np.arange(len(values)) - WINDOW + 1)
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((total[1:] - total[first]) / (np.arange(len(values)) - first + 1))


def _expected(record: TrialRecord) -> np.ndarray:
    """The model's own expectation of the feedback on each slate, mean over its slots."""
    catalogue, model = record.split.catalogue, record.split.model
    seen = np.zeros(len(catalogue), np.uint8)
    means = []
    for state, items in zip(record.states, record.items, strict=False):
        slate = catalogue.show(items[None], seen[items][None])
        means.append(float(model.respond(state, slate).mean.mean()))
        seen[items] = 1
    return np.array(means)


def _shown_topics(record: TrialRecord) -> np.ndarray:
    """Main topic of each item shown, `(requests, slate)`."""
    return np.asarray(record.split.catalogue.topic[np.array(record.items)])


def _topic_rows(record: TrialRecord) -> list[int]:
    """Topics that get a row: all, or the largest where there are too many."""
    sizes = record.split.catalogue.topics.sum(0)
    return sorted(np.argsort(-sizes, kind="stable")[:MOST_ROWS].tolist())


def _topic_colours(record: TrialRecord) -> Any:
    """A colour for each topic, RGBA `(topics, 4)`."""
    count = record.split.catalogue.topics.shape[1]
    return colormaps["tab10" if count <= 10 else "tab20"](
        np.arange(count) % (10 if count <= 10 else 20)
    )
