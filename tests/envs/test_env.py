import math

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import driftrec.envs
from driftrec.envs import RecommendationEnv, RecommendationVectorEnv
from driftrec.envs.actions import SlateSpace
from driftrec.envs.arrays import leaves

OTHERS = {"DriftRec/meta.Navigation2D-v0"}
IDS = [name for name in driftrec.envs.list() if name not in OTHERS]


def valid_action(env: gym.Env, rng: np.random.Generator):
    """A slate of items that were not shown yet; of any, where too few are left."""
    masks, slate = env.unwrapped.action_masks(), env.unwrapped.population.slate
    free = np.flatnonzero(masks) if masks.sum() >= slate else np.arange(len(masks))
    items = rng.choice(free, slate, replace=False)
    return int(items[0]) if slate == 1 else items


def trial(env: gym.Env, seed: int | None, steps: int = 10_000) -> list[tuple]:
    """All that a trial of random items shows, new ones while there are any."""
    rng = np.random.default_rng(0)
    observation, info = env.reset(seed=seed)
    found = [(observation, 0.0, False, False, info)]
    while len(found) <= steps and not (found[-1][2] or found[-1][3]):
        found.append(env.step(valid_action(env, rng)))
    return found


def same(one: list[tuple], other: list[tuple]) -> bool:
    return len(one) == len(other) and all(
        before[1:] == after[1:]
        and all(np.array_equal(before[0][k], after[0][k]) for k in before[0])
        for before, after in zip(one, other, strict=True)
    )


def test_the_ids_are_registered_on_import():
    assert {"DriftRec/Feed-v0", "DriftRec/Slate-v0", "DriftRec/Population-v0"} <= set(IDS)


@pytest.mark.parametrize("name", IDS)
def test_check_env_passes_without_a_warning(name):
    check_env(gym.make(name).unwrapped)


@pytest.mark.parametrize("name", IDS)
def test_a_seed_reproduces_a_trial_and_another_does_not(name):
    env, twin = gym.make(name), gym.make(name)
    first = trial(env, seed=3)
    assert same(first, trial(env, seed=3))
    assert same(first, trial(twin, seed=3))
    # Where users may be lost at once, one other seed may bring the same short trial.
    assert not all(same(first, trial(twin, seed=other)) for other in range(4, 12))
    # Without a seed the next user follows from the last one given.
    env.reset(seed=5)
    twin.reset(seed=5)
    assert same(trial(env, None), trial(twin, None))


@pytest.mark.parametrize("name", IDS)
def test_every_observation_of_a_trial_lies_in_the_space(name):
    env = gym.make(name)
    found = trial(env, seed=0)
    assert all(env.observation_space.contains(step[0]) for step in found)
    assert len(found) <= env.unwrapped.population.max_requests + 1
    assert all(isinstance(step[1], float) and math.isfinite(step[1]) for step in found)


@pytest.mark.parametrize("name", IDS)
def test_a_single_environment_is_the_batch_of_one_step_by_step(name):
    env = gym.make(name)
    batch = gym.make_vec(
        name, num_envs=1, vectorization_mode="vector_entry_point", autoreset_mode="Disabled"
    )
    rng = np.random.default_rng(0)
    trials = 0
    for seed in (7, None, None, 8):
        observation, _ = env.reset(seed=seed)
        batched, _ = batch.reset(seed=seed)
        for _ in range(40):
            for key, values in observation.items():
                np.testing.assert_array_equal(values, batched[key][0])
            action = valid_action(env, rng)
            observation, *outcome, _ = env.step(action)
            batched, *outcomes, _ = batch.step(np.array([action]))
            assert outcome == [array[0] for array in outcomes]
            if outcome[1] or outcome[2]:
                trials += 1
                break
    hidden, other = env.unwrapped.privileged(), batch.unwrapped.simulation.hidden_state()
    for before, after in zip(leaves(hidden).values(), leaves(other).values(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_gymnasium_finds_the_ids_by_module_string():
    env = gym.make("driftrec.envs:DriftRec/Feed-v0", split="test", reward="retention")
    assert env.unwrapped.population.name == "Feed"
    many = gym.make_vec("driftrec.envs:DriftRec/Feed-v0", num_envs=3)
    assert isinstance(many.unwrapped, RecommendationVectorEnv)
    assert many.num_envs == 3
    population = gym.make("DriftRec/Population-v0", population="Slate")
    assert population.action_space == SlateSpace(500, 5)


def test_gymnasium_copies_single_environments_where_it_is_told_to():
    """Ordinary vectorisation works too, though the batch engine is the quicker way."""
    many = gym.make_vec("DriftRec/Feed-v0", num_envs=2, vectorization_mode="sync")
    batch = many.reset(seed=[7, 8])[0]
    single = gym.make("DriftRec/Feed-v0")
    for row, seed in enumerate((7, 8)):
        single.reset(seed=seed)
        observation, reward, *_ = single.step(5)
        if row == 0:
            batch, rewards, *_ = many.step(np.array([5, 5]))
        assert rewards[row] == reward
        for key in observation:
            np.testing.assert_array_equal(observation[key], batch[key][row])


def test_action_masks_name_what_was_not_shown():
    env = RecommendationEnv("Slate")
    env.reset(seed=0)
    assert env.action_masks().all()
    env.step([3, 1, 4, 15, 9])
    assert np.flatnonzero(~env.action_masks()).tolist() == [1, 3, 4, 9, 15]


def test_the_privileged_state_is_a_copy():
    env = RecommendationEnv("Feed")
    env.reset(seed=0)
    before = env.privileged()
    for array in leaves(env.privileged()).values():
        array[...] = 0
    after = env.privileged()
    for name, array in leaves(before).items():
        np.testing.assert_array_equal(array, leaves(after)[name])


# Bad input


def test_a_step_after_the_end_or_before_the_beginning_is_refused():
    env = RecommendationEnv("Feed")
    with pytest.raises(ValueError, match="call reset before step: there are no users yet"):
        env.step(0)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    while True:
        *_, terminated, truncated, _ = env.step(valid_action(env, rng))
        if terminated or truncated:
            break
    with pytest.raises(RuntimeError, match="the trial is over: call reset before the next step"):
        env.step(0)
    env.reset()
    env.step(0)


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (500, ValueError, "items are numbered 0 to 499, got 500 to 500"),
        (-1, ValueError, "items are numbered 0 to 499, got -1 to -1"),
        (1.0, TypeError, r"made of item numbers \(integers\), got float64"),
        ([1, 2], ValueError, r"expected shape \(1, 1\), got \(1, 2\)"),
    ],
)
def test_an_action_that_is_none_is_refused(action, error, message):
    env = RecommendationEnv("Feed")
    env.reset(seed=0)
    with pytest.raises(error, match=message):
        env.step(action)


def test_a_slate_that_is_none_is_refused():
    env = RecommendationEnv("Slate")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="must not show an item twice"):
        env.step([1, 2, 3, 4, 1])
    with pytest.raises(ValueError, match=r"must show 5 item\(s\) .* got \(1, 4\)"):
        env.step([1, 2, 3, 4])


def test_ids_and_options_that_do_not_exist_are_refused():
    with pytest.raises(gym.error.NameNotFound, match="Fed"):
        gym.make("DriftRec/Fed-v0")
    with pytest.raises(gym.error.VersionNotFound, match="v9"):
        gym.make("DriftRec/Feed-v9")
    with pytest.raises(TypeError, match="unexpected keyword argument 'spilt'"):
        gym.make("DriftRec/Feed-v0", spilt="test")
    with pytest.raises(ValueError, match=r"render_mode must be one of \['ansi', 'rgb_array'\]"):
        RecommendationEnv("Feed", render_mode="human")
    with pytest.raises(ValueError, match=r"there are no reset options, got \['reset_mask'\]"):
        RecommendationEnv("Feed").reset(options={"reset_mask": True})


def test_every_id_has_a_specification_page():
    sections = (
        "Action space", "Observation space", "Rewards", "Starting state", "Episode end",
        "Arguments", "Version history",
    )  # fmt: skip
    for name in set(IDS) - {"DriftRec/Population-v0"}:
        page = type(gym.make(name).unwrapped).__doc__
        assert page is not None
        assert all(section in page for section in sections), name
    assert driftrec.envs.__doc__ is not None
