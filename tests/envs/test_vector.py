"""Scripted users, of whom every number at every step is known."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from driftrec.envs import (
    Catalogue,
    IndependentClicks,
    Population,
    RecommendationVectorEnv,
    ReturnGap,
    UserModel,
)
from driftrec.envs.observation import KEYS, observe

PAUSE, DAY = np.log1p(30.0), np.log1p(86400.0)


@dataclass
class Visitor:
    requests: np.ndarray
    sessions: np.ndarray
    features: np.ndarray


@dataclass(frozen=True, eq=False)
class Clockwork(UserModel):
    """Click on items of even number, leave after every second request, return after a day.

    The first user drawn at a time comes for one session, the second for two, and so on. The
    engine draws as many at a time as there are rows, here three.
    """

    def sample(self, users: int, rng: np.random.Generator) -> Visitor:
        return Visitor(np.zeros(users), 1.0 + np.arange(users), np.zeros((users, 1)))

    def respond(self, state: Visitor, slate: Any) -> IndependentClicks:
        return IndependentClicks(np.float32(slate.items % 2 == 0))

    def react(self, state: Visitor, slate: Any, feedback: Any) -> Visitor:
        return Visitor(state.requests + 1, state.sessions, state.features)

    def leave(self, state: Visitor) -> Any:
        return np.float32(state.requests % 2 == 0)

    def return_after(self, state: Visitor) -> ReturnGap:
        never = np.float32(state.requests >= 2 * state.sessions)
        return ReturnGap(never, np.ones_like(never), shape=float("inf"))


def population(slate: int = 1, **options: Any) -> Population:
    catalogue = Catalogue(np.arange(6.0)[:, None], np.ones((6, 1)), 0.5 * np.arange(6))
    return Population("clockwork", Clockwork(), catalogue, slate=slate, max_requests=5, **options)


def clockwork(mode: str, **options: Any) -> RecommendationVectorEnv:
    return RecommendationVectorEnv(population(), 3, autoreset_mode=mode, **options)


def check(
    observation: dict[str, np.ndarray],
    *,
    items: list[int | None],
    feedback: list[int],
    position: list[int],
    log_elapsed: list[float],
    new_session: list[int],
) -> None:
    """Compare every number of an observation; no item is the first observation of a trial."""
    nothing = [0.0, 0.0, 0.0]
    slate = [nothing if k is None else [k, 1.0, 0.5 * k] for k in items]
    assert list(observation) == list(KEYS)
    np.testing.assert_array_equal(observation["slate"][:, 0], np.float32(slate))
    expected = {
        "feedback": feedback,
        "new_user": [item is None for item in items],
        "new_session": new_session,
        "log_elapsed": log_elapsed,
        "position": position,
    }
    for key, values in expected.items():
        assert observation[key].dtype == np.float32
        np.testing.assert_allclose(observation[key][:, 0], values, rtol=1e-6, err_msg=key)


def check_final(info: dict[str, Any], row: int, item: int, feedback: int, **rest: float) -> None:
    last = {key: np.asarray(values)[None] for key, values in info["final_obs"][row].items()}
    check(last, items=[item], feedback=[feedback], **{k: [v] for k, v in rest.items()})


LOST = {"position": 0, "log_elapsed": 0.0, "new_session": 1}
"""How the last observation of a user who is lost ends."""


def test_same_step_autoreset_number_by_number():
    env = clockwork("SameStep")
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    new = {"feedback": [0] * 3, "position": [0] * 3, "log_elapsed": [0] * 3, "new_session": [1] * 3}
    observation, info = env.reset(seed=0)
    check(observation, items=[None] * 3, **new)
    assert info == {}

    observation, reward, terminated, truncated, info = env.step(np.array([0, 1, 2]))
    check(
        observation, items=[0, 1, 2], feedback=[1, 0, 1], position=[1, 1, 1],
        log_elapsed=[PAUSE] * 3, new_session=[0, 0, 0],
    )  # fmt: skip
    assert reward.tolist() == [1, 0, 1]
    assert terminated.tolist() == truncated.tolist() == [False] * 3
    assert info == {}

    # All leave: user 0 for good, and a user of one session takes the row.
    observation, reward, terminated, truncated, info = env.step(np.array([1, 2, 3]))
    check(
        observation, items=[None, 2, 3], feedback=[0, 1, 0], position=[0, 0, 0],
        log_elapsed=[0, DAY, DAY], new_session=[1, 1, 1],
    )  # fmt: skip
    assert reward.tolist() == [0, 1, 0]
    assert terminated.tolist() == [True, False, False]
    assert truncated.tolist() == [False] * 3
    assert info["_final_obs"].tolist() == info["_final_info"].tolist() == [True, False, False]
    check_final(info, 0, item=1, feedback=0, **LOST)
    assert info["final_obs"][1] is info["final_obs"][2] is None

    observation, reward, terminated, truncated, info = env.step(np.array([2, 3, 0]))
    check(
        observation, items=[2, 3, 0], feedback=[1, 0, 1], position=[1, 1, 1],
        log_elapsed=[PAUSE] * 3, new_session=[0, 0, 0],
    )  # fmt: skip
    assert reward.tolist() == [1, 0, 1]
    assert info == {}

    # Rows 0 and 1 are lost and get users of two and of three sessions.
    observation, reward, terminated, truncated, info = env.step(np.array([4, 0, 1]))
    check(
        observation, items=[None, None, 1], feedback=[0, 0, 0], position=[0, 0, 0],
        log_elapsed=[0, 0, DAY], new_session=[1, 1, 1],
    )  # fmt: skip
    assert reward.tolist() == [1, 1, 0]
    assert terminated.tolist() == [True, True, False]
    check_final(info, 0, item=4, feedback=1, **LOST)
    check_final(info, 1, item=0, feedback=1, **LOST)

    # The fifth request of row 2 is its last by the limit of the trial.
    observation, reward, terminated, truncated, info = env.step(np.array([5, 5, 4]))
    check(
        observation, items=[5, 5, None], feedback=[0, 0, 0], position=[1, 1, 0],
        log_elapsed=[PAUSE, PAUSE, 0], new_session=[0, 0, 1],
    )  # fmt: skip
    assert reward.tolist() == [0, 0, 1]
    assert terminated.tolist() == [False] * 3
    assert truncated.tolist() == [False, False, True]
    check_final(info, 2, item=4, feedback=1, position=1, log_elapsed=PAUSE, new_session=0)

    observation, reward, terminated, truncated, info = env.step(np.array([0, 0, 0]))
    check(
        observation, items=[0, 0, 0], feedback=[1, 1, 1], position=[0, 0, 1],
        log_elapsed=[DAY, DAY, PAUSE], new_session=[1, 1, 0],
    )  # fmt: skip
    assert reward.tolist() == [1, 1, 1]
    assert not (terminated | truncated).any()
    assert info == {}

    # The second user of row 2 came for one session, the others for more.
    observation, reward, terminated, truncated, info = env.step(np.array([1, 1, 1]))
    check(
        observation, items=[1, 1, None], feedback=[0, 0, 0], position=[1, 1, 0],
        log_elapsed=[PAUSE, PAUSE, 0], new_session=[0, 0, 1],
    )  # fmt: skip
    assert terminated.tolist() == [False, False, True]
    check_final(info, 2, item=1, feedback=0, **LOST)


def test_disabled_autoreset_number_by_number():
    env = clockwork("Disabled")
    assert env.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    env.reset(seed=0)
    env.step(np.array([0, 1, 2]))

    observation, reward, terminated, truncated, info = env.step(np.array([1, 2, 3]))
    check(
        observation, items=[1, 2, 3], feedback=[0, 1, 0], position=[0, 0, 0],
        log_elapsed=[0, DAY, DAY], new_session=[1, 1, 1],
    )  # fmt: skip
    assert reward.tolist() == [0, 1, 0]
    assert terminated.tolist() == [True, False, False]
    assert info == {}

    # Row 0 is over: it stands, whatever is shown to it, and earns nothing.
    observation, reward, terminated, truncated, info = env.step(np.array([2, 3, 0]))
    check(
        observation, items=[1, 3, 0], feedback=[0, 0, 1], position=[0, 1, 1],
        log_elapsed=[0, PAUSE, PAUSE], new_session=[1, 0, 0],
    )  # fmt: skip
    assert reward.tolist() == [0, 0, 1]
    assert terminated.tolist() == [True, False, False]
    assert truncated.tolist() == [False] * 3
    assert env.action_masks()[0].tolist() == [False, False, True, True, True, True]

    before = {key: values.copy() for key, values in observation.items()}
    renewed, info = env.reset(options={"reset_mask": np.array([True, False, False])})
    check(
        renewed, items=[None, 3, 0], feedback=[0, 0, 1], position=[0, 1, 1],
        log_elapsed=[0, PAUSE, PAUSE], new_session=[1, 0, 0],
    )  # fmt: skip
    assert all(np.array_equal(before[key], observation[key]) for key in KEYS)
    assert env.action_masks()[0].all()

    observation, reward, terminated, truncated, info = env.step(np.array([4, 0, 1]))
    check(
        observation, items=[4, 0, 1], feedback=[1, 1, 0], position=[1, 0, 0],
        log_elapsed=[PAUSE, 0, DAY], new_session=[0, 1, 1],
    )  # fmt: skip
    assert reward.tolist() == [1, 1, 0]
    assert terminated.tolist() == [False, True, False]

    observation, reward, terminated, truncated, info = env.step(np.array([4, 4, 4]))
    check(
        observation, items=[4, 0, 4], feedback=[1, 0, 1], position=[0, 0, 1],
        log_elapsed=[0, 0, PAUSE], new_session=[1, 1, 0],
    )  # fmt: skip
    assert reward.tolist() == [1, 0, 1]
    assert terminated.tolist() == [True, True, False]
    assert truncated.tolist() == [False, False, True]

    # All are over: nothing happens any more until a reset.
    last, reward, terminated, truncated, info = env.step(np.array([0, 2, 0]))
    assert reward.tolist() == [0, 0, 0]
    assert (terminated | truncated).all()
    for key in set(KEYS) - {"feedback"}:
        np.testing.assert_array_equal(last[key], observation[key])


REWARDS = {
    "clicks": [[1, 0, 1], [0, 1, 0], [1, 0, 1], [1, 1, 0]],
    "retention": [[0, 0, 0], [-1, 0, 0], [0, 0, 0], [-1, -1, 0]],
    "returns": [[0, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 1]],
}
SHOWN = [[0, 1, 2], [1, 2, 3], [2, 3, 0], [4, 0, 1]]


@pytest.mark.parametrize(
    "reward", [*REWARDS, {"clicks": 1.0, "retention": 2.5, "returns": 0.5}, {"retention": 3}]
)
def test_rewards_by_name_and_weighted(reward):
    weights = {reward: 1.0} if isinstance(reward, str) else reward
    env = clockwork("SameStep", reward=reward)
    env.reset(seed=0)
    for request, items in enumerate(SHOWN):
        expected = sum(w * np.array(REWARDS[name][request]) for name, w in weights.items())
        _, rewards, *_ = env.step(np.array(items))
        np.testing.assert_allclose(rewards, expected)
        assert rewards.dtype == np.float32


@pytest.mark.parametrize("reward", list(REWARDS))
def test_a_row_that_is_over_earns_no_reward_of_any_kind(reward):
    env = clockwork("Disabled", reward=reward)
    env.reset(seed=0)
    for items in SHOWN[:2]:
        env.step(np.array(items))
    for _ in range(3):
        _, rewards, *_ = env.step(np.array([0, 0, 0]))
        assert rewards[0] == 0


def test_a_slate_counts_all_its_clicks():
    env = RecommendationVectorEnv(population(slate=3), 2)
    env.reset(seed=0)
    observation, reward, *_ = env.step(np.array([[0, 1, 2], [5, 3, 4]]))
    assert reward.tolist() == [2, 1]
    assert observation["feedback"].tolist() == [[1, 0, 1], [0, 0, 1]]
    np.testing.assert_array_equal(observation["slate"][:, :, 0], [[0, 1, 2], [5, 3, 4]])
    assert observation["slate"].shape == (2, 3, 3)


def test_what_is_handed_out_belongs_to_the_caller():
    """Neither arrays that were handed out nor the action are written into, or listened to."""
    env = clockwork("SameStep")
    twin = clockwork("SameStep")
    env.reset(seed=0)
    twin.reset(seed=0)
    kept, copies = [], []
    action = np.zeros(3, np.int64)
    for items in SHOWN * 2:
        action[:] = items
        result, other = env.step(action), twin.step(np.array(items))
        assert np.array_equal(action, items)
        arrays = [*result[0].values(), *result[1:4]]
        kept += arrays
        copies += [array.copy() for array in arrays]
        for array, clean in zip([*other[0].values(), *other[1:4]], arrays, strict=True):
            np.testing.assert_array_equal(array, clean)
            array[...] = 1
        action[:] = 5
    assert all(np.array_equal(one, two) for one, two in zip(kept, copies, strict=True))


def test_the_observation_after_a_reset_within_a_step_is_the_first_one():
    """The engine overwrites rows; looking at it afresh shows the same."""
    env = gym.make_vec("DriftRec/Feed-v0", num_envs=30, vectorization_mode="vector_entry_point")
    env.reset(seed=3)
    rng = np.random.default_rng(0)
    resets = 0
    for _ in range(200):
        observation, *_, info = env.step(rng.integers(500, size=30))
        again = observe(env.unwrapped.simulation)
        for key in KEYS:
            np.testing.assert_array_equal(observation[key], again[key])
        resets += info["_final_obs"].sum() if info else 0
    assert resets > 10


def test_seeds_reproduce_vector_trials_through_resets():
    def run(seed: int) -> np.ndarray:
        env = RecommendationVectorEnv("Feed", 8)
        env.reset(seed=seed)
        rng = np.random.default_rng(0)
        found = [env.step(rng.integers(500, size=8))[1] for _ in range(80)]
        env.reset()
        return np.array(found + [env.step(rng.integers(500, size=8))[1] for _ in range(20)])

    np.testing.assert_array_equal(run(4), run(4))
    assert not np.array_equal(run(4), run(5))


def test_observations_lie_in_their_space():
    env = RecommendationVectorEnv("Slate", 50)
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(70):
        assert env.observation_space.contains(observation)
        observation, *_ = env.step(np.argsort(rng.random((50, 500)), axis=1)[:, :5])


# Bad input


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (np.zeros(4, int), ValueError, r"expected shape \(3, 1\), got \(4, 1\)"),
        (np.zeros((3, 2), int), ValueError, r"expected shape \(3, 1\), got \(3, 2\)"),
        (np.int64(1), ValueError, r"must show 1 item\(s\) to each of 3 user\(s\).* got \(\)"),
        (np.zeros(3), TypeError, r"made of item numbers \(integers\), got float64"),
        (np.array(["a", "b", "c"]), TypeError, r"made of item numbers \(integers\)"),
        (np.zeros(3, bool), TypeError, r"made of item numbers \(integers\), got bool"),
        (np.array([0, 6, 1]), ValueError, "items are numbered 0 to 5, got 0 to 6"),
        (np.array([0, -1, 1]), ValueError, "items are numbered 0 to 5, got -1 to 1"),
    ],
)
def test_an_action_that_is_none_is_refused(action, error, message):
    env = clockwork("SameStep")
    env.reset(seed=0)
    with pytest.raises(error, match=message):
        env.step(action)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int16, np.uint8, np.uint64])
def test_any_integers_will_do(dtype):
    env = clockwork("SameStep")
    env.reset(seed=0)
    _, reward, *_ = env.step(np.array([0, 1, 2], dtype))
    assert reward.tolist() == [1, 0, 1]


def test_an_item_twice_in_a_slate_is_refused():
    env = RecommendationVectorEnv(population(slate=3), 2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="must not show an item twice: got a slate with duplic"):
        env.step(np.array([[0, 1, 2], [4, 5, 4]]))


def test_options_that_contradict_or_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="autoreset_mode must be SAME_STEP or DISABLED, got NEXT"):
        clockwork("NextStep")
    with pytest.raises(ValueError, match="num_envs must be at least 1, got 0"):
        RecommendationVectorEnv("Feed", 0)
    with pytest.raises(ValueError, match=r"split must be one of train, .*; got 'tset'"):
        RecommendationVectorEnv("Feed", split="tset")
    with pytest.raises(ValueError, match=r"population must be one of .*Feed.*; got 'Fed'"):
        RecommendationVectorEnv("Fed")
    with pytest.raises(ValueError, match=r"reward must be made of .*clicks.*, got \['fame'\]"):
        RecommendationVectorEnv("Feed", reward="fame")
    with pytest.raises(ValueError, match="reward must weigh at least one of"):
        RecommendationVectorEnv("Feed", reward={})
    with pytest.raises(ValueError, match=r"DriftingUser has no parameter \['mod_sd'\]; it has"):
        RecommendationVectorEnv("Feed", parameters={"mod_sd": 0})
    with pytest.raises(ValueError, match="mood_sd must not be negative, got -1"):
        RecommendationVectorEnv("Feed", parameters={"mood_sd": -1})
    with pytest.raises(ValueError, match="device 'cuda' needs array_library='torch'"):
        RecommendationVectorEnv("Feed", device="cuda")
    with pytest.raises(ValueError, match=r"slate must lie in \[1, 6\] \(the catalogue\), got 7"):
        population(slate=7)


def test_resets_that_make_no_sense_are_refused():
    env = clockwork("Disabled")
    mask = np.array([True, False, False])
    with pytest.raises(ValueError, match="call reset before step: there are no users yet"):
        env.step(np.zeros(3, int))
    with pytest.raises(ValueError, match="call reset without a mask first"):
        env.reset(options={"reset_mask": mask})
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"the only reset option is 'reset_mask', got \['mask'\]"):
        env.reset(options={"mask": mask})
    with pytest.raises(ValueError, match=r"booleans of shape \(3,\), got bool of shape \(2,\)"):
        env.reset(options={"reset_mask": mask[:2]})
    with pytest.raises(ValueError, match=r"booleans of shape \(3,\), got int64 of shape \(3,\)"):
        env.reset(options={"reset_mask": np.array([0, 1, 0])})
    with pytest.raises(ValueError, match="give a seed or a reset_mask, got both"):
        env.reset(seed=1, options={"reset_mask": mask})
