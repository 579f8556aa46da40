"""Meta-gradients against exact ones: all that four pulls of three arms can bring is enumerated."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.func import vmap

from driftrec.meta.maml.episodes import Episodes, advantages
from driftrec.meta.maml.estimators import ESTIMATORS, inner_loss, magic_box
from driftrec.meta.maml.families import Categorical
from driftrec.meta.maml.meta_policy import MetaPolicy
from driftrec.meta.maml.objective import Round, meta_objective
from driftrec.meta.maml.policies import Perceptron

CHANCE = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64)
PULLS = 4


@pytest.fixture(autouse=True)
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def softmax_policy(logits=(0.3, -0.2, 0.1)) -> MetaPolicy:
    """Three logits and an inner step of 5; the input is always 1."""
    network = nn.Sequential()
    network.head = nn.Linear(1, 3, bias=False)
    with torch.no_grad():
        network.head.weight.copy_(torch.as_tensor(logits)[:, None])
    return MetaPolicy(network, Categorical(), inner_rate=5.0, learn_rates=False)


def every_outcome(pulls: int = PULLS) -> tuple[torch.Tensor, torch.Tensor]:
    """Arms and clicks of all that so many pulls can bring, `(6 ** pulls, pulls)` each."""
    arms = torch.tensor(list(itertools.product(range(3), repeat=pulls)))
    clicks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=pulls)))
    return arms.repeat_interleave(len(clicks), 0), clicks.repeat(len(arms), 1)


def one_step_episodes(
    meta: MetaPolicy, arms: torch.Tensor, rewards: torch.Tensor, fast=None
) -> Episodes:
    """Each pull is an episode of one step, under the start or each task's own weights."""
    inputs = torch.ones(*arms.shape, 1, 1)
    with torch.no_grad():
        outputs = meta.outputs(fast or meta.start(len(arms)), inputs)
    actions = arms[:, :, None]
    log_probability = meta.family.log_probability(outputs, actions)
    alive = torch.ones_like(actions, dtype=torch.bool)
    return Episodes(inputs, actions, log_probability, outputs, rewards[:, :, None], alive)


def expected_click(meta: MetaPolicy, fast) -> torch.Tensor:
    """What each adapted policy earns a pull, `(outcomes,)`."""
    count = len(next(iter(fast.values())))
    outputs = meta.outputs(fast, torch.ones(count, 1))
    return outputs.softmax(-1) @ CHANCE


def chance_of(meta: MetaPolicy, arms, clicks) -> torch.Tensor:
    log_policy = meta.network(torch.ones(1)).log_softmax(-1)
    luck = torch.where(clicks > 0, CHANCE[arms], 1 - CHANCE[arms])
    return log_policy[arms].sum(1).exp() * luck.prod(1)


def expected_gradient(meta: MetaPolicy, estimator: str, baseline: str, pulls=PULLS, tasks=1):
    """Expectation of the gradient of `meta_objective`, over all that a batch of tasks can bring.

    Each task's last pull, after so many others, is that of the adapted policy.
    """
    one = every_outcome(pulls + 1)
    batches = torch.tensor(list(itertools.product(range(len(one[0])), repeat=tasks))).flatten()
    arms, clicks = (values[batches] for values in one)
    before = one_step_episodes(meta, arms[:, :-1], clicks[:, :-1])
    inner = advantages(before, 1.0, 1.0, baseline)
    fast = meta.step(meta.start(len(arms)), before, inner, estimator)
    after = one_step_episodes(meta, arms[:, -1:], clicks[:, -1:], fast)
    log_policy = torch.cat([before.log_probability, after.log_probability], 1)[..., 0]
    luck = torch.where(clicks > 0, CHANCE[arms], 1 - CHANCE[arms])
    chance = (log_policy.exp() * luck).prod(1).view(-1, tasks).prod(1)
    assert chance.sum().item() == pytest.approx(1.0)

    def loss(first, inner, then) -> torch.Tensor:
        first, then = Episodes(**first), Episodes(**then)
        rounds = [Round(first, inner, inner, 0.0), Round(then, then.rewards, then.rewards)]
        return meta_objective(meta, rounds, estimator, clip=None).loss

    def by_batch(values: torch.Tensor) -> torch.Tensor:
        return values.unflatten(0, (-1, tasks))

    first, then = ({name: by_batch(one) for name, one in vars(e).items()} for e in (before, after))
    expected = -(chance * vmap(loss)(first, by_batch(inner), then)).sum()
    return torch.autograd.grad(expected, meta.network.head.weight)[0]


def exact_gradient(meta: MetaPolicy, baseline: str, pulls=PULLS) -> torch.Tensor:
    """Gradient of what the adapted policy earns, the chance of what it adapts to included."""
    arms, clicks = every_outcome(pulls)
    episodes = one_step_episodes(meta, arms, clicks)
    values = advantages(episodes, 1.0, 1.0, baseline)
    earned = expected_click(meta, meta.step(meta.start(len(arms)), episodes, values, "naive"))
    objective = (chance_of(meta, arms, clicks) * earned).sum()
    return torch.autograd.grad(objective, meta.network.head.weight)[0]


def meta_gradients(baseline: str) -> dict[str, torch.Tensor]:
    """Expectation of each estimator's meta-gradient, and the exact one."""
    meta = softmax_policy()
    found = {name: expected_gradient(meta, name, baseline) for name in ESTIMATORS}
    return found | {"exact": exact_gradient(meta, baseline)}


def relative_error(found: dict[str, torch.Tensor], name: str) -> float:
    return float((found[name] - found["exact"]).norm() / found["exact"].norm())


@pytest.mark.parametrize("baseline", ["none", "mean"])
def test_e_maml_is_exact_and_dice_and_promp_beat_naive_and_first_order(baseline):
    found = meta_gradients(baseline)
    error = {name: relative_error(found, name) for name in ESTIMATORS}
    assert error["e-maml"] < 1e-6
    # Pulls are episodes of their own here, so that the two are one.
    assert error["promp"] == pytest.approx(error["dice"], abs=1e-12)
    assert error["dice"] < 0.1
    assert error["naive"] > 2 * error["dice"]
    assert error["fomaml"] > 2 * error["dice"]


def test_e_maml_stays_exact_where_credit_is_against_what_another_task_earned():
    meta = softmax_policy()
    found = {
        "e-maml": expected_gradient(meta, "e-maml", "none", pulls=1, tasks=2),
        "exact": exact_gradient(meta, "none", pulls=1),
    }
    assert relative_error(found, "e-maml") < 1e-6


def test_the_naive_estimator_loses_most_without_a_baseline():
    without, with_mean = meta_gradients("none"), meta_gradients("mean")
    assert relative_error(without, "naive") > 0.8
    assert relative_error(with_mean, "naive") < 0.3


def test_the_exact_meta_gradient_is_that_of_finite_differences():
    exact = meta_gradients("none")["exact"].flatten()
    arms, clicks = every_outcome()

    def value(logits) -> float:
        meta = softmax_policy(logits)
        episodes = one_step_episodes(meta, arms, clicks)
        values = advantages(episodes, 1.0, 1.0, "none")
        fast = meta.step(meta.start(len(arms)), episodes, values, "naive")
        return (chance_of(meta, arms, clicks) * expected_click(meta, fast)).sum().item()

    for number in range(3):
        nudge = torch.zeros(3)
        nudge[number] = 1e-5
        start = torch.tensor((0.3, -0.2, 0.1))
        slope = (value(start + nudge) - value(start - nudge)) / 2e-5
        assert slope == pytest.approx(float(exact[number]), abs=1e-8)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_all_estimators_take_the_same_inner_step(estimator):
    meta = small_policy()
    episodes, values = random_episodes(meta)
    naive = meta.step(meta.start(3), episodes, values, "naive")
    ours = meta.step(meta.start(3), episodes, values, estimator)
    for name, weights in naive.items():
        torch.testing.assert_close(ours[name], weights, atol=1e-12, rtol=1e-9)


def small_policy(**options) -> MetaPolicy:
    torch.manual_seed(0)
    network = Perceptron(2, 3, (5,))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return MetaPolicy(network, Categorical(), inner_rate=0.7, **options)


def random_episodes(meta: MetaPolicy, tasks=3, seed=1) -> tuple[Episodes, torch.Tensor]:
    """Episodes of two to four steps, some cut short, under the start."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(tasks, 6, 4, 2, generator=generator)
    length = torch.randint(2, 5, (tasks, 6, 1), generator=generator)
    alive = torch.arange(4) < length
    with torch.no_grad():
        outputs = meta.outputs(meta.start(tasks), inputs)
    actions = meta.family.sample(outputs, generator)
    log_probability = meta.family.log_probability(outputs, actions)
    rewards = torch.randn(tasks, 6, 4, generator=generator) * alive
    episodes = Episodes(inputs, actions, log_probability, outputs, rewards, alive)
    return episodes, advantages(episodes, 0.9, 0.8, "linear")


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_vectorised_step_equals_a_loop_over_tasks_and_so_does_its_meta_gradient(estimator):
    meta = small_policy()
    episodes, values = random_episodes(meta)
    fast = meta.step(meta.start(3), episodes, values, estimator)
    weights = dict(meta.network.named_parameters())
    total = sum(one.sin().sum() for one in fast.values())
    together = torch.autograd.grad(total, list(weights.values()))
    parts = []
    for task in range(3):
        outputs = meta.network(episodes.inputs[task])
        loss = inner_loss(
            estimator,
            meta.family.log_probability(outputs, episodes.actions[task]),
            episodes.log_probability[task],
            values[task],
            episodes.alive[task],
        )
        slopes = torch.autograd.grad(
            loss, list(weights.values()), create_graph=estimator != "fomaml"
        )
        for (name, weight), slope in zip(weights.items(), slopes, strict=True):
            stepped = weight - 0.7 * slope
            torch.testing.assert_close(fast[name][task], stepped, atol=1e-10, rtol=1e-6)
            parts.append(stepped.sin().sum())
    alone = torch.autograd.grad(sum(parts), list(weights.values()))
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("estimator", ["naive", "promp"])
def test_the_gradient_through_two_inner_steps_is_that_of_finite_differences(estimator):
    meta = small_policy()
    first, second = random_episodes(meta), random_episodes(meta, seed=2)

    def value() -> torch.Tensor:
        fast = meta.start(3)
        for episodes, values in (first, second):
            fast = meta.step(fast, episodes, values, estimator)
        return sum(one.sin().sum() for one in fast.values())

    parameters = list(meta.parameters())
    slopes = torch.autograd.grad(value(), parameters)
    for parameter, slope in zip(parameters, slopes, strict=True):
        flat = parameter.data.view(-1)
        for cell in (0, len(flat) - 1):
            kept = float(flat[cell])
            ends = []
            for nudge in (1e-5, -1e-5):
                flat[cell] = kept + nudge
                ends.append(value().item())
            flat[cell] = kept
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(
                float(slope.view(-1)[cell]), abs=1e-6
            )


def test_the_magic_box_is_one_and_differentiates_to_scores():
    value = torch.tensor(0.7, requires_grad=True)
    boxed = magic_box(value**2)
    assert boxed.item() == 1.0
    (first,) = torch.autograd.grad(boxed, value, create_graph=True)
    (second,) = torch.autograd.grad(first, value)
    assert first.item() == pytest.approx(1.4)
    assert second.item() == pytest.approx(1.4**2 + 2)


def test_the_outer_ratio_is_one_at_the_start_and_its_gradient_the_score():
    meta = small_policy()
    episodes, values = random_episodes(meta)
    clipped = meta_objective(meta, [Round(episodes, values, values)], "promp", 0.2)
    weights = episodes.alive / episodes.alive.sum()
    assert clipped.loss.item() == pytest.approx(-float((weights * values).sum()))
    assert clipped.divergence.item() == pytest.approx(0.0, abs=1e-12)
    outputs = meta.outputs(meta.start(3), episodes.inputs)
    score = -(weights * meta.family.log_probability(outputs, episodes.actions) * values).sum()
    parameters = list(meta.network.parameters())
    for one, other in zip(
        torch.autograd.grad(clipped.loss, parameters),
        torch.autograd.grad(score, parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_a_ratio_past_the_clip_in_the_direction_of_its_advantage_has_no_gradient():
    meta = small_policy()
    episodes, values = random_episodes(meta)
    episodes.log_probability = episodes.log_probability - 1.0
    up = torch.ones_like(values) * episodes.alive
    loss = meta_objective(meta, [Round(episodes, up, up)], "promp", 0.2).loss
    assert loss.item() == pytest.approx(-1.2)
    assert all((g == 0).all() for g in torch.autograd.grad(loss, list(meta.network.parameters())))


def test_e_maml_credits_exploration_with_what_other_tasks_did_not_earn():
    meta = small_policy()
    (first, inner), (after, outer) = random_episodes(meta), random_episodes(meta, seed=2)
    rounds = [Round(first, inner, inner, 0.0), Round(after, outer, outer, 1.0)]
    parameters = list(meta.network.parameters())
    plain = torch.autograd.grad(meta_objective(meta, rounds, "naive").loss, parameters)
    scored = torch.autograd.grad(meta_objective(meta, rounds, "e-maml").loss, parameters)
    earned = after.returns()
    credit = (earned - (earned.sum() - earned) / 2) / after.alive.sum(2).double().mean()
    outputs = meta.outputs(meta.start(3), first.inputs)
    log_probability = meta.family.log_probability(outputs, first.actions) * first.alive
    expected = torch.autograd.grad(-(credit * log_probability.sum((1, 2))).mean(), parameters)
    for one, other, score in zip(scored, plain, expected, strict=True):
        torch.testing.assert_close(one - other, score)
