"""MAML on recommender users: it adapts by its steps alone, in serving as in training."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from driftrec.envs import (
    Catalogue,
    DriftingUser,
    IndependentClicks,
    Population,
    RecommendationVectorEnv,
    UserModel,
    synthetic_catalogue,
)
from driftrec.meta.checkpoint import CheckpointError
from driftrec.meta.learning_curve import learning_curve
from driftrec.meta.maml.averaging import (
    GradientAggregation,
    GradientAggregationConfig,
    GradientAggregationRun,
    Reptile,
    ReptileConfig,
    ReptileRun,
)
from driftrec.meta.maml.config import MAMLConfig
from driftrec.meta.maml.estimators import ESTIMATORS
from driftrec.meta.maml.maml import MAML
from driftrec.meta.maml.network import GradientNetwork
from driftrec.meta.maml.policy import MAMLPolicy, load
from driftrec.meta.maml.rule import RuleConfig
from driftrec.meta.network import feature_scale
from driftrec.meta.ppo import PPOConfig
from driftrec.meta.registry import learner_type
from driftrec.meta.registry import load as load_any
from driftrec.meta.track import NetworkShape
from driftrec.meta.workers import Worker

SMALL = MAMLConfig(
    iterations=2,
    users=32,
    hidden=8,
    probes=8,
    validate_every=1,
    validation_users=16,
    ppo=PPOConfig(epochs=1, minibatches=2),
    rule=RuleConfig(every=3),
)


@dataclass
class Persona:
    """Which of two personas each user is, `(users,)`, and requests so far."""

    number: np.ndarray
    request: np.ndarray


@dataclass(frozen=True, eq=False)
class Jumper(UserModel):
    """Likes one half of the items, and half-way through the trial the other half instead."""

    jumps: bool = True

    def sample(self, users, rng):
        return Persona(rng.integers(0, 2, users), np.zeros(users, np.int64))

    def _chance(self, state, liking):
        number = (state.number + (state.request >= 40) * self.jumps) % 2
        same = np.sign(liking) == (2 * number - 1)[:, None]
        return np.where(same, 0.9, 0.1).astype(np.float32)

    def respond(self, state, slate):
        return IndependentClicks(self._chance(state, slate.features[..., 0]))

    def react(self, state, slate, feedback):
        return Persona(state.number, state.request + 1)

    def click_probability(self, state, catalogue):
        return self._chance(state, catalogue.features[:, 0][None])


def jumpers(**options) -> Population:
    side = np.repeat([-1.0, 1.0], 60)[:, None]
    catalogue = Catalogue(
        side, np.ones((120, 1)), 0.1 * np.random.default_rng(0).standard_normal(120)
    )
    return Population("Jumpers", Jumper(**options), catalogue, max_requests=80)


def small_population(**options) -> Population:
    catalogue = synthetic_catalogue(40, np.random.default_rng(0), dimension=4, topics=3)
    personas = np.random.default_rng(1).standard_normal((3, 4))
    model = DriftingUser(personas=personas, topics=3)
    return Population("Small", model, catalogue, **{"max_requests": 14, **options})


def network_for(population, rule=None, **options) -> GradientNetwork:
    table = torch.from_numpy(np.array(population.catalogue.table))
    shape = NetworkShape.of(population, hidden=6)
    torch.manual_seed(0)
    return GradientNetwork(shape, table, feature_scale(table), rule or RuleConfig(), **options)


def expected_clicks(policy, population, users=400, seed=1):
    """Expected clicks at each request of greedy trials on test users, `(requests,)`."""
    env = RecommendationVectorEnv(population, users, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=seed)
    state, curve = policy.start(users), []
    for _ in range(population.max_requests):
        slate, state = policy.act(observation, state)
        chance = np.asarray(env.simulation.click_probability())
        curve.append(np.take_along_axis(chance, slate, 1).sum(1).mean())
        observation, *_ = env.step(slate)
    return np.array(curve)


def observations(population, users=5, requests=12):
    """What random policies see, one more than there are requests."""
    env = RecommendationVectorEnv(population, users, autoreset_mode="Disabled")
    rng = np.random.default_rng(0)
    seen = [env.reset(seed=0)[0]]
    for _ in range(requests):
        slates = np.stack(
            [rng.choice(len(population.catalogue), population.slate, replace=False)
             for _ in range(users)]
        )  # fmt: skip
        seen.append(env.step(slates)[0])
    return seen


def hand_made(population, forget: float, rate: float = 0.5) -> MAMLPolicy:
    """A policy that nobody trained: fixed steps on the click loss, and forgetting."""
    rule = RuleConfig(every=2, rate=rate, forget=forget, forget_per_day=0.0)
    network = network_for(population, rule)
    for blank in (
        network.trunk.rule.early,
        network.trunk.taste.head.weight,
        network.query.own.weight,
    ):
        blank.data.zero_()
    return MAMLPolicy(network, torch.from_numpy(np.array(population.catalogue.table)),
                      unseen_only=False)  # fmt: skip


def test_forgetting_helps_when_a_user_becomes_another_and_costs_little_before():
    population = jumpers()
    keeping, forgetting = (
        expected_clicks(hand_made(population, forget, rate=0.05), population)
        for forget in (0.0, 0.1)
    )
    assert keeping[20:40].mean() > 0.85
    assert forgetting[20:40].mean() > keeping[20:40].mean() - 0.02
    assert forgetting[40:60].mean() > keeping[40:60].mean() + 0.03


def test_adaptation_raises_what_is_earned_over_the_trial_and_without_it_nothing_is_learnt():
    population = jumpers(jumps=False)
    policy = hand_made(population, 0.02)
    curve = expected_clicks(policy, population)
    frozen = expected_clicks(replace(policy, adapt=False), population)
    assert curve[30:].mean() > curve[:2].mean() + 0.3
    assert frozen.max() < 0.6


@pytest.mark.parametrize("adapted", ["all", "head", "context"])
@pytest.mark.parametrize("inner", ["clicks", "policy"])
def test_serving_one_by_one_knows_what_reliving_whole_trials_knows(adapted, inner):
    population = small_population(slate=2)
    rule = RuleConfig(adapted=adapted, inner=inner, every=3, steps=2, rate=0.3)
    network = network_for(population, rule)
    track, inputs, served = network.start(5), [], []
    with torch.no_grad():
        for observation in observations(population):
            read, known, track = network.know(observation, track)
            inputs.append(read)
            served.append(known)
        relived = network.relive(torch.stack(inputs))
    torch.testing.assert_close(torch.stack(served), relived, atol=1e-5, rtol=1e-4)
    assert (relived[3:] - relived[:1]).abs().max() > 1e-3


def test_the_meta_gradient_through_rounds_is_that_of_finite_differences():
    population = small_population()
    network = network_for(population, RuleConfig(every=3, rate=0.3)).double()
    track, inputs = network.start(5), []
    with torch.no_grad():
        for observation in observations(population):
            read, track = network.trunk.read(observation, track)
            inputs.append(read)
    inputs = torch.stack(inputs).double()

    def value() -> torch.Tensor:
        return network.relive(inputs).sin().sum()

    rule, taste = network.trunk.rule, network.trunk.taste
    parameters = [rule.rate, rule.early, rule.forget, rule.forget_per_day, rule.curvature,
                  taste.head.bias, taste.encoder.weight]  # fmt: skip
    for parameter, slope in zip(parameters, torch.autograd.grad(value(), parameters), strict=True):
        flat, place = parameter.data.view(-1), parameter.numel() // 2
        kept, ends = flat[place].item(), []
        for nudge in (1e-5, -1e-5):
            flat[place] = kept + nudge
            ends.append(value().item())
        flat[place] = kept
        slope_here = slope.reshape(-1)[place].item()
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope_here, rel=1e-4, abs=1e-6)


def test_first_order_steps_have_the_same_values_and_no_gradient_of_their_own():
    population = small_population()
    second, first = (
        network_for(population, RuleConfig(every=3, estimator=name)) for name in ("promp", "fomaml")
    )
    inputs = torch.randn(10, 4, second.trunk.read_width).abs()
    torch.testing.assert_close(second.relive(inputs), first.relive(inputs))
    slopes = [
        torch.autograd.grad(one.relive(inputs).sum(), one.trunk.taste.head.bias)[0]
        for one in (second, first)
    ]
    assert (slopes[0] - slopes[1]).abs().max() > 1e-3
    advance = second.trunk._advance
    second.trunk._advance = lambda *arguments: advance(*arguments).detach()
    for name in ("head.bias", "head.weight", "encoder.weight"):
        frozen, ours = (
            torch.autograd.grad(one.relive(inputs).sum(), one.trunk.taste.get_parameter(name))[0]
            for one in (second, first)
        )
        torch.testing.assert_close(ours, frozen)


@pytest.mark.parametrize(
    ("inner", "alike"),
    [
        ("clicks", [{"fomaml"}, {"naive", "dice", "e-maml", "promp"}]),
        ("policy", [{"fomaml"}, {"naive", "e-maml"}, {"dice"}, {"promp"}]),
    ],
)
def test_which_estimators_of_a_step_are_the_same(inner, alike):
    networks = {
        name: network_for(small_population(), RuleConfig(inner=inner, every=3, estimator=name))
        for name in ESTIMATORS
    }
    inputs = torch.randn(10, 4, networks["naive"].trunk.read_width).abs()
    found = {}
    for name, network in networks.items():
        value = network.relive(inputs).sin().sum()
        (found[name],) = torch.autograd.grad(value, network.trunk.taste.head.weight)
    for one, other in itertools.combinations(ESTIMATORS, 2):
        same = any({one, other} <= group for group in alike)
        assert torch.equal(found[one], found[other]) == same, (one, other)


def test_batch_of_one_equals_the_row_of_a_batch_whose_users_came_at_different_times():
    population = small_population()
    policy = MAML(replace(SMALL, iterations=1)).fit(population)
    seen = observations(population, users=4)
    state, single = policy.start(4), policy.start(1)
    for request, observation in enumerate(seen):
        if request == 5:
            # User 2 is a new one from here on, in the midst of the others' round.
            for name in ("memory", "request", "recent", "shown"):
                getattr(state, name)[2] = 0
                getattr(single, name)[0] = 0
        row = {key: value[2:3] for key, value in observation.items()}
        alone, single = policy.act(row, single)
        slate, state = policy.act(observation, state)
        assert np.array_equal(alone[0], slate[2])
        np.testing.assert_allclose(single.memory[0], state.memory[2], atol=1e-6)


def test_the_reward_of_the_last_request_of_a_round_teaches_too():
    population = small_population()
    network = network_for(population, RuleConfig(every=3))
    inputs = torch.rand(4, 2, network.trunk.read_width)
    feedback = 3 * network.shape.width
    changed = inputs.clone()
    changed[3, 0, feedback] = 1 - changed[3, 0, feedback].round()
    before, after = (network.trunk._advance(torch.zeros(2, sum(network.trunk.rule.sizes)),
                     one.transpose(0, 1), torch.zeros(2)) for one in (inputs, changed))  # fmt: skip
    assert (before[0] - after[0]).abs().max() > 1e-4
    assert torch.equal(before[1], after[1])


def test_what_is_remembered_of_a_user_does_not_grow():
    population = small_population()
    policy = MAML(replace(SMALL, iterations=1)).fit(population)
    size = policy.network.trunk.size
    state = policy.start(5)
    for observation in observations(population):
        _, state = policy.act(observation, state)
        assert state.memory.shape == (5, size)
        assert state.memory.dtype == np.float32


@pytest.mark.parametrize(("inner", "probes"), [("clicks", 8), ("policy", 0)])
def test_meta_training_makes_users_who_adapt(inner, probes):
    population = replace(jumpers(jumps=False), max_requests=40)
    config = MAMLConfig(
        iterations=5, users=48, hidden=8, probes=probes, unseen_only=False, validate_every=5,
        validation_users=8, learning_rate=0.01, sharpness=1.0,
        rule=RuleConfig(inner=inner, every=4, rate=0.2),
    )  # fmt: skip
    policy = MAML(config).fit(population)
    curve = expected_clicks(policy, population, 200)
    assert curve[20:].mean() > curve[:2].mean() + 0.15


@pytest.mark.parametrize(("inner", "probes"), [("clicks", 8), ("clicks", 0), ("policy", 0)])
def test_a_trust_region_bounds_each_update_and_users_adapt(inner, probes, tmp_path):
    population = replace(jumpers(jumps=False), max_requests=20)
    config = MAMLConfig(
        iterations=4, users=48, hidden=8, probes=probes, unseen_only=False, validate_every=4,
        validation_users=8, sharpness=1.0, rule=RuleConfig(inner=inner, every=4, rate=0.2),
        ppo=PPOConfig(objective="trpo", max_divergence=0.05, epochs=1, minibatches=2),
    )  # fmt: skip
    policy = MAML(config).fit(population, tmp_path)
    divergences = [line["kl"] for line in learning_curve(tmp_path)]
    assert 0.005 < min(divergences) <= max(divergences) <= 0.05
    # By chance .5, knowing the persona .9.
    assert expected_clicks(policy, population, 200)[10:].mean() > 0.8


def test_users_are_followed_as_far_as_their_trials_went_and_no_further():
    trunk = network_for(small_population(), RuleConfig(every=3, adapted="all")).trunk
    inputs, lengths = torch.rand(11, 4, trunk.read_width), [10, 7, 2, 3]
    found = trunk.follow(inputs, torch.arange(10)[:, None] < torch.tensor(lengths))
    for user, length in enumerate(lengths):
        lived = torch.ones(length, 1, dtype=torch.bool)
        alone = trunk.follow(inputs[: length + 1, [user]], lived)
        for ours, theirs in zip(found, alone, strict=True):
            torch.testing.assert_close(ours[[user]], theirs)
    assert all((part[2] == 0).all() and (part[3] != 0).any() for part in found)


@pytest.mark.parametrize(
    ("run_type", "config"),
    [
        (ReptileRun, ReptileConfig(
            users=24, hidden=8, validation_users=4, expected_rewards=False)),
        (GradientAggregationRun, GradientAggregationConfig(
            users=24, hidden=8, validation_users=4, expected_rewards=False, weighting="hard")),
    ],
)  # fmt: skip
def test_what_is_recorded_after_a_trial_teaches_nothing(run_type, config):
    population = small_population(max_requests=30)
    population = replace(population, model=replace(population.model, churn=0.3))
    trials = run_type(Worker(), config, population)._collect(0)
    ended = ~torch.cat([trials.alive[:1], trials.alive])
    assert 0.2 < ended.float().mean() < 0.8
    found = []
    for inputs in (trials.inputs, torch.where(ended[..., None], 1.0, trials.inputs)):
        run = run_type(Worker(), config, population)
        run._collect = lambda seed, inputs=inputs: replace(trials, inputs=inputs)
        run.update(0, 0.5)
        found.append(torch.cat([weight.grad.flatten() for weight in run.start_weights()]))
    assert torch.equal(*found)
    assert found[0].abs().max() > 1e-3


@pytest.mark.parametrize(
    ("learner", "config"),
    [
        (MAML, SMALL),
        (Reptile, ReptileConfig(
            iterations=2, users=32, hidden=8, validate_every=1, validation_users=16)),
        (GradientAggregation, GradientAggregationConfig(
            iterations=2, users=32, hidden=8, validate_every=1, validation_users=16,
            aggregate="weights", weighting="hard")),
    ],
)  # fmt: skip
def test_saved_policies_act_as_before_and_runs_resume_to_the_bit(learner, config, tmp_path):
    population = small_population()
    whole = learner(config).fit(population, tmp_path / "whole")
    loaded = load_any(tmp_path / "whole")

    class KilledError(Exception):
        pass

    def kill(iteration, *_):
        raise KilledError

    with pytest.raises(KilledError):
        learner(config).fit(population, tmp_path / "cut", progress=kill)
    assert len(learning_curve(tmp_path / "cut")) == 1
    resumed = learner(config).fit(population, tmp_path / "cut", resume=True)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    assert learning_curve(tmp_path / "whole") == learning_curve(tmp_path / "cut")
    seen = observations(population)
    states = [policy.start(5) for policy in (whole, loaded, resumed)]
    for observation in seen:
        slates = []
        for number, policy in enumerate((whole, loaded, resumed)):
            slate, states[number] = policy.act(observation, states[number])
            slates.append(slate)
        assert np.array_equal(slates[0], slates[1])
        assert np.array_equal(slates[0], slates[2])
    other = synthetic_catalogue(50, np.random.default_rng(5), dimension=4, topics=3)
    moved = loaded.on(other)
    assert len(moved.network.trunk.taste.items) == 50
    assert len(loaded.network.trunk.taste.items) == 40
    assert not load(tmp_path / "whole" / "policy.safetensors", adapt=False).network.trunk.adapts
    with pytest.raises(CheckpointError, match="expected 'maml-policy'"):
        load(tmp_path / "whole" / "training.safetensors")


def test_the_learners_have_names():
    assert learner_type("maml") is MAML
    assert learner_type("reptile") is Reptile
    assert learner_type("gradient-aggregation") is GradientAggregation


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RuleConfig(inner="likes"), "inner must be one of"),
        (lambda: RuleConfig(every=0), "every must be at least 1"),
        (lambda: RuleConfig(forget=1.0), r"forget must lie in \[0, 1\)"),
        (lambda: MAMLConfig(probes=-1), "hidden must be at least 1 and probes not negative"),
        (lambda: MAMLConfig(ppo=PPOConfig(gamma=1.0)), "gamma must be below 1"),
        (lambda: ReptileConfig(temperature=0.0), "temperature must be positive"),
        (lambda: ReptileConfig(schedule="adaptive"), "measures no divergence"),
        (lambda: GradientAggregationConfig(schedule="adaptive"), "constant, linear, inverse-time"),
        (lambda: GradientAggregationConfig(aggregate="votes"), "aggregate must be one of"),
    ],
)
def test_bad_config_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
