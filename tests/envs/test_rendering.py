"""A record holds exactly what happened, and text and picture show what the record holds."""

import dataclasses
import itertools
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from matplotlib import colormaps

import driftrec.envs
from driftrec.envs import (
    IndependentClicks,
    Population,
    RecommendationEnv,
    RecommendationVectorEnv,
    UserModel,
    feed_population,
    foreign_population,
    slate_population,
    synthetic_catalogue,
)
from driftrec.envs.arrays import leaves
from driftrec.envs.rendering import (
    TrialRecord,
    draw_text,
    draw_trial,
    drifting_history,
    trial_figure,
)

LASTING = {"churn": 0.0, "churn_spread": 0.0, "churn_boredom": 0.0, "session_requests": 8.0}
FEED = feed_population().replace_parameters(**LASTING)
SLATE = slate_population().replace_parameters(**LASTING)


@dataclasses.dataclass
class Counts:
    level: Any
    count: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Counting(UserModel):
    """Users with a level that stays, and counts of requests and clicks."""

    def sample(self, users: int, rng: np.random.Generator) -> Any:
        return Counts(0.25 + 0.5 * rng.random(users), np.zeros((users, 2)))

    def respond(self, state: Any, slate: Any) -> Any:
        return IndependentClicks(np.repeat(state.level[:, None], slate.items.shape[1], axis=1))

    def react(self, state: Any, slate: Any, feedback: Any) -> Any:
        news = np.stack([np.ones(len(feedback)), feedback.sum(1)], axis=1)
        return Counts(state.level, state.count + news)


COUNTING = Population("Counting", Counting(), synthetic_catalogue(60, np.random.default_rng(0)))


class Rating(Counting):
    """The same users, whose feedback has no bounds."""

    feedback_range = (-float("inf"), float("inf"))


class Watching(Counting):
    """The same users, whose feedback has a lower bound alone."""

    feedback_range = (0.0, float("inf"))


def vector_env(population: Population, users: int, mode: str = "Disabled") -> Any:
    return RecommendationVectorEnv(population, users, split="test", autoreset_mode=mode)


def actions(population: Population, users: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    while True:
        slates = [
            rng.permutation(len(population.catalogue))[: population.slate] for _ in range(users)
        ]
        yield np.array(slates)


def record_of(population: Population, requests: int, users: int = 1, row: int = 0) -> TrialRecord:
    """A trial under random actions."""
    env = vector_env(population, users)
    env.reset(seed=4)
    record = TrialRecord.begin(env.simulation, row)
    for action in itertools.islice(actions(population, users), requests):
        env.step(action)
        record.add(env.simulation)
    return record


# The record


@pytest.mark.parametrize("population", [FEED, SLATE, COUNTING], ids=lambda made: made.name)
def test_a_record_of_one_row_holds_what_happened_to_it(population: Population) -> None:
    users, row = 4, 2
    env = vector_env(population, users)
    env.reset(seed=1)
    simulation = env.simulation
    record = TrialRecord.begin(simulation, row)
    shown, clicks, days, sessions, states = [], [], [], [], []
    for action in itertools.islice(actions(population, users), 30):
        days.append(simulation.trials.day[row])
        sessions.append(simulation.trials.session[row])
        states.append(leaves(simulation.hidden_state()))
        env.step(action)
        record.add(simulation)
        shown.append(action[row])
        clicks.append(simulation.trials.feedback[row].copy())
    assert len(record) == 30
    assert np.array_equal(record.items, shown)
    assert np.array_equal(record.feedback, clicks)
    assert record.day == [*days, simulation.trials.day[row]]
    assert record.session == [*sessions, simulation.trials.session[row]]
    for kept, seen in zip(record.states, states, strict=False):
        for name, array in leaves(kept).items():
            assert np.array_equal(array, seen[name][[row]]), name


def test_a_record_is_of_its_own_time_whatever_comes_after() -> None:
    env = vector_env(FEED, 2)
    env.reset(seed=0)
    record = TrialRecord.begin(env.simulation)
    action = np.array([[3], [4]])
    env.step(action)
    record.add(env.simulation)
    before = {name: array.copy() for name, array in leaves(record.states[0]).items()}
    action[:] = 9
    env.reset(options={"reset_mask": np.array([True, True])})
    assert record.items[0].tolist() == [3]
    assert all(np.array_equal(before[name], a) for name, a in leaves(record.states[0]).items())


def test_a_record_ends_with_the_trial() -> None:
    short = dataclasses.replace(FEED, max_requests=5)
    record = record_of(short, 9)
    assert (len(record), record.ending) == (5, "truncated")
    lost = record_of(FEED.replace_parameters(churn=0.9999, session_requests=1.0), 9)
    assert (len(lost), lost.ending, lost.day[-1]) == (1, "churned", 0.0)
    assert "churned" in lost.summary()
    assert (len(record_of(FEED, 9)), record_of(FEED, 9).ending) == (9, "")


def test_a_record_stops_where_its_row_is_given_to_a_new_user() -> None:
    short = dataclasses.replace(FEED, max_requests=5)
    env = vector_env(short, 1, "SameStep")
    env.reset(seed=0)
    record = TrialRecord.begin(env.simulation)
    for action in itertools.islice(actions(short, 1), 14):
        env.step(action)
        record.add(env.simulation)
    assert (len(record), record.closed) == (4, True)


def test_a_record_begins_with_a_trial() -> None:
    env = vector_env(FEED, 3)
    with pytest.raises(ValueError, match="call reset before a record begins"):
        TrialRecord.begin(env.simulation)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"row must lie in \[0, 2\], got 3"):
        TrialRecord.begin(env.simulation, row=3)
    env.step(np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="begins with the trial, got one after request 1"):
        TrialRecord.begin(env.simulation)


def test_without_a_render_mode_nothing_is_recorded_and_render_says_why() -> None:
    env = RecommendationEnv(FEED)
    env.reset(seed=0)
    env.step(0)
    assert env._record is None
    with pytest.raises(RuntimeError, match="render_mode='ansi' or 'rgb_array'"):
        env.render()
    with pytest.raises(RuntimeError, match="call reset before render"):
        RecommendationEnv(FEED, render_mode="ansi").render()


def test_rendering_does_not_touch_the_trial() -> None:
    trials = []
    for mode in (None, "ansi"):
        env = RecommendationEnv(FEED, split="test", render_mode=mode)
        env.reset(seed=7)
        rewards = []
        for request, action in enumerate(itertools.islice(actions(FEED, 1), 30)):
            rewards.append(env.step(int(action[0, 0]))[1])
            if mode and request % 10 == 5:
                env.render()
                trial_figure(env._record)
        trials.append((rewards, leaves(env.privileged())))
    (rewards, state), (rendered, rendered_state) = trials
    assert rewards == rendered
    assert all(np.array_equal(state[name], rendered_state[name]) for name in state)


# The hidden side of a drifting user


def test_taste_is_that_of_the_average_item_of_a_topic() -> None:
    record = record_of(FEED, 20)
    history = drifting_history(record)
    assert history is not None
    model, catalogue = FEED.model, FEED.catalogue
    topic_of = catalogue.topics.argmax(1)
    for k, state in enumerate(record.states):
        item = model.taste_sd * catalogue.features @ state.core[0]
        for topic in range(8):
            expected = item[topic_of == topic].mean() + state.whim[0, topic]
            assert history.taste[k, topic] == pytest.approx(expected, abs=1e-5)


def test_satiation_counts_what_was_shown_in_logits() -> None:
    record = record_of(FEED.replace_parameters(satiation_hours=1e9), 20)
    history = drifting_history(record)
    assert history is not None
    topic_of = FEED.catalogue.topics.argmax(1)
    counts = np.bincount(topic_of[np.concatenate(record.items)], minlength=8)
    weight = record.states[0].traits.satiation_weight[0]
    assert history.satiation[-1] == pytest.approx(weight * counts, abs=1e-4)
    assert history.satiation[0].tolist() == [0.0] * 8


def test_other_users_have_no_such_side() -> None:
    assert drifting_history(record_of(COUNTING, 3)) is None


# Text


def test_text_tells_where_the_trial_stands_and_what_was_shown() -> None:
    record = record_of(SLATE, 12)
    lines = draw_text(record).splitlines()
    clicks = int(np.sum(record.feedback))
    assert lines[0].startswith(f"Slate, test: {clicks} of 60 clicked ({clicks / 60:.0%}), ")
    position = record.session[:12].count(record.session[11])
    assert lines[1] == (
        f"request 12: day {record.day[11]:.2f}, session {record.session[11] + 1}, "
        f"its request {position}"
    )
    topics = SLATE.catalogue.topics.argmax(1)
    for line, item, click in zip(lines[2:7], record.items[-1], record.feedback[-1], strict=True):
        answer = "clicked" if click else "not clicked"
        assert line.split(maxsplit=1) == ["shown", f"item {item}, topic {topics[item]}: {answer}"]
    assert lines[8].startswith("mood ")
    assert lines[8].endswith(f"{record.states[-1].mood[0]:+.2f}")
    assert [line.split()[0] for line in lines[7:]] == [
        "clicks", "mood", "satisfaction", "taste", "satiation",
    ]  # fmt: skip


def test_text_shows_titles_and_whatever_state_another_model_has() -> None:
    titles = tuple(f"film {number}" for number in range(60))
    titled = dataclasses.replace(COUNTING.catalogue, titles=titles)
    record = record_of(dataclasses.replace(COUNTING, catalogue=titled), 5)
    text = draw_text(record)
    assert f"item {record.items[-1][0]} 'film {record.items[-1][0]}', topic " in text
    assert f"level        {record.states[-1].level[0]:.3g}\n" in text
    assert text.endswith(f"count        5, {np.sum(record.feedback):g}")


def test_text_before_the_first_request_says_so() -> None:
    assert draw_text(record_of(FEED, 0)).startswith(
        "Feed, test: 0 of 0 clicked, 1 session over 0.0 days\nmood "
    )


@pytest.mark.parametrize(
    ("model", "answers", "bars"),
    [
        (Counting(), [0.0, 0.5, 1.0], " ▄█"),
        (Rating(), [-1.0, 0.0, 3.0], " ▂█"),
        (Rating(), [2.0, 2.0, 2.0], "   "),
        (Watching(), [10.0, 20.0, 40.0], "▂▄█"),
    ],
)
def test_bars_lie_between_the_bounds_or_what_came_where_there_are_none(
    model: UserModel, answers: list[float], bars: str
) -> None:
    record = record_of(COUNTING, 3)
    record.split = dataclasses.replace(record.split, model=model)
    record.feedback = [np.array([answer], np.float32) for answer in answers]
    name = "clicks" if type(model) is Counting else "feedback"
    assert f"\n{name:<13}{bars}\n" in draw_text(record)


def test_feedback_that_is_no_clicks_is_not_called_so() -> None:
    record = record_of(COUNTING, 3)
    record.split = dataclasses.replace(record.split, model=Rating())
    record.feedback = [np.array([answer], np.float32) for answer in (2.5, 0.0, 1.0)]
    text = draw_text(record)
    assert text.startswith("Counting, test: feedback of 3.5 on 3 items (1.17 each), 1 session")
    assert text.splitlines()[2].endswith(": 1")
    assert "click" not in text
    strip, line = trial_figure(record).axes[:2]
    assert "click" not in strip.get_ylabel() + line.get_ylabel()


@pytest.mark.parametrize("name", driftrec.envs.list())
def test_every_environment_draws_its_trials(name: str) -> None:
    for mode in gymnasium.make(name).metadata["render_modes"]:
        env: Any = gymnasium.make(name, render_mode=mode).unwrapped
        env.reset(seed=0)
        env.action_space.seed(0)
        for _ in range(3):
            *_, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                break
        drawn = env.render()
        if mode == "rgb_array":
            assert (drawn.dtype, drawn.shape[2]) == (np.uint8, 3)
            continue
        clicks = env.population.model.feedback_range == (0, 1)
        assert drawn.startswith(f"{env.population.name}, train: ")
        assert (" clicked" in drawn.splitlines()[0]) == clicks
        label = "clicks" if clicks else "feedback"
        bars = next(line for line in drawn.splitlines() if line.startswith(f"{label:<13}"))
        assert len(bars) == 13 + len(env._record)


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_environments_of_other_packages_are_drawn_without_what_is_not_known(mode: str) -> None:
    poles = foreign_population("Poles", "CartPole-v1", max_requests=60)
    env = RecommendationEnv(poles, render_mode=mode)
    env.reset(seed=0)
    for action in (0, 1, 1):
        env.step(action)
    assert env.render() is not None
    assert env._record is not None
    panel = trial_figure(env._record).axes[1]
    legend = panel.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["mean of the session's last 10"]
    assert panel.lines[0].get_ydata() == pytest.approx([1, 1, 1])
    env.close()


# The picture


@pytest.mark.parametrize("population", [FEED, SLATE, COUNTING], ids=lambda made: made.name)
def test_the_strip_shows_topics_and_clicks(population: Population) -> None:
    record = record_of(population, 25)
    strip = trial_figure(record).axes[0]
    topics = population.catalogue.topics.argmax(1)[np.array(record.items).T]
    cells = np.asarray(strip.images[0].get_array())
    assert np.array_equal(cells[..., :3], colormaps["tab10"](topics)[..., :3])
    assert np.array_equal(cells[..., 3] == 1, np.array(record.feedback).T > 0)
    dots = np.asarray(strip.collections[0].get_offsets())
    slot, request = np.nonzero(np.array(record.feedback).T)
    assert sorted(map(tuple, dots)) == sorted(zip(request + 1, slot, strict=True))


def test_every_new_session_is_marked_in_every_panel_and_every_panel_labelled() -> None:
    record = record_of(FEED, 60)
    sessions = record.session[:60]
    starts = [k + 0.5 for k in range(1, 60) if sessions[k] != sessions[k - 1]]
    assert len(starts) >= 2
    panels = trial_figure(record).axes[:6]
    for panel in panels:
        upright = [line for line in panel.lines if np.ptp(line.get_xdata()) == 0]
        assert [line.get_xdata()[0] for line in upright][-len(starts) :] == starts
        assert panel.get_ylabel()
    assert panels[-1].get_xlabel().startswith("request")


def test_the_click_rate_is_the_mean_of_the_sessions_last_ten() -> None:
    record = record_of(FEED, 50)
    panel = trial_figure(record).axes[1]
    drawn = panel.lines[1].get_ydata()
    clicks, sessions = [float(feedback[0]) for feedback in record.feedback], record.session
    expected = []
    for k in range(50):
        window = [j for j in range(max(0, k - 9), k + 1) if sessions[j] == sessions[k]]
        expected.append(np.mean([clicks[j] for j in window]))
    assert drawn[~np.isnan(drawn)] == pytest.approx(expected)
    assert np.isnan(drawn).sum() == len(set(sessions[:50])) - 1


def test_the_hidden_expectation_is_what_the_users_answered_with() -> None:
    """Shown twice, an item is not clicked: the picture knows what was shown before."""
    env = vector_env(FEED, 1)
    env.reset(seed=2)
    record = TrialRecord.begin(env.simulation)
    for item in (5, 6, 5):
        env.step(np.array([item]))
        record.add(env.simulation)
    first, second, again = (
        value for value in trial_figure(record).axes[1].lines[0].get_ydata() if value == value
    )
    model, catalogue = FEED.model, FEED.catalogue
    assert first == pytest.approx(model.click_probability(record.states[0], catalogue)[0, 5])
    assert second == pytest.approx(model.click_probability(record.states[1], catalogue)[0, 6])
    assert again < 1e-6


def test_mood_satisfaction_taste_and_satiation_are_drawn_as_they_were() -> None:
    record = record_of(FEED, 30)
    history = drifting_history(record)
    assert history is not None
    axes = trial_figure(record).axes
    for panel, values in ((axes[2], history.mood), (axes[3], history.satisfaction)):
        drawn = panel.lines[1].get_ydata()
        assert drawn[~np.isnan(drawn)] == pytest.approx(values[:30])
    for panel, values in ((axes[4], history.taste), (axes[5], history.satiation)):
        assert np.asarray(panel.images[0].get_array()) == pytest.approx(values[:30].T)
        names = [label.get_text() for label in panel.get_yticklabels()]
        assert names == list(FEED.catalogue.topic_names)


def test_another_model_gets_a_panel_of_what_changes_in_its_state() -> None:
    record = record_of(COUNTING, 10)
    panel = trial_figure(record).axes[2]
    clicks = np.cumsum([0, *np.concatenate(record.feedback)])[:10]
    expected = np.array([np.arange(10) / 9, clicks / clicks.max()])
    assert np.asarray(panel.images[0].get_array()) == pytest.approx(expected)
    assert [label.get_text().split("\n")[0] for label in panel.get_yticklabels()] == [
        "count[0]",
        "count[1]",
    ]
    assert f"constant: level {record.states[0].level[0]:.3g}" in panel.get_title("left")


@pytest.mark.parametrize("population", [FEED, SLATE, COUNTING], ids=lambda made: made.name)
def test_pictures_of_a_trial_have_one_size_from_the_first_request_on(
    population: Population,
) -> None:
    pictures = [draw_trial(record_of(population, requests)) for requests in (0, 1, 30)]
    assert {(picture.shape, picture.dtype.name) for picture in pictures} == {
        (pictures[0].shape, "uint8")
    }
    assert pictures[0].shape[2] == 3
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_many_topics_fit_by_showing_the_largest() -> None:
    catalogue = synthetic_catalogue(200, np.random.default_rng(0), topics=25)
    many = Population("many", FEED.model.__class__(topics=25), catalogue)
    panel = trial_figure(record_of(many, 8)).axes[4]
    shown = {label.get_text() for label in panel.get_yticklabels()}
    sizes = catalogue.topics.sum(0)
    kept = [size for size, name in zip(sizes, catalogue.topic_names, strict=True) if name in shown]
    dropped = [s for s, name in zip(sizes, catalogue.topic_names, strict=True) if name not in shown]
    assert len(kept) == 14
    assert min(kept) >= max(dropped)


def test_without_matplotlib_a_picture_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(FEED, 2)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (draw_trial, trial_figure):
        with pytest.raises(ImportError, match=r"pip install driftrec\[learn\]"):
            draw(record)


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_gymnasium_accepts_every_render_mode(mode: str) -> None:
    env = gymnasium.make("DriftRec/Feed-v0", render_mode=mode)
    check_env(env.unwrapped)
    assert env.unwrapped.render_mode == mode
