"""One user's trial, recorded request by request, as text and as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from driftrec.envs.arrays import leaves, take, to_numpy
from driftrec.envs.drifting_user import DriftingUser
from driftrec.envs.population import Split
from driftrec.envs.simulation import Simulation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BARS = " ▁▂▃▄▅▆▇█"
TEXT_ITEMS = 10
TEXT_LEAVES = 6


@dataclass(eq=False)
class TrialRecord:
    """What one row of a simulation went through, hidden state included.

    Request k showed `items[k]` on day `day[k]` of session `session[k]` to a user in `states[k]`.
    The last of `day`, `session` and `states` are of the request to come, so that these lists are
    longer by one than `items` and `feedback`.

    Attributes:
        split: where the user comes from.
        row: the user's row in the simulation.
        items: item numbers shown, `(slate,)` each.
        feedback: on them, `(slate,)` each.
        day: days since first contact.
        session: number of the session, from 0.
        states: hidden states, batches of one in numpy.
        ending: "churned" or "truncated", empty while the trial goes on.
        closed: whether the row was given to another user.
    """

    split: Split
    row: int
    items: list[np.ndarray] = field(default_factory=list)
    feedback: list[np.ndarray] = field(default_factory=list)
    day: list[float] = field(default_factory=list)
    session: list[int] = field(default_factory=list)
    states: list[Any] = field(default_factory=list)
    ending: str = ""
    closed: bool = False

    @classmethod
    def begin(cls, simulation: Simulation, row: int = 0) -> TrialRecord:
        """Start the record of a trial before its first request.

        Args:
            simulation: a batch of users, just reset.
            row: the user to follow.

        Raises:
            ValueError: if there is no such row, or its trial is under way.
        """
        if simulation.state is None:
            raise ValueError("call reset before a record begins: there are no users yet")
        if not 0 <= row < simulation.users:
            raise ValueError(f"row must lie in [0, {simulation.users - 1}], got {row}")
        if request := int(simulation.trials.request[row]):
            raise ValueError(f"a record begins with the trial, got one after request {request}")
        record = cls(simulation.split, row)
        record._look(simulation)
        return record

    def add(self, simulation: Simulation) -> None:
        """Record the step that `simulation` just took, if the user took part in it.

        Nothing is added once the trial is over. Where a vector environment gives the row to a new
        user within the step (`SAME_STEP`), the last request of the old one is not seen: record
        with `DISABLED` autoreset to have it.
        """
        request = int(simulation.trials.request[self.row])
        self.closed |= request < len(self)
        if self.closed or request == len(self):
            return
        trials = simulation.trials
        self.items.append(np.array(to_numpy(trials.items[self.row])))
        self.feedback.append(np.array(to_numpy(trials.feedback[self.row])))
        self._look(simulation)
        if bool(trials.over[self.row]):
            self.ending = "churned" if bool(trials.churned[self.row]) else "truncated"

    def _look(self, simulation: Simulation) -> None:
        rows = simulation.xp.asarray([self.row], device=simulation.device)
        self.day.append(float(simulation.trials.day[self.row]))
        self.session.append(int(simulation.trials.session[self.row]))
        self.states.append(to_numpy(take(simulation.state, rows)))

    def __len__(self) -> int:
        """Number of requests."""
        return len(self.items)

    def summary(self) -> str:
        """One line: the population, clicks or other feedback, sessions, days and how it ended."""
        sessions = self.session[max(len(self) - 1, 0)] + 1
        return (
            f"{self.split.population}, {self.split.name}: {self._answers()}, "
            f"{_counted(sessions, 'session')} over {self.day[max(len(self) - 1, 0)]:.1f} days"
            + (f", {self.ending}" if self.ending else "")
        )

    def _answers(self) -> str:
        shown = sum(map(len, self.items))
        total = float(sum(values.sum() for values in self.feedback))
        if self.of_clicks:
            return f"{total:g} of {shown} clicked" + (f" ({total / shown:.0%})" if shown else "")
        each = f" ({total / shown:.3g} each)" if shown else ""
        return f"feedback of {total:g} on {_counted(shown, 'item')}{each}"

    @property
    def of_clicks(self) -> bool:
        """Whether feedback is clicks, from 0 to 1."""
        return tuple(self.split.model.feedback_range) == (0, 1)

    def feedback_limits(self) -> tuple[float, float]:
        """The lowest and the highest feedback: where there is no bound, of the record itself."""
        low, high = self.split.model.feedback_range
        feedback = np.concatenate(self.feedback)
        return (
            low if np.isfinite(low) else float(feedback.min()),
            high if np.isfinite(high) else float(feedback.max()),
        )


@dataclass(frozen=True)
class DriftingHistory:
    """The hidden side of a `DriftingUser`'s trial, first axis the request (and the one to come).

    Attributes:
        mood: logits, `(requests + 1,)`.
        satisfaction: in [-1, 1], `(requests + 1,)`.
        taste: logits that core and whim add to an average item of each topic,
            `(requests + 1, topics)`.
        satiation: logits lost by topic, `(requests + 1, topics)`.
    """

    mood: np.ndarray
    satisfaction: np.ndarray
    taste: np.ndarray
    satiation: np.ndarray


def drifting_history(record: TrialRecord) -> DriftingHistory | None:
    """The hidden side of a record, or None if its users are no `DriftingUser`."""
    model, catalogue = record.split.model, record.split.catalogue
    if not isinstance(model, DriftingUser):
        return None
    sizes = np.maximum(catalogue.topics.sum(0), 1e-9)
    centres = (catalogue.topics.T @ catalogue.features) / sizes[:, None]
    states = record.states
    weight = np.array([state.traits.satiation_weight for state in states])
    core = np.concatenate([state.core for state in states])
    return DriftingHistory(
        mood=np.concatenate([state.mood for state in states]),
        satisfaction=np.concatenate([state.satisfaction for state in states]),
        taste=model.taste_sd * core @ centres.T + np.concatenate([s.whim for s in states]),
        satiation=weight * np.concatenate([state.satiation for state in states]),
    )


def draw_text(record: TrialRecord) -> str:
    """The trial so far in a few lines: where it stands, what was shown last, how the user is."""
    lines = [record.summary()]
    if len(record):
        position = record.session[: len(record)].count(record.session[len(record) - 1])
        lines.append(
            f"request {len(record)}: day {record.day[len(record) - 1]:.2f}, "
            f"session {record.session[len(record) - 1] + 1}, its request {position}"
        )
        lines += _shown_lines(record)
        answers = np.array([values.mean() for values in record.feedback[-40:]])
        name = "clicks" if record.of_clicks else "feedback"
        lines.append(f"{name:<13}{_bars(answers, *record.feedback_limits())}")
    return "\n".join(lines + _hidden_lines(record))


def draw_trial(record: TrialRecord) -> np.ndarray:
    """The trial so far as a picture, uint8 `(height, width, 3)`.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    figure = trial_figure(record)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[:, :, :3]


def trial_figure(record: TrialRecord) -> Figure:
    """The trial so far as a matplotlib figure, to show or to save.

    What was shown, by topic, and what was clicked; click rate (or other feedback) beside what was
    expected of it, where that is known; then the hidden state: mood, satisfaction, taste and
    satiation by topic for a `DriftingUser`, for others each number of their state.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401 (asked for, not used)
    except ImportError as error:
        raise ImportError(
            "pictures of a trial need matplotlib, which is not installed: "
            "run pip install driftrec[learn], or use render_mode='ansi'"
        ) from error
    from driftrec.envs.trial_panels import compose

    return compose(record, drifting_history(record))


def topic_names(record: TrialRecord) -> list[str]:
    """Names of the catalogue's topics, numbered where it has none."""
    catalogue = record.split.catalogue
    count = catalogue.topics.shape[1]
    return list(catalogue.topic_names) or [f"topic {number}" for number in range(count)]


def _shown_lines(record: TrialRecord) -> list[str]:
    catalogue, names = record.split.catalogue, topic_names(record)
    words = {0.0: "not clicked", 1.0: "clicked"} if record.of_clicks else {}
    lines = []
    for item, feedback in zip(record.items[-1], record.feedback[-1], strict=True):
        title = f" {catalogue.titles[item]!r}" if catalogue.titles else ""
        answer = words.get(float(feedback), f"{feedback:g}")
        topic = names[int(catalogue.topic[item])]
        lines.append(f"{'shown':<13}item {item}{title}, {topic}: {answer}")
    return lines[:TEXT_ITEMS]


def _hidden_lines(record: TrialRecord) -> list[str]:
    history = drifting_history(record)
    if history is None:
        arrays = list(leaves(record.states[-1]).items())[:TEXT_LEAVES]
        return [f"{name:<13}{_numbers(array[0])}" for name, array in arrays]
    return [
        f"{'mood':<13}{_balance(history.mood[-1], 2.0)} {history.mood[-1]:+.2f}",
        f"{'satisfaction':<13}{_balance(history.satisfaction[-1], 1.0)} "
        f"{history.satisfaction[-1]:+.2f}",
        f"{'taste':<13}|{_bars(history.taste[-1], -2.0, 2.0)}| "
        f"most for {topic_names(record)[int(history.taste[-1].argmax())]}",
        f"{'satiation':<13}|{_bars(history.satiation[-1], 0.0, 2.0)}| "
        f"most with {topic_names(record)[int(history.satiation[-1].argmax())]}",
    ]


def _bars(values: np.ndarray, low: float, high: float) -> str:
    share = np.clip((np.asarray(values) - low) / max(high - low, 1e-9), 0, 1)
    return "".join(BARS[round(float(value) * (len(BARS) - 1))] for value in share)


def _balance(value: float, limit: float, half: int = 10) -> str:
    """A bar to the left or the right of a middle."""
    length = min(round(abs(float(value)) / limit * half), half)
    left, right = (length, 0) if value < 0 else (0, length)
    return f"[{'█' * left:>{half}}|{'█' * right:<{half}}]"


def _numbers(value: Any) -> str:
    numbers = [f"{number:.3g}" for number in np.ravel(value)[:8]]
    return ", ".join(numbers) + (", …" if np.size(value) > 8 else "")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
