"""Whole trials of a batch of training users, recorded for learning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from driftrec.envs import RecommendationVectorEnv
from driftrec.meta.network import TrialNetwork
from driftrec.meta.privileged import Privileged
from driftrec.meta.track import Track

Choose = Callable[[Tensor, Track, "Tensor | None"], tuple[Tensor, Tensor]]
"""Draws slates `(users, slate)` from what is known `(users, known)`, the track, and what is banned
`(users, items)`; with the log-probability of each, `(users,)`."""


@dataclass
class Trials:
    """A batch of whole trials; the first two axes are request and user.

    Attributes:
        items: size of the catalogue.
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
        feedback: on each slate, `(T, users, slate)`.
        log_elapsed: log(1 + seconds) from each request to the next, `(T, users)`.
        probe_items: items whose true expected feedback was noted, `(T, probes)`; of users who are
            known by what they do alone the items shown, `(T, users, slate)`, and feedback on them
            in the place of what is true.
        probe_expected: that, before the request, `(T, users, probes)`.
        probe_values: what they were worth, see `UserModel.item_values`, likewise.
        probe_variance: the filter's variance of them, `(T, users, probes)`, or `(T, users, 0)`.
        best_item: the allowed item that was worth most, `(T, users)`; -1 if not noted.
        offered: items among which the slate was chosen, `(T, users, candidates)`; or None where
            that was the whole catalogue.
        hint: for the critic, `(T + 1, users, 3)`: how much likelier than by their quality alone
            the user clicks on random items, in logits, the highest expected feedback on one of
            them (both 0 without probes), and the chance of losing the user now, in percent, at
            most 5.
    """

    items: int
    inputs: Tensor
    slates: Tensor
    shown_at: Tensor | None
    log_probability: Tensor
    rewards: Tensor
    survival: Tensor
    alive: Tensor
    churned: Tensor
    feedback: Tensor
    log_elapsed: Tensor
    probe_items: Tensor
    probe_expected: Tensor
    probe_values: Tensor
    probe_variance: Tensor
    best_item: Tensor
    hint: Tensor
    offered: Tensor | None = None

    @property
    def observed(self) -> bool:
        """Whether labels are feedback on what was shown, for want of what was expected."""
        return self.probe_items.ndim == 3

    def banned(self, users: Tensor) -> Tensor | None:
        """Items that could not be shown at each request, `(T, users, items)`; None for no ban."""
        if self.offered is not None:
            return not_offered(self.offered[:, users], self.items)
        if self.shown_at is None:
            return None
        requests, slate = len(self.slates), self.slates.shape[2]
        # Where too few are left for a slate of new items, all can be shown again.
        times = torch.arange(1, requests + 1, device=self.slates.device)
        enough = times * slate <= self.shown_at.shape[1]
        request = (times - 1).to(self.shown_at.dtype).where(enough, -1)
        return self.shown_at[users][None] < request[:, None, None]

    def weights(self, users: Tensor) -> Tensor:
        """Weight of each request of some users in a mean over those that took place."""
        alive = self.alive[:, users].float()
        return alive / alive.sum().clamp(min=1)


def not_offered(offered: Tensor, items: int) -> Tensor:
    """True for all other items than some numbers `(..., candidates)`, `(..., items)`."""
    banned = torch.ones(*offered.shape[:-1], items, dtype=torch.bool, device=offered.device)
    return banned.scatter_(-1, offered, False)


@dataclass(frozen=True)
class Notes:
    """What is noted of trials beside what happened, from the users' hidden state.

    Attributes:
        probes: random items a request whose true expected feedback is noted.
        best_item: whether the best allowed item is noted, which looks at the whole catalogue.
        expected_rewards: weights of the reward by name; where given, each request's reward is its
            expectation given the user's hidden state, which takes chance out of the signal. The
            environment's users must be `NeverLost`.
    """

    probes: int = 0
    best_item: bool = False
    expected_rewards: dict[str, float] | None = None


@torch.no_grad()
def collect(
    env: RecommendationVectorEnv,
    network: TrialNetwork,
    choose: Choose,
    *,
    seed: int,
    unseen_only: bool,
    notes: Notes | None = None,
) -> Trials:
    """Run one trial of every user of `env`, which must not reset by itself.

    Tensors live where the environment's arrays do; with a torch environment nothing leaves its
    device.

    Args:
        env: a vector environment with autoreset `DISABLED`, `by_number` where there are candidates.
        network: reads the trials.
        choose: draws slates.
        seed: reproduces users and luck; `choose` has its own.
        unseen_only: never show an item twice to a user, while there are others.
        notes: what else to note.
    """
    notes = notes or Notes()
    observation, _ = env.reset(seed=seed)
    simulation = env.simulation
    privileged = Privileged(env, np.random.default_rng([seed, 1]), notes.probes)
    users, items = env.num_envs, len(simulation.catalogue)
    device = privileged.table.device
    shown_at = torch.full((users, items), simulation.max_requests, dtype=torch.int16, device=device)
    track, alive = network.start(users), torch.ones(users, dtype=torch.bool, device=device)
    records: list[dict[str, Tensor]] = []
    while alive.any():
        request = len(records)
        record = privileged.look(network.trunk, track)
        inputs, known, track = network.know(observation, track)
        record |= privileged.filter_variance(network.trunk, track)
        allowed = unseen_only and (request + 1) * simulation.slate <= items
        ban = shown_at < request if allowed else None
        if simulation.offered is not None:
            record["offered"] = torch.as_tensor(simulation.offered)
            ban = not_offered(record["offered"], items)
        chosen, log_probability = choose(known, track, ban)
        record |= {"inputs": inputs, "slates": chosen, "log_probability": log_probability}
        record["best_item"] = privileged.best_item(ban, notes.best_item)
        action = chosen.numpy() if simulation.xp is np else chosen
        privileged.before(action)
        observation, reward, terminated, truncated, _ = env.step(action)
        reward, survival = privileged.after(reward, notes.expected_rewards)
        record |= {"rewards": reward * alive, "survival": survival, "alive": alive}
        record |= privileged.observed(network.trunk, track, chosen)
        record["feedback"] = torch.as_tensor(simulation.trials.feedback)
        record["log_elapsed"] = torch.as_tensor(observation["log_elapsed"])[:, 0]
        records.append(record)
        now = torch.full_like(chosen, request).to(torch.int16)
        shown_at.scatter_reduce_(1, chosen, now, "amin")
        alive = alive & ~torch.as_tensor(terminated | truncated)
    stacked = {name: torch.stack([record[name] for record in records]) for name in records[0]}
    last_inputs, _, _ = network.know(observation, track)
    last_hint = privileged.look(network.trunk, track)["hint"]
    return Trials(
        inputs=torch.cat([stacked.pop("inputs"), last_inputs[None]]),
        hint=torch.cat([stacked.pop("hint"), last_hint[None]]),
        shown_at=shown_at if unseen_only else None,
        items=items,
        churned=torch.as_tensor(simulation.trials.churned).clone(),
        **stacked,
    )
