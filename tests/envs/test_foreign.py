"""Environments of other packages play here as they play alone."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import sardine  # noqa: F401  # registers its ids
from gymnasium import spaces

from driftrec.envs import (
    SPLITS,
    Catalogue,
    Population,
    RecommendationEnv,
    RecommendationVectorEnv,
    UserModelError,
    foreign_population,
    sardine_population,
)
from driftrec.envs.foreign.spaces import as_gymnasium


def cart_pole(gravity: float, length: float) -> gym.Env[Any, Any]:
    env = gym.make("CartPole-v1", disable_env_checker=True)
    physics: Any = env.unwrapped
    physics.gravity, physics.length = gravity, length
    physics.polemass_length = physics.masspole * length
    return env


def poles(rng: np.random.Generator) -> dict[str, Any]:
    return {"gravity": rng.uniform(5, 15), "length": rng.uniform(0.3, 0.8)}


POLES = foreign_population("Poles", cart_pole, poles, max_requests=60)


class Script(gym.Env[np.ndarray, Any]):
    """Episodes of `length` steps; the observation is the task's number, the episode, the step."""

    made = 0

    def __init__(self, number: float = 7.0, length: int = 3, cut: bool = False) -> None:
        type(self).made += 1
        self.number, self.length, self.cut = number, length, cut
        self.observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float64)
        self.action_space = spaces.Discrete(4, start=10)
        self.episode = -1

    def seen(self) -> np.ndarray:
        return np.array([self.number, self.episode, self.now], float)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.now = self.episode + 1, 0
        return self.seen(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        assert self.now < self.length, "stepped after the end"
        self.now += 1
        over = self.now == self.length
        return self.seen(), float(action), over and not self.cut, over and self.cut, {}


def scripted(episodes: int = 1, cut: bool = False, requests: int = 50, **options) -> Population:
    def draw(rng):
        return {"number": rng.random(), "length": int(rng.integers(2, 5)), "cut": cut}

    return foreign_population(
        "Script", Script, draw, max_requests=requests, episodes=episodes, **options
    )


class Slates(gym.Env[np.ndarray, np.ndarray]):
    """Shows slates of 3 of 6 items; the info tells clicks, the reward is what they bring."""

    def __init__(self, likes: int = 0) -> None:
        self.likes = likes
        self.observation_space = spaces.Discrete(1)
        self.action_space = spaces.MultiDiscrete([6, 6, 6])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        clicks = np.asarray(action) == self.likes
        return 0, 2.5 * clicks.sum(), False, False, {"clicks": clicks}


def played(population: Population, users: int, steps: int, mode="SameStep", **options: Any) -> Any:
    """Everything that a batch gives under the same random slates."""
    env = RecommendationVectorEnv(population, users, autoreset_mode=mode, **options)
    rng = np.random.default_rng(0)
    observation, _ = env.reset(seed=5)
    rows: list[Any] = [observation]
    for _ in range(steps):
        slates = rng.random((users, len(population.catalogue))).argsort(1)[:, : population.slate]
        observation, *rest, info = env.step(slates)
        rows.append([observation, *rest, info.get("final_obs")])
    env.close()
    return rows


def same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list) or (isinstance(one, np.ndarray) and one.dtype == object):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            same(first, second)
    else:
        np.testing.assert_array_equal(one, other)


def test_a_row_of_a_batch_is_the_environment_played_by_hand():
    users = 6
    env = RecommendationVectorEnv(POLES, users, autoreset_mode="Disabled")
    observation, _ = env.reset(seed=3)
    alone = []
    for row, seed in enumerate(env.simulation.state.seed.tolist()):
        one = cart_pole(**env.population.model.parameters(seed))
        seen, _ = one.reset(seed=seed)
        np.testing.assert_array_equal(observation["context"][row], seen)
        alone.append(one)
    rng, over = np.random.default_rng(0), np.zeros(users, bool)
    while not over.all():
        actions = rng.integers(2, size=users)
        observation, reward, terminated, truncated, _ = env.step(actions)
        for row in np.flatnonzero(~over):
            seen, earned, ended, _, _ = alone[row].step(int(actions[row]))
            np.testing.assert_array_equal(observation["context"][row], seen.astype(np.float32))
            assert (reward[row], terminated[row]) == (earned, ended)
            assert observation["feedback"][row] == earned
        assert (reward[over] == 0).all()
        over = terminated | truncated
    assert terminated.any()


def test_tasks_differ_and_a_seed_brings_them_back():
    first, again = played(POLES, 4, 20), played(POLES, 4, 20)
    same(first, again)
    env = RecommendationVectorEnv(POLES, 200)
    env.reset(seed=0)
    drawn = [POLES.model.parameters(seed) for seed in env.simulation.state.seed.tolist()]
    gravity = [one["gravity"] for one in drawn]
    assert len(set(gravity)) == 200
    # Uniform from 5 to 15: standard deviation 10 / sqrt(12).
    assert abs(np.mean(gravity) - 10) < 4.5 * 10 / math.sqrt(12 * 200)
    before = env.simulation.state.seed.copy()
    env.reset()
    assert not np.isin(env.simulation.state.seed, before).any()


def test_the_luck_of_an_environment_is_not_that_of_its_parameters():
    """Both come of one seed, but not by the same generator."""
    seeds = range(200)
    parameter = [POLES.model.parameters(seed)["gravity"] for seed in seeds]
    luck = [np.random.default_rng(seed).uniform(5, 15) for seed in seeds]
    assert abs(np.corrcoef(parameter, luck)[0, 1]) < 4 / math.sqrt(200)


def test_no_two_splits_share_a_task():
    met = {}
    for split in SPLITS:
        env = RecommendationVectorEnv(scripted(requests=1), 50, split=split)
        env.reset(seed=0)
        seeds = [env.simulation.state.seed.copy()]
        for _ in range(10):
            env.step(np.zeros(50, int))
            seeds.append(env.simulation.state.seed.copy())
        met[split] = np.concatenate(seeds)
    for number, split in enumerate(SPLITS):
        assert len(np.unique(met[split])) > 540
        assert (met[split] % len(SPLITS) == number).all()


def test_a_split_may_have_a_distribution_of_its_own():
    population = foreign_population(
        "Poles", cart_pole, poles, max_requests=5,
        draws={"ood-drift": lambda rng: {"gravity": 30.0, "length": rng.uniform(1, 2)}},
    )  # fmt: skip
    assert population.split("ood-drift").model.parameters(4)["gravity"] == 30
    assert population.split("test").model.parameters(4)["gravity"] <= 15


def test_the_single_environment_is_a_batch_of_one():
    alone, batch = RecommendationEnv(POLES), RecommendationVectorEnv(POLES, 3)
    single, _ = alone.reset(seed=9)
    many, _ = batch.reset(seed=9)
    rng = np.random.default_rng(1)
    for _ in range(60):
        for key, values in single.items():
            np.testing.assert_array_equal(values, many[key][0])
        action = int(rng.integers(2))
        single, *rest, _ = alone.step(action)
        many, *others, info = batch.step(np.full(3, action))
        assert rest == [one[0] for one in others]
        if rest[1] or rest[2]:
            same(single, info["final_obs"][0])
            break
    assert any(rest[1:])
    alone.close()


@pytest.mark.parametrize(("users", "processes"), [(5, 3), (2, 4)])
def test_processes_play_as_this_one_does(users, processes):
    def draw(rng):
        return {"is_slippery": True, "map_name": ("4x4", "8x8")[int(rng.integers(2))]}

    def observe(square):
        return np.eye(64)[square]

    here = foreign_population("Lakes", "FrozenLake-v1", draw, max_requests=9, observe=observe)
    away = here.replace_parameters(processes=processes)
    same(played(here, users, 15), played(away, users, 15))


@pytest.mark.filterwarnings("ignore:.*ERROR")
def test_an_environment_that_breaks_in_another_process_says_so_here():
    population = foreign_population(
        "Broken", "FrozenLake-v1", max_requests=9, processes=1,
        feedback=lambda observation, reward, info: [np.nan],
    )  # fmt: skip
    env = RecommendationVectorEnv(population, 2)
    env.reset(seed=0)
    # Gymnasium says where it came from in warnings.
    with pytest.raises(UserModelError, match="feedback must be finite"):
        env.step(np.zeros(2, int))
    env.close()


class Old:
    """An environment with the face of Gym 0.21."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self.env = env
        self.observation_space = SimpleNamespace(low=0.0, high=1.0, shape=(4,))
        self.action_space = SimpleNamespace(n=2)
        self.asked: int | None = None

    def seed(self, seed=None):
        self.asked = seed
        return [seed]

    def reset(self):
        seed, self.asked = self.asked, None
        return self.env.reset(seed=seed)[0]

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        extra = {"TimeLimit.truncated": True} if truncated else {}
        return observation, reward, terminated or truncated, info | extra


class Forwarding:
    """A wrapper as Gym 0.21 has them: `reset` passes on what it gets."""

    def __init__(self, env: Any) -> None:
        self.env = self.unwrapped = env
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def reset(self, **options):
        return self.env.reset(**options)

    def __getattr__(self, name):
        return getattr(self.env, name)


def limited(gravity, length):
    return gym.wrappers.TimeLimit(cart_pole(gravity, length), 14)


@pytest.mark.parametrize("wrap", [Old, lambda env: Forwarding(Old(env))], ids=["bare", "wrapped"])
def test_four_things_from_a_step_are_as_good_as_five(wrap):
    new = foreign_population("Poles", limited, poles, max_requests=60)
    old = foreign_population("Poles", lambda **some: wrap(limited(**some)), poles, max_requests=60)
    first, second = played(new, 5, 40), played(old, 5, 40)
    same(first, second)
    ends = np.array([row[2:4] for row in first[1:]])
    assert ends[:, 0].any()
    assert ends[:, 1].any()
    assert not ends.all(1).any()


def test_spaces_of_other_packages_are_known_by_their_attributes():
    one = SimpleNamespace
    box = one(low=0, high=255, shape=(2, 3))
    nested = one(
        spaces={
            "user": box,
            "some": one(spaces=(one(n=3), one(n=2, shape=(2,)))),
            "slate": one(nvec=[4.0, 4.0], shape=(2,)),
        }
    )
    found = as_gymnasium(nested)
    assert found["user"].shape == (2, 3)
    assert found["some"] == spaces.Tuple([spaces.Discrete(3), spaces.MultiBinary((2,))])
    assert found["slate"] == spaces.MultiDiscrete([4, 4])
    assert spaces.flatdim(found) == 6 + 3 + 2 + 8
    with pytest.raises(UserModelError, match="must be Discrete, MultiDiscrete"):
        as_gymnasium(one(dtype=float))


def test_a_trial_of_several_episodes_is_one_task_and_each_episode_a_session():
    env = RecommendationVectorEnv(scripted(episodes=3), 20, autoreset_mode="Disabled")
    observation, _ = env.reset(seed=0)
    model, seeds = env.population.model, env.simulation.state.seed
    drawn = [model.parameters(seed) for seed in seeds.tolist()]
    length = np.array([one["length"] for one in drawn])
    number = np.array([one["number"] for one in drawn], np.float32)
    over = np.zeros(20, bool)
    for request in range(12):
        live = ~over
        expected = np.stack([number, request // length, request % length], 1)
        np.testing.assert_allclose(observation["context"][live], expected[live])
        assert (observation["position"][:, 0] == request % length)[live].all()
        assert ((observation["new_session"][:, 0] == 1) == (request % length == 0))[live].all()
        day = (request % length == 0) & (request > 0)
        gap = np.where(day, 86400, 30 if request else 0)
        np.testing.assert_allclose(observation["log_elapsed"][live, 0], np.log1p(gap)[live])
        observation, _, terminated, truncated, _ = env.step(np.zeros(20, int))
        assert not terminated.any()
        np.testing.assert_array_equal(truncated, request + 1 >= 3 * length)
        over = truncated
    assert over.all()


@pytest.mark.parametrize("cut", [False, True])
def test_an_end_is_churn_and_a_cut_the_limit_of_the_trial(cut):
    env = RecommendationVectorEnv(scripted(cut=cut), 10, autoreset_mode="Disabled")
    env.reset(seed=0)
    length = np.array(
        [env.population.model.parameters(s)["length"] for s in env.simulation.state.seed.tolist()]
    )
    for request in range(1, 6):
        _, reward, terminated, truncated, _ = env.step(np.full(10, 2))
        over, other = (truncated, terminated) if cut else (terminated, truncated)
        np.testing.assert_array_equal(over, request >= length)
        assert not other.any()
        # An item is a number from 0; this environment counts from 10, and pays the number.
        np.testing.assert_array_equal(reward, np.where(request <= length, 12, 0))


def test_autoreset_begins_another_task_and_mixes_none():
    env = RecommendationVectorEnv(scripted(), 8)
    observation, _ = env.reset(seed=0)
    before, ends = observation["context"], 0
    for _ in range(30):
        observation, _, terminated, _, info = env.step(np.zeros(8, int))
        after = observation["context"]
        for row in range(8):
            if terminated[row]:
                last = info["final_obs"][row]["context"]
                assert last[0] == before[row, 0]
                assert last[2] == before[row, 2] + 1
                assert after[row, 0] != before[row, 0]
                assert after[row, 1:].tolist() == [0, 0]
                assert observation["new_user"][row] == 1
                assert not observation["slate"][row].any()
                ends += 1
            else:
                assert after[row].tolist() == [before[row, 0], 0, before[row, 2] + 1]
        before = after
    assert ends > 50


def test_the_limit_of_requests_stops_the_environment_too():
    env = RecommendationVectorEnv(scripted(requests=1), 4, autoreset_mode="Disabled")
    observation, _ = env.reset(seed=0)
    for _ in range(4):
        observation, _, terminated, truncated, _ = env.step(np.zeros(4, int))
        assert truncated.all()
        assert not terminated.any()
        assert (observation["context"][:, 2] == 1).all()


def test_an_environment_is_made_anew_for_each_task_or_once_where_seeds_tell_them_apart():
    for draw, times in ((lambda rng: {}, 10), (None, 1)):
        population = foreign_population("Script", Script, draw, max_requests=3)
        env, Script.made = RecommendationVectorEnv(population, 1), 0
        env.reset(seed=0)
        for _ in range(9 * 3):
            env.step(np.zeros(1, int))
        assert Script.made == times


@pytest.mark.parametrize("reward", ["clicks", "environment"])
@pytest.mark.parametrize(
    ("feedback", "of_a_hit"),
    [
        (None, [2.5 / 3, 2.5 / 3, 2.5 / 3]),
        ("clicks", [0, 1, 0]),
        (lambda observation, reward, info: info["clicks"] * reward, [0, 2.5, 0]),
    ],
    ids=["of the reward", "of info", "of a function"],
)
def test_feedback_comes_from_the_reward_from_info_or_from_a_function(feedback, of_a_hit, reward):
    def draw(rng):
        return {"likes": int(rng.integers(6))}

    population = foreign_population("S", Slates, draw, max_requests=5, feedback=feedback)
    env = RecommendationVectorEnv(population, 2, reward=reward)
    observation, _ = env.reset(seed=0)
    assert "context" not in observation
    seeds = env.simulation.state.seed.tolist()
    likes = np.array([population.model.parameters(seed)["likes"] for seed in seeds])
    # The first user is shown in the middle what they like, the second user never.
    slate = (likes[:, None] + np.array([[5, 0, 1], [1, 2, 3]])) % 6
    observation, earned, *_ = env.step(slate)
    np.testing.assert_allclose(observation["feedback"], [of_a_hit, [0, 0, 0]], rtol=1e-6)
    paid = 2.5 if reward == "environment" else sum(of_a_hit)
    np.testing.assert_allclose(earned, [paid, 0], rtol=1e-6)


def test_the_best_action_is_told_to_training_alone():
    population = foreign_population(
        "S", Slates, lambda rng: {"likes": int(rng.integers(6))}, max_requests=5,
        best_action=lambda env: env.likes,
    )  # fmt: skip
    env = RecommendationVectorEnv(population, 30)
    observation, _ = env.reset(seed=0)
    seeds = env.simulation.state.seed.tolist()
    likes = [population.model.parameters(seed)["likes"] for seed in seeds]
    assert env.simulation.best_items.tolist() == likes
    assert set(observation) == set(env.single_observation_space)


def test_a_reward_of_the_environment_needs_one():
    env = RecommendationVectorEnv("Feed", 2, reward="environment")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="DriftingUser pays nothing"):
        env.step(np.zeros(2, int))


def sardine_users(task: str = "SlateTopK-Bored", **options: Any) -> Population:
    env: Any = gym.make(f"sardine/{task}-v0", disable_env_checker=True).unwrapped
    items = env.item_embedd.shape[0]
    topics = np.eye(env.num_topics)[env.item_comp]
    return foreign_population(
        f"sardine {task}", f"sardine/{task}-v0", max_requests=20, feedback="clicks",
        feedback_range=(0, 1), observe=lambda observation: observation["hist"],
        catalogue=Catalogue(env.item_embedd, topics, np.zeros(items)), **options,
    )  # fmt: skip


def test_a_simulator_of_another_package_has_the_clicks_of_its_published_model():
    """SARDINE, from its authors' package and as the user model here, under random slates."""
    shares = []
    for population in (sardine_users(), sardine_population("SlateTopK-Bored")):
        rows = played(population, 300, 20, mode="Disabled")
        clicks = np.mean([row[0]["feedback"] for row in rows[1:]], (0, 2))
        shares.append((clicks.mean(), clicks.std() / math.sqrt(300)))
    (one, error), (other, its_error) = shares
    assert 0.01 < one < 0.5
    assert abs(one - other) < 4 * math.hypot(error, its_error)


def test_what_needs_a_user_model_says_so():
    env = RecommendationVectorEnv(POLES, 2)
    env.reset(seed=0)
    with pytest.raises(UserModelError, match="known by what they do alone: there is no expected"):
        env.simulation.click_probability()
    with pytest.raises(ValueError, match="step on the CPU"):
        RecommendationVectorEnv(POLES, 2, array_library="torch")


class Bad(Script):
    def __init__(self, **change: Any) -> None:
        super().__init__()
        for name, value in change.items():
            setattr(self, name, value)
        self.answer: Any = change.get("answer")

    def step(self, action):
        return super().step(action) if self.answer is None else self.answer


NUMBERS = np.zeros(3)
CONTINUOUS = spaces.Box(-1, 1, (2,), np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": (NUMBERS, math.nan, False, False, {})}, "a reward must be finite, got nan"),
        ({"answer": (NUMBERS, None, False, False, {})}, "reading the reward .* raised TypeError"),
        ({"answer": (NUMBERS * math.nan, 0, False, False, {})}, "an observation must be finite"),
        ({"answer": (np.zeros(4), 0, False, False, {})}, "must hold 3 numbers as the first did"),
        ({"answer": (NUMBERS, 0, False)}, "or the old .* got 3 things"),
        ({"answer": None, "length": 0}, "AssertionError: stepped after the end"),
    ],
)
def test_what_an_environment_answers_is_checked(change, message):
    population = foreign_population("Bad", lambda **some: Bad(**some), max_requests=9)
    broken = population.replace_parameters(draw=lambda rng: change)
    env = RecommendationVectorEnv(broken, 2)
    env.reset(seed=0)
    with pytest.raises(UserModelError, match=message) as caught:
        env.step(np.zeros(2, int))
    says_which(str(caught.value), "Bad", change)


def says_which(message: str, name: str, parameters: dict[str, Any]) -> None:
    """That an error names the population where the environment raised it, and the task."""
    assert "raised" not in message or repr(name) in message
    assert re.search(rf"\(keyword arguments {re.escape(str(parameters))}, seed \d+\)$", message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action_space": spaces.Discrete(5)}, "must have the actions of the first"),
        ({"observation_space": CONTINUOUS}, "must hold 3 numbers"),
        ({"nothing": 1}, None),
    ],
)
def test_all_environments_must_have_the_spaces_of_the_first(change, message):
    population = foreign_population("Bad", lambda **some: Bad(**some), max_requests=9)
    broken = population.replace_parameters(draw=lambda rng: change, observe=None)
    env = RecommendationVectorEnv(broken, 2)
    if message is None:
        env.reset(seed=0)
        return
    if "observation_space" in change:
        # Gymnasium flattens what is there, whatever the space says: other numbers are what counts.
        broken = population.replace_parameters(observe=lambda observation: observation[:2])
        env = RecommendationVectorEnv(broken, 2)
    with pytest.raises(UserModelError, match=message):
        env.reset(seed=0)


def raising(*given: Any) -> Any:
    raise RuntimeError("broken")


def made(make: Any = Script, draw: Any = None, **options: Any) -> Population:
    return foreign_population("Made", make, draw, max_requests=9, **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: made(draw=lambda rng: {"hue": 1}),
            UserModelError,
            "{'hue': 1}; it raised T",
        ),
        (lambda: made(draw=lambda rng: [1]), UserModelError, "a mapping from names, got"),
        (lambda: made(lambda: 3), UserModelError, "must make an environment, .* got int"),
        (lambda: made(lambda: Bad(action_space=CONTINUOUS)), UserModelError, "item or a slate"),
        (
            lambda: made(lambda: Bad(action_space=spaces.MultiDiscrete([3, 4]))),
            UserModelError,
            "as many items in each slot",
        ),
        (lambda: made(observe=lambda seen: np.zeros((2, 2))), UserModelError, "along one axis"),
        (lambda: made(catalogue=sardine_users().catalogue), ValueError, "the 4 items that act"),
        (lambda: made(episodes=0), ValueError, "episodes must be a whole number"),
        (lambda: made(processes=-1), ValueError, "processes must be a whole number"),
        (lambda: made(feedback_range=(1, 0)), ValueError, "from low to high"),
        (lambda: made(best_action=int, repeats=False), ValueError, "needs repeats=True"),
    ],
)
def test_what_makes_no_population_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feedback": "clicks"}, "info must hold the feedback under 'clicks', it holds"),
        ({"feedback": lambda *some: [1, 2]}, r"feedback must have shape \(1,\), got \(2,\)"),
        ({"feedback_range": (0, 1)}, r"lie in \[0, 1\] \(feedback_range\), got \[10.\]"),
        ({"best_action": lambda env: 4}, "best_action must give an item from 0 to 3, got 4"),
        ({"feedback": raising}, "reading the feedback .* raised RuntimeError: broken"),
        ({"feedback": lambda *some: "much"}, "reading the feedback .* raised ValueError"),
        ({"best_action": raising}, "best_action of an environment .* raised RuntimeError: broken"),
        ({"best_action": lambda env: None}, "best_action of an .* raised TypeError"),
    ],
)
def test_what_the_caller_adds_is_checked(options, message):
    def play():
        env = RecommendationVectorEnv(made(**options), 1)
        env.reset(seed=0)
        env.step(np.zeros(1, int))

    with pytest.raises(UserModelError, match=message) as caught:
        play()
    says_which(str(caught.value), "Made", {})


class Unready(Script):
    def reset(self, *, seed=None, options=None):
        raise RuntimeError("boom")


class Elsewhere(Script):
    """Whose observations do not lie in their space."""

    def __init__(self, number: float) -> None:
        super().__init__(number)
        self.observation_space = spaces.Dict({"a": spaces.Discrete(2)})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return {"b": 0}, {}


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Unready, {}, "reset of an environment of 'Made' raised RuntimeError: boom"),
        (Elsewhere, {}, "reading the observation .* 'Made' raised KeyError: 'a'"),
        (Script, {"observe": lambda seen: seen[3]}, "reading the observation .* raised IndexError"),
    ],
)
def test_what_goes_wrong_with_the_first_environment_is_told_with_its_task(make, options, message):
    with pytest.raises(UserModelError, match=message) as caught:
        made(make, lambda rng: {"number": 2}, **options)
    says_which(str(caught.value), "Made", {"number": 2})


def test_an_environment_that_cannot_begin_is_none():
    parts = {name: getattr(Script(), name) for name in ("action_space", "observation_space")}
    without = SimpleNamespace(step=None, **parts)
    with pytest.raises(UserModelError, match=r"SimpleNamespace without reset$"):
        made(lambda: without)


def test_closed_environments_are_made_again_by_reset():
    env = RecommendationVectorEnv(made(), 2)
    env.reset(seed=0)
    env.close()
    with pytest.raises(RuntimeError, match="the environments are closed: call reset to make other"):
        env.step(np.zeros(2, int))
    env.reset(seed=0)
    assert env.step(np.zeros(2, int))[1].tolist() == [10, 10]
    env.close()
