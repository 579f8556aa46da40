"""Whole trials of a batch of training users, recorded for learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from driftrec.envs import Catalogue, RecommendationVectorEnv, Simulation, Slate
from driftrec.meta.network import RecurrentNetwork, network_inputs, recently_shown
from driftrec.meta.never_lost import NeverLost
from driftrec.meta.plackett_luce import sample_slate, slate_log_probability


@dataclass
class Trials:
    """A batch of whole trials; the first two axes are request and user.

    Attributes:
        inputs: what the network read, one more than there are requests, `(T + 1, users, inputs)`.
        slates: items shown, `(T, users, slate)`.
        shown_at: request at which each item was first shown, T or more for never,
            `(users, items)`; or None where items may be shown again.
        log_probability: of the slate when it was drawn, `(T, users)`.
        rewards: of each request, in expectation over the feedback where that is known,
            `(T, users)`.
        survival: chance that the user was still there after the request, where the environment's
            users are `NeverLost`, else 1, `(T, users)`.
        alive: whether the request took place, `(T, users)`.
        churned: whether the user was lost, `(users,)`.
        probe_items: items whose true click probability was noted, `(T, probes)`.
        probe_probability: that probability before the request, `(T, users, probes)`.
        hint: for the critic, `(T + 1, users, 2)`: how much likelier than by their quality alone
            the user clicks on random items, in logits (0 without probes), and the chance of
            losing the user now, in percent, at most 5.
    """

    inputs: Tensor
    slates: Tensor
    shown_at: Tensor | None
    log_probability: Tensor
    rewards: Tensor
    survival: Tensor
    alive: Tensor
    churned: Tensor
    probe_items: Tensor
    probe_probability: Tensor
    hint: Tensor

    def banned(self, users: Tensor) -> Tensor | None:
        """Items that could not be shown at each request, `(T, users, items)`; None for no ban."""
        if self.shown_at is None:
            return None
        requests, slate = len(self.slates), self.slates.shape[2]
        # Where too few are left for a slate of new items, all can be shown again.
        enough = torch.arange(1, requests + 1) * slate <= self.shown_at.shape[1]
        request = torch.arange(requests, dtype=self.shown_at.dtype).where(enough, -1)
        return self.shown_at[users][None] < request[:, None, None]


@torch.no_grad()
def collect(
    env: RecommendationVectorEnv,
    network: RecurrentNetwork,
    *,
    seed: int,
    unseen_only: bool,
    probes: int = 0,
    expected_rewards: Mapping[str, float] | None = None,
) -> Trials:
    """Run one trial of every user of `env`, which must not reset by itself.

    Args:
        env: a vector environment with autoreset `DISABLED`.
        network: acts by sampling.
        seed: reproduces users, luck and draws.
        unseen_only: never show an item twice to a user, while there are others.
        probes: number of random items a request whose true click probability is noted.
        expected_rewards: weights of the reward by name; where given, each request's reward is its
            expectation given the user's hidden state, which takes chance out of the signal. The
            environment's users must be `NeverLost`.
    """
    torch_rng = torch.Generator().manual_seed(seed)
    probe_rng = np.random.default_rng([seed, 1])
    observation, _ = env.reset(seed=seed)
    simulation = env.simulation
    catalogue, users, horizon = simulation.catalogue, env.num_envs, simulation.max_requests
    table = torch.from_numpy(np.array(catalogue.table))
    banned = torch.zeros(users, len(catalogue), dtype=torch.bool)
    shown_at = torch.full((users, len(catalogue)), horizon, dtype=torch.int16)
    memory, request = network.start(users), torch.zeros(users)
    recent = torch.zeros(users, network.shape.width)
    alive = torch.ones(users, dtype=torch.bool)
    records: list[dict[str, Tensor]] = []
    while alive.any():
        items = probe_rng.choice(len(catalogue), probes, replace=False)
        chance = _true_probability(env, catalogue, items)
        recent = recently_shown(observation, recent)
        inputs = network_inputs(observation, request, recent, network.shape)
        known, memory = network.remember(inputs[None], memory)
        query = network.queries(known[0])
        logits = query @ table.T
        new_left = (len(records) + 1) * simulation.slate <= len(catalogue)
        ban = banned if unseen_only and new_left else None
        if ban is not None:
            logits.masked_fill_(ban, -torch.inf)
        chosen = sample_slate(logits, simulation.slate, torch_rng)
        log_probability, _ = slate_log_probability(query, table, chosen, ban)
        before = simulation.state
        shown = _shown_slate(env, chosen.numpy())
        observation, reward, terminated, truncated, _ = env.step(chosen.numpy())
        survival = np.ones(users, np.float32)
        if expected_rewards is not None:
            reward, survival = _expected_reward(simulation, before, shown, expected_rewards)
        rewards = torch.from_numpy(np.asarray(reward, np.float32))
        records.append(
            {
                "inputs": inputs,
                "slates": chosen,
                "log_probability": log_probability,
                "rewards": rewards * alive,
                "survival": torch.from_numpy(survival),
                "alive": alive,
                "probe_items": torch.from_numpy(items),
                "probe_probability": chance,
                "hint": _hint(env, chance, table[items, -1]),
            }
        )
        banned.scatter_(1, chosen, True)
        now = torch.full_like(chosen, len(records) - 1).to(torch.int16)
        shown_at.scatter_reduce_(1, chosen, now, "amin")
        request = request + alive
        alive = alive & ~torch.from_numpy(np.asarray(terminated | truncated))
    stacked = {name: torch.stack([record[name] for record in records]) for name in records[0]}
    items = probe_rng.choice(len(catalogue), probes, replace=False)
    last_hint = _hint(env, _true_probability(env, catalogue, items), table[items, -1])
    recent = recently_shown(observation, recent)
    last_inputs = network_inputs(observation, request, recent, network.shape)
    return Trials(
        inputs=torch.cat([stacked.pop("inputs"), last_inputs[None]]),
        hint=torch.cat([stacked.pop("hint"), last_hint[None]]),
        shown_at=shown_at if unseen_only else None,
        churned=torch.from_numpy(np.array(simulation.trials.churned)),
        **stacked,
    )


def _hint(env: RecommendationVectorEnv, probability: Tensor, quality: Tensor) -> Tensor:
    state, model = env.simulation.state, env.simulation.model
    survival = NeverLost(model.model if isinstance(model, NeverLost) else model).survival(state)
    losing = (100 * (1 - torch.from_numpy(np.asarray(survival, np.float32)))).clamp(max=5)
    if not probability.shape[1]:
        return torch.stack([torch.zeros(len(losing)), losing], 1)
    keenness = (torch.logit(probability, 1e-6) - quality).mean(1)
    return torch.stack([keenness, losing], 1)


def _shown_slate(env: RecommendationVectorEnv, items: np.ndarray) -> Slate:
    """The slates that are about to be shown, as the user model sees them."""
    simulation = env.simulation
    repeats = np.take_along_axis(np.asarray(simulation.shown), items, axis=1)
    return simulation.catalogue.show(items, repeats)


def _expected_reward(
    simulation: Simulation, before: Any, slate: Slate, weights: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Reward of the last request in expectation, and the chance that the user is still there.

    Clicks are expected given the hidden state before them; losing the user, or seeing them again,
    given the clicks.

    Raises:
        ValueError: if the users are not `NeverLost`.
    """
    model = simulation.model
    if not isinstance(model, NeverLost):
        raise ValueError(f"expected rewards need NeverLost users, got {type(model).__name__}")
    after = model.react(before, slate, simulation.trials.feedback)
    survival = np.asarray(model.survival(after), np.float32)
    expected = weights.get("retention", 0.0) * (survival - 1)
    if "clicks" in weights:
        expected += weights["clicks"] * np.asarray(model.respond(before, slate).mean).sum(1)
    if "returns" in weights:
        expected += weights["returns"] * (np.asarray(model.leave(after)) + survival - 1)
    return expected, survival


def _true_probability(
    env: RecommendationVectorEnv, catalogue: Catalogue, items: np.ndarray
) -> Tensor:
    """Privileged labels for training: chance of a click on a few items, `(users, probes)`."""
    if not len(items):
        return torch.zeros(env.num_envs, 0)
    few = Catalogue(catalogue.features[items], catalogue.topics[items], catalogue.quality[items])
    probability = env.simulation.model.click_probability(env.simulation.state, few)
    return torch.from_numpy(np.asarray(probability, np.float32))
