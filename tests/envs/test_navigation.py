"""2D navigation: the rules of Finn et al. 2017, and the returns that can be reckoned from them."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from driftrec.envs.navigation import Navigation2DEnv, Navigation2DVectorEnv

ID = "DriftRec/meta.Navigation2D-v0"


def play(act, points=20_000, seed=0):
    """Mean return of `act(env)` over one episode a point, and its standard error."""
    env = Navigation2DVectorEnv(points, autoreset_mode="Disabled")
    env.reset(seed=seed)
    total = np.zeros(points)
    while not env.over.all():
        total += env.step(act(env))[1]
    return total.mean(), total.std() / np.sqrt(points)


def test_standing_still_earns_the_mean_distance_of_a_square_from_its_centre():
    # Mean distance from the centre of the unit square: (sqrt 2 + log(1 + sqrt 2)) / 6.
    centre = (np.sqrt(2) + np.log(1 + np.sqrt(2))) / 6
    mean, error = play(lambda env: np.zeros_like(env.goal))
    assert abs(mean + 100 * centre) < 4 * error
    assert 100 * centre == pytest.approx(38.26, abs=0.005)


def test_going_straight_to_the_goal_earns_about_minus_a_half():
    mean, _ = play(lambda env: env.goal - env.position)
    assert mean == pytest.approx(-0.504, abs=0.01)


def test_wandering_is_worse_than_standing_still():
    rng = np.random.default_rng(0)
    mean, _ = play(lambda env: rng.uniform(-0.1, 0.1, env.goal.shape), 5000)
    assert -75 < mean < -55


@pytest.mark.parametrize("name", [ID])
def test_check_env_passes_and_the_vector_form_can_be_made(name):
    check_env(gym.make(name).unwrapped)
    env = gym.make_vec(name, num_envs=3)
    observation, _ = env.reset(seed=1)
    assert isinstance(env, Navigation2DVectorEnv)
    assert env.observation_space.contains(observation)
    env.close()


def test_a_row_of_a_batch_equals_a_single_point_with_its_goal():
    batch = Navigation2DVectorEnv(4, autoreset_mode="Disabled")
    batch.reset(seed=3)
    single = Navigation2DEnv()
    single.reset(options={"goal": batch.goal[2]})
    rng = np.random.default_rng(0)
    for step in range(100):
        moves = rng.uniform(-0.15, 0.15, (4, 2))
        if step > 50:
            moves[2] = batch.goal[2] - batch.position[2]
        rows = batch.step(moves)
        alone = single.step(moves[2])
        assert all(np.array_equal(row[2], one) for row, one in zip(rows[:4], alone, strict=False))
        if alone[2]:
            break
    assert alone[2]
    with pytest.raises(RuntimeError, match="episode is over"):
        single.step(np.zeros(2))


def test_a_seed_reproduces_goals_and_another_does_not():
    env, twin = Navigation2DEnv(), Navigation2DEnv()
    env.reset(seed=3)
    twin.reset(seed=3)
    assert np.array_equal(env.privileged(), twin.privileged())
    first = env.privileged()
    env.reset()
    twin.reset()
    assert np.array_equal(env.privileged(), twin.privileged())
    assert not np.array_equal(env.privileged(), first)


def test_an_episode_is_cut_after_a_hundred_moves_and_moves_at_a_tenth():
    env = Navigation2DVectorEnv(2, autoreset_mode="Disabled")
    env.reset(options={"goal": np.full((2, 2), -0.4)})
    for _ in range(99):
        _, reward, terminated, truncated, _ = env.step(np.full((2, 2), 5.0))
        assert not terminated.any()
        assert not truncated.any()
    observation, *_, truncated, _ = env.step(np.full((2, 2), 5.0))
    assert truncated.all()
    assert observation == pytest.approx(10.0, abs=1e-4)
    _, reward, *_ = env.step(np.full((2, 2), 5.0))
    assert (reward == 0).all()


def test_same_step_reset_brings_a_new_goal_and_keeps_the_last_observation():
    env = Navigation2DVectorEnv(3)
    env.reset(seed=0, options={"goal": np.array([[0.05, 0.0], [0.4, 0.4], [-0.4, 0.4]])})
    before = env.goal.copy()
    observation, reward, terminated, _, info = env.step(np.array([[0.05, 0.0]] * 3))
    assert terminated.tolist() == [True, False, False]
    assert reward[0] == pytest.approx(0.0, abs=1e-6)
    assert info["final_obs"][0] == pytest.approx([0.05, 0.0])
    assert observation[0].tolist() == [0.0, 0.0]
    assert not np.array_equal(env.goal[0], before[0])
    assert np.array_equal(env.goal[1:], before[1:])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda env: env.step(np.zeros(2)), "actions must be finite numbers of shape"),
        (lambda env: env.step(np.full((2, 2), np.nan)), "actions must be finite"),
        (lambda env: env.reset(options={"goals": 0}), "options must be of reset_mask and goal"),
        (lambda env: env.reset(options={"goal": np.zeros(2)}), "goal must be finite numbers"),
        (lambda env: env.reset(options={"reset_mask": np.ones(2)}), "reset_mask must be booleans"),
    ],
)
def test_bad_input_is_refused(call, message):
    env = Navigation2DVectorEnv(2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        call(env)


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Navigation2DVectorEnv(0)
    with pytest.raises(ValueError, match="SAME_STEP or DISABLED"):
        Navigation2DVectorEnv(1, autoreset_mode="NextStep")
    with pytest.raises(ValueError, match="only reset option is goal"):
        Navigation2DEnv().reset(options={"reset_mask": 0})
