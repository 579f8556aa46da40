"""Learners train on environments of other packages, by what these do alone."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import sardine  # noqa: F401  # registers its ids
import torch
from gymnasium import spaces

from driftrec.agents.harness import evaluate
from driftrec.agents.registry import make_policy
from driftrec.envs import Catalogue, Population, UserModelError, foreign_population
from driftrec.meta.amortised import Amortised, AmortisedConfig
from driftrec.meta.belief_loss import filter_loss, likelihood_loss, mean_loss, surprise
from driftrec.meta.dpt import DPT, DPTConfig
from driftrec.meta.learned_filter import LearnedFilter
from driftrec.meta.maml import MAML, MAMLConfig
from driftrec.meta.network import BeliefNetwork, feature_scale
from driftrec.meta.never_lost import never_lost
from driftrec.meta.plackett_luce import sample_slate
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.registry import learner_names, learner_type
from driftrec.meta.rl2 import RL2
from driftrec.meta.rl2_config import RL2Config
from driftrec.meta.rl2_run import RL2Run
from driftrec.meta.testing import check_policy
from driftrec.meta.track import NetworkShape
from driftrec.meta.workers import Worker

PULLS, ARMS, GOOD, BAD = 20, 5, 0.9, 0.1


class OneGoodArm(gym.Env[int, int]):
    """A bandit in plain Gymnasium: one arm pays with chance .9, the others with .1."""

    def __init__(self, good: int) -> None:
        self.good = good
        self.observation_space, self.action_space = spaces.Discrete(1), spaces.Discrete(ARMS)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        chance = GOOD if action == self.good else BAD
        return 0, float(self.np_random.random() < chance), False, False, {}


def good(rng: np.random.Generator) -> dict[str, Any]:
    return {"good": int(rng.integers(ARMS))}


def bandits(**options: Any) -> Population:
    return foreign_population(
        "OneGoodArm", OneGoodArm, good, max_requests=PULLS,
        best_action=lambda env: env.good, **options,
    )  # fmt: skip


CLICKS, NUMBERS = bandits(feedback_range=(0, 1)), bandits()


def share(policy: Any, population: Population) -> float:
    """Mean feedback of a pull of 300 test tasks."""
    made = lambda env: policy.on(env.simulation.catalogue)  # noqa: E731
    return float(evaluate(made, population, users=300).feedback.mean())


def bayes(tasks: int = 20_000) -> float:
    """What pulling the arm that is most likely the good one pays."""
    rng = np.random.default_rng(0)
    arm, belief, total = rng.integers(ARMS, size=tasks), np.zeros((tasks, ARMS)), 0.0
    for _ in range(PULLS):
        pulled = belief.argmax(1)
        paid = rng.random(tasks) < np.where(pulled == arm, GOOD, BAD)
        belief[np.arange(tasks), pulled] += np.where(paid, 1, -1) * math.log(GOOD / BAD)
        total += paid.mean() / PULLS
    return total


OPTIMUM = bayes()


@pytest.mark.parametrize(
    "population", [pytest.param(CLICKS, marks=pytest.mark.slow), NUMBERS], ids=["clicks", "numbers"]
)
def test_maml_comes_near_the_optimum(population):
    policy = MAML(MAMLConfig(iterations=4, users=64, validation_users=50)).fit(population)
    assert share(policy, population) > 0.9 * OPTIMUM
    assert share(replace(policy, adapt=False), population) < 0.65 * OPTIMUM


@pytest.mark.parametrize(
    "population", [CLICKS, pytest.param(NUMBERS, marks=pytest.mark.slow)], ids=["clicks", "numbers"]
)
def test_rl2_comes_near_the_optimum_from_rewards_alone(population):
    config = RL2Config(
        iterations=24, users=96, hidden=32, probes=0, filter=False, validation_users=50,
        validate_every=10,
    )  # fmt: skip
    policy = RL2(config).fit(population)
    assert share(policy, population) > 0.93 * OPTIMUM


def test_dpt_learns_from_the_best_action_that_the_caller_tells():
    config = DPTConfig(
        iterations=6, users=64, hidden=32, validation_users=50, memory="gru", filter=False
    )
    policy = DPT(config).fit(CLICKS)
    assert share(policy, CLICKS) > 0.75 * OPTIMUM


def test_dpt_asks_for_the_best_action():
    population = foreign_population("OneGoodArm", OneGoodArm, good, max_requests=PULLS)
    with pytest.raises(UserModelError, match="give foreign_population a best_action, or choose"):
        DPT(DPTConfig.of_size("smoke")).fit(population)


@pytest.mark.parametrize("name", [name for name in learner_names() if name != "curriculum"])
def test_every_learner_trains_with_its_own_defaults(name):
    options = {"pairs": 8} if name == "es" else {}
    config = learner_type(name).config_type
    small = config(
        **{**config.smoke, "iterations": 1, "users": 32, "validation_users": 8, **options}
    )
    policy = learner_type(name)(small).fit(CLICKS)
    check_policy(policy, CLICKS)
    assert policy.about["population"] == "OneGoodArm"
    assert 0 <= policy.about["validation"] <= 1


def test_what_generates_users_of_a_model_refuses_others():
    with pytest.raises(ValueError, match="generated for a population of DriftingUser, got Foreign"):
        learner_type("curriculum")().fit(CLICKS)


def test_the_same_config_learns_the_same_again():
    config = RL2Config(iterations=2, users=16, validation_users=8)
    one, other = RL2(config).fit(CLICKS), RL2(config).fit(CLICKS)
    assert one.about["validation"] == other.about["validation"]
    weights = zip(one.network.parameters(), other.network.parameters(), strict=True)
    assert all(torch.equal(first, second) for first, second in weights)


def pole(gravity: float, length: float) -> gym.Env[Any, Any]:
    env = gym.make("CartPole-v1", disable_env_checker=True)
    physics: Any = env.unwrapped
    physics.gravity, physics.length = gravity, length
    physics.polemass_length = physics.masspole * length
    return env


def test_rl2_balances_poles_of_any_length_and_gravity():
    """Where actions have consequences and an end is an end; a random policy lasts some 25 steps."""
    poles = foreign_population(
        "Poles", pole,
        lambda rng: {"gravity": rng.uniform(5, 15), "length": rng.uniform(0.3, 0.8)},
        max_requests=60,
    )  # fmt: skip
    config = RL2Config(
        iterations=12, users=48, hidden=32, probes=0, filter=False, continuing=False,
        validation_users=20, validate_every=4, sharpness=1.0,
        ppo=PPOConfig(gamma=0.97, lam=0.9, epochs=4, minibatches=4),
    )  # fmt: skip
    policy = RL2(config).fit(poles)
    found = evaluate(lambda env: policy.on(env.simulation.catalogue), poles, users=100)
    assert found.active.sum(1).mean() > 45


@pytest.mark.slow
def test_rl2_crosses_lakes_of_which_it_finds_the_goal_in_the_first_episode():
    """FrozenLake, four episodes a trial, the goal in one of two corners."""

    def lakes(rng):
        rows = [list("SFF"), list("FFF"), list("FFF")]
        row, column = ((0, 2), (2, 0))[int(rng.integers(2))]
        rows[row][column] = "G"
        return {"desc": ["".join(row) for row in rows], "is_slippery": False}

    lake = foreign_population(
        "Lakes", "FrozenLake-v1", lakes, max_requests=24, episodes=4, feedback_range=(0, 1)
    )
    config = RL2Config(
        iterations=25, users=96, hidden=32, probes=0, filter=False, sharpness=1.0,
        validation_users=20, validate_every=5,
        ppo=PPOConfig(gamma=0.95, lam=0.9, epochs=4, minibatches=4, entropy=0.02),
    )  # fmt: skip
    policy = RL2(config).fit(lake)
    found = evaluate(lambda env: policy.on(env.simulation.catalogue), lake, users=100)
    assert found.feedback.sum(1).mean() > 2


def test_a_recommender_of_another_package_is_trained_on_and_measured():
    task: Any = gym.make("sardine/SlateTopK-Bored-v0", disable_env_checker=True).unwrapped
    catalogue = Catalogue(
        task.item_embedd, np.eye(task.num_topics)[task.item_comp], np.zeros(task.num_items)
    )
    users = foreign_population(
        "SARDINE", "sardine/SlateTopK-Bored-v0",
        lambda rng: {"boredom_threshold": int(rng.integers(3, 8))},
        max_requests=12, feedback="clicks", feedback_range=(0, 1), catalogue=catalogue,
        observe=lambda observation: [], repeats=False,
    )  # fmt: skip
    config = AmortisedConfig(iterations=4, users=16, validation_users=8, validate_every=4)
    policy = Amortised(config).fit(users)
    check_policy(policy, users, users=3)

    def clicks(made: Any) -> float:
        return float(evaluate(made, users, users=100).feedback.mean())

    learnt = clicks(lambda env: policy.on(env.simulation.catalogue, 10))
    assert learnt > 1.2 * clicks(lambda env: make_policy("random", env))


def test_regret_and_oracles_need_a_user_model():
    with pytest.raises(UserModelError, match="Oracles, filters of the true model, and regret"):
        evaluate(lambda env: make_policy("random", env), CLICKS, users=2, regret=True)
    with pytest.raises(UserModelError, match="known by what they do alone"):
        evaluate(lambda env: make_policy("clairvoyant", env), CLICKS, users=2)


def test_who_is_known_by_what_they_do_alone_is_not_made_to_stay():
    assert never_lost(CLICKS) is CLICKS


def collected(population: Population) -> tuple[RL2Run, Any]:
    from driftrec.meta.rl2_run import plackett_luce
    from driftrec.meta.rollout import Notes, collect

    run = RL2Run(Worker(), RL2Config(users=16, hidden=8, probes=4, validation_users=2), population)
    trials = collect(
        run.env, run.network, plackett_luce(run.network, run.table, 0), seed=1,
        unseen_only=False, notes=Notes(4, False, {"clicks": 1.0}),
    )  # fmt: skip
    return run, trials


def test_labels_are_the_feedback_on_what_was_shown_and_rewards_what_chance_gave():
    _, trials = collected(CLICKS)
    assert trials.observed
    assert torch.equal(trials.probe_items, trials.slates)
    for labels in (trials.probe_expected, trials.probe_values):
        assert torch.equal(labels, trials.feedback)
    assert torch.equal(trials.rewards, trials.feedback[..., 0])
    assert not trials.hint.any()
    assert (trials.survival == 1).all()


def test_losses_of_own_items_are_those_of_shared_items_where_all_were_shown_the_same():
    run, trials = collected(CLICKS)
    generator = torch.Generator().manual_seed(0)
    items = torch.randint(ARMS, (PULLS, 1), generator=generator)
    own = items[:, None].expand(-1, 16, -1)
    users, known = torch.arange(16), run.network.relive(trials.inputs[:-1])
    shared = SimpleNamespace(**vars(trials), observed=False, weights=trials.weights)
    shared.probe_items, trials.probe_items = items, own
    one = mean_loss(run.network, known, run.table, shared, users)
    other = mean_loss(run.network, known, run.table, trials, users)
    torch.testing.assert_close(one, other)
    learned = run.network.trunk.filter
    assert learned is not None
    _, covariance = learned.start(3)
    table = run.network.trunk.with_one(run.table)
    torch.testing.assert_close(
        learned.variance(covariance, table),
        learned.variance(covariance, table.expand(3, -1, -1)),
    )


def test_surprise_at_feedback_is_its_likelihood_under_the_belief():
    means, variances = torch.tensor([0.3, -1.2]), torch.tensor([0.5, 2.0])
    table = CLICKS.catalogue.table
    for population in (CLICKS, NUMBERS):
        shape = NetworkShape.of(population, hidden=4, filter=True)
        network = BeliefNetwork(shape, feature_scale(torch.tensor(table)))
        assert network.trunk.filter is not None
        if population is NUMBERS:
            truth = torch.tensor([0.1, 2.0])
            noise = network.trunk.filter.log_noise.exp().item()
            law = torch.distributions.Normal(means, (variances + noise**2).sqrt())
            expected = -law.log_prob(truth)
        else:
            truth = torch.tensor([1.0, 0.0])
            draws = means + variances.sqrt() * torch.randn(400_000, 2)
            chance = torch.sigmoid(draws).mean(0)
            expected = -torch.log(torch.where(truth > 0, chance, 1 - chance))
        found = surprise(network, truth, means, variances, observed=True)
        torch.testing.assert_close(found, expected, atol=0.02, rtol=0)


def test_a_filter_is_fitted_by_what_it_would_have_predicted():
    """Its noise is found from feedback alone, by the likelihood one request ahead."""

    class Still(OneGoodArm):
        def step(self, action):
            return 0, float(self.np_random.normal(0, 0.3)), False, False, {}

    population = foreign_population("Still", Still, good, max_requests=PULLS)
    run, trials = collected(population)
    learned = run.network.trunk.filter
    assert learned is not None
    optimiser = torch.optim.Adam(learned.parameters(), lr=0.1)
    for _ in range(60):
        optimiser.zero_grad()
        filter_loss(run.network, run.table, trials, torch.arange(16)).backward()
        optimiser.step()
    assert float(learned.log_noise.detach().exp()) == pytest.approx(0.3, abs=0.05)


def test_the_amortised_belief_learns_by_likelihood_whatever_the_feedback():
    for population in (CLICKS, NUMBERS):
        run, trials = collected(population)
        known = run.network.relive(trials.inputs[:-1])
        users = torch.arange(16)
        loss = likelihood_loss(run.network, known, run.table, trials, users)
        assert torch.isfinite(loss)


def test_a_slate_is_drawn_in_order_where_all_but_one_item_have_no_chance_to_speak_of():
    logits = torch.tensor([[0.0, -100.0, 200.0, -300.0], [0.0, 1.0, 0.0, 1.0]])
    drawn = sample_slate(logits, 3, torch.Generator().manual_seed(0))
    assert drawn[0].tolist() == [2, 0, 1]
    assert all(len(set(row)) == 3 for row in drawn.tolist())
    for bad in (torch.full((1, 4), torch.nan), torch.tensor([[0.0, -torch.inf]])):
        with pytest.raises(FloatingPointError, match="with enough items left for a slate"):
            sample_slate(bad, 2)


def test_inner_steps_stay_finite_whatever_the_size_of_context_and_feedback():
    """A step on the squared error of one request goes towards its feedback, never past twice."""

    class Loud(OneGoodArm):
        def __init__(self, good):
            super().__init__(good)
            self.observation_space = spaces.Box(-100, 100, (6,), np.float32)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return self.np_random.uniform(-20, 20, 6).astype(np.float32), {}

        def step(self, action):
            seen = self.np_random.uniform(-20, 20, 6).astype(np.float32)
            return seen, 10 * super().step(action)[1], False, False, {}

    population = foreign_population("Loud", Loud, good, max_requests=PULLS)
    seen: list[float] = []
    MAML(MAMLConfig(iterations=2, users=24, validation_users=8)).fit(
        population, progress=lambda done, of, metrics: seen.append(metrics["belief_loss"])
    )
    # Who says 0 for all is wrong by half of .26 * 100.
    assert max(seen) < 50


def test_a_filter_of_too_many_contexts_says_what_to_do():
    with pytest.raises(ValueError, match="set filter=False, or describe items or contexts"):
        LearnedFilter(10, contexts=200)
