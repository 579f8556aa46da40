"""What one of several workers does with its part of a recorded batch of trials; spawned by name."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import torch

from driftrec.envs import DriftingUser, Population, RecommendationVectorEnv, synthetic_catalogue
from driftrec.meta.belief_loss import filter_loss, likelihood_loss
from driftrec.meta.maml.averaging import GradientAggregationConfig, GradientAggregationRun
from driftrec.meta.network import ActorCritic
from driftrec.meta.never_lost import never_lost
from driftrec.meta.ppo import PPOConfig, Update, targets
from driftrec.meta.rl2_run import plackett_luce
from driftrec.meta.rollout import Notes, Trials, collect
from driftrec.meta.track import NetworkShape
from driftrec.meta.workers import Worker

USERS = 48


def small_population() -> Population:
    """25 items, two a request, and trials of ten requests."""
    catalogue = synthetic_catalogue(25, np.random.default_rng(0), dimension=4, topics=3)
    personas = np.random.default_rng(1).standard_normal((3, 4))
    model = DriftingUser(personas=personas, topics=3)
    return Population("Small", model, catalogue, slate=2, max_requests=10)


def recorded(with_filter: bool) -> tuple[ActorCritic, torch.Tensor, Trials]:
    """A network, the items, and whole trials; the same in every process."""
    population = small_population()
    env = RecommendationVectorEnv(never_lost(population), USERS, autoreset_mode="Disabled")
    torch.manual_seed(0)
    shape = NetworkShape(slate=2, width=8, hidden=6, filter=with_filter)
    network = ActorCritic(shape, torch.ones(8), belief=False)
    table = torch.from_numpy(np.array(population.catalogue.table))
    choose = plackett_luce(network, table, 3)
    trials = collect(env, network, choose, seed=3, unseen_only=True, notes=Notes(probes=4))
    return network, table, trials


def of_users(trials: Trials, users: torch.Tensor) -> Trials:
    """The trials of some of the users."""
    user_first = {"shown_at": trials.shown_at[users], "churned": trials.churned[users]}
    rest = {
        item.name: getattr(trials, item.name)[:, users]
        for item in fields(Trials)
        if item.name not in {*user_first, "probe_items", "items", "offered"}
    }
    return replace(trials, **user_first, **rest)


def policy_gradient(worker: Worker) -> tuple[torch.Tensor, torch.Tensor]:
    """PPO's gradient over all workers, as the weights moved; this worker's mean advantage."""
    network, table, trials = recorded(with_filter=False)
    trials = of_users(trials, torch.arange(USERS).chunk(worker.count)[worker.rank])
    config = PPOConfig(epochs=1, minibatches=1, gradient_clip=1e9)
    moments = worker.mean_and_spread
    wanted = targets(network, trials, config, continuing=True, return_scale=1.0, moments=moments)
    before = torch.nn.utils.parameters_to_vector(network.parameters()).detach()
    Update(
        network=network, optimiser=torch.optim.SGD(network.parameters(), lr=1.0), trials=trials,
        wanted=wanted, table=table, config=config, iteration=9, entropy_weight=0.01,
        rng=torch.Generator().manual_seed(0), synchronise=worker.average_gradients,
    ).run()  # fmt: skip
    after = torch.nn.utils.parameters_to_vector(network.parameters()).detach()
    return before - after, wanted.advantages.mean()


def apart_after_a_trust_region(worker: Worker) -> torch.Tensor:
    """How far this worker's weights are from the mean of all, after a step; and how far it went."""
    network, table, trials = recorded(with_filter=False)
    trials = of_users(trials, torch.arange(USERS).chunk(worker.count)[worker.rank])
    config = PPOConfig(objective="trpo", epochs=1, minibatches=1)
    wanted = targets(network, trials, config, continuing=True, return_scale=1.0)
    before = torch.nn.utils.parameters_to_vector(network.parameters()).detach()
    Update(
        network=network, optimiser=torch.optim.SGD(network.parameters(), lr=0.0), trials=trials,
        wanted=wanted, table=table, config=config, iteration=9, entropy_weight=0.0,
        rng=torch.Generator().manual_seed(0), synchronise=worker.average_gradients,
    ).run()  # fmt: skip
    after = torch.nn.utils.parameters_to_vector(network.parameters()).detach()
    mean = torch.tensor(worker.average(*after.tolist()))
    return torch.stack([(after - mean).abs().max(), (after - before).abs().max()])


def belief_gradient(worker: Worker) -> torch.Tensor:
    """Gradient of the amortised filter's losses over all workers."""
    network, table, trials = recorded(with_filter=True)
    users = torch.arange(USERS).chunk(worker.count)[worker.rank]
    known = network.relive(trials.inputs[:-1, users])
    loss = likelihood_loss(network, known, table, trials, users)
    (loss + filter_loss(network, table, trials, users)).backward()
    worker.average_gradients(network)
    own = [one.grad.flatten() for one in network.parameters() if one.grad is not None]
    return torch.cat(own)


def hard_gradient(worker: Worker) -> torch.Tensor:
    """Gradient aggregation's gradient over all workers, of users who weigh by their loss."""
    config = GradientAggregationConfig(
        users=USERS, hidden=6, validation_users=4, weighting="hard", temperature=0.02
    )
    trials = GradientAggregationRun(Worker(), config, small_population())._collect(3)
    run = GradientAggregationRun(worker, config, small_population())
    own = of_users(trials, torch.arange(USERS).chunk(worker.count)[worker.rank])
    run._collect = lambda seed: own  # type: ignore[method-assign]
    run.update(3, 0.01)
    return torch.cat([one.grad.flatten() for one in run.start_weights() if one.grad is not None])


def gradients(worker: Worker, lead: object) -> dict[str, torch.Tensor]:
    """All gradients, the mean advantage (0 over all workers), and how far workers are apart."""
    policy, advantage = policy_gradient(worker)
    return {
        "policy": policy,
        "belief": belief_gradient(worker),
        "hard": hard_gradient(worker),
        "advantage": advantage,
        "apart": apart_after_a_trust_region(worker),
    }
