"""What training alone knows: labels and expected rewards, read from users' hidden state.

No policy reads any of it. It goes into losses, and into the critic, which does not act.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from driftrec.envs import Catalogue, RecommendationVectorEnv
from driftrec.envs.foreign.simulation import ForeignSimulation
from driftrec.meta.heads import HINTS
from driftrec.meta.never_lost import NeverLost
from driftrec.meta.track import Track
from driftrec.meta.trunk import Trunk

SMALL = 64
"""Items of a catalogue that is looked at whole."""


class Privileged:
    """Looks at the hidden state of an environment's users, request by request.

    Args:
        env: just reset.
        rng: chooses the items that are probed.
        probes: how many a request, or all where there are fewer.

    Attributes:
        table: features of all items as tensors, where the environment's arrays live.
    """

    def __init__(self, env: RecommendationVectorEnv, rng: np.random.Generator, probes: int) -> None:
        self._env = env
        self._simulation = env.simulation
        self.table = _tensor(env.simulation.catalogue.table)
        self._probes = min(probes, len(self.table))
        # Drawn ahead, so that a GPU is told of them once.
        every = [
            rng.choice(len(self.table), self._probes, replace=False)
            for _ in range(env.simulation.max_requests + 1)
        ]
        self._ahead = iter(torch.as_tensor(np.stack(every), device=self.table.device))
        self._items = self.table.new_zeros(0, dtype=torch.int64)
        self._before: Any = None
        self._slate: Any = None

    def look(self, trunk: Trunk, track: Track) -> dict[str, Tensor]:
        """Labels before a request: `probe_items`, `probe_expected`, `probe_values`, `hint`.

        Of users who are known by what they do alone, a hint that says nothing.
        """
        model, items = self._simulation.model, next(self._ahead)
        if model.observed_only:
            return {"hint": self.table.new_zeros(self._env.num_envs, HINTS)}
        self._items = items
        expected = self._on(items, model.click_probability)
        hint = self._hint(expected, self.table[items, -1], trunk.shape.clicks)
        values = self._on(items, model.item_values)
        return {
            "probe_items": items, "probe_expected": expected, "probe_values": values, "hint": hint,
        }  # fmt: skip

    def filter_variance(self, trunk: Trunk, track: Track) -> dict[str, Tensor]:
        """The filter's variance of the items that were looked at."""
        if self._simulation.model.observed_only:
            return {}
        variance = self.table.new_zeros(len(track.request), 0)
        if trunk.filter is not None and self._probes:
            probed = trunk.with_one(self.table[self._items])
            variance = trunk.filter_variance(track, probed)
        return {"probe_variance": variance}

    def observed(self, trunk: Trunk, track: Track, slates: Tensor) -> dict[str, Tensor]:
        """Labels after a request of users who are known by what they do alone.

        The items shown stand for those that are looked at, and the feedback on them for what it
        was expected to be.

        Args:
            trunk: of the network that acted.
            track: before the request.
            slates: shown, `(users, slate)`.
        """
        if not self._simulation.model.observed_only:
            return {}
        items = slates if self._probes else slates[:, :0]
        feedback = _tensor(self._simulation.trials.feedback)[:, : items.shape[1]]
        variance = feedback[:, :0]
        if trunk.filter is not None and self._probes:
            variance = trunk.filter_variance(track, trunk.with_one(self.table[items]))
        return {
            "probe_items": items, "probe_expected": feedback, "probe_values": feedback,
            "probe_variance": variance,
        }  # fmt: skip

    def best_item(self, banned: Tensor | None, wanted: bool) -> Tensor:
        """The allowed item that is worth most, `(users,)`, or -1 where not wanted."""
        if not wanted:
            return torch.full((self._env.num_envs,), -1, device=self.table.device)
        simulation = self._simulation
        if isinstance(simulation, ForeignSimulation):
            return _tensor(simulation.best_items)
        expected = _tensor(simulation.model.item_values(simulation.state, simulation.catalogue))
        if banned is not None:
            expected = expected.masked_fill(banned, -torch.inf)
        return expected.argmax(1)

    def before(self, action: Any) -> None:
        """Note the hidden state and the slates that are about to be shown."""
        simulation = self._simulation
        self._before = simulation.state
        shown = simulation.shown
        repeats = simulation.xp.take_along_axis(shown, action, axis=1)
        self._slate = simulation.catalogue.show(action, repeats)

    def after(self, reward: Any, weights: Mapping[str, float] | None) -> tuple[Tensor, Tensor]:
        """Reward of the request, and the chance that the user is still there, `(users,)` each.

        Args:
            reward: that chance gave.
            weights: of rewards by name, to have it in expectation: clicks given the hidden state
                before them; losing the user, or seeing them again, given the clicks. Users who are
                known by what they do alone have no expectation: what chance gave stands.

        Raises:
            ValueError: if it is wanted in expectation and the users are not `NeverLost`.
        """
        if weights is None or self._simulation.model.observed_only:
            given = _tensor(reward).float()
            return given, torch.ones_like(given)
        model = self._simulation.model
        if not isinstance(model, NeverLost):
            raise ValueError(f"expected rewards need NeverLost users, got {type(model).__name__}")
        after = model.react(self._before, self._slate, self._simulation.trials.feedback)
        survival = _tensor(model.survival(after)).float()
        expected = weights.get("retention", 0.0) * (survival - 1)
        if "clicks" in weights:
            mean = _tensor(model.respond(self._before, self._slate).mean)
            expected = expected + weights["clicks"] * mean.sum(1)
        if "returns" in weights:
            returns = _tensor(model.leave(after)) + survival - 1
            expected = expected + weights["returns"] * returns
        return expected.float(), survival

    def _hint(self, expected: Tensor, quality: Tensor, clicks: bool) -> Tensor:
        state, model = self._simulation.state, self._simulation.model
        lost = NeverLost(model.model if isinstance(model, NeverLost) else model)
        losing = (100 * (1 - _tensor(lost.survival(state)).float())).clamp(max=5)
        keenness = best = torch.zeros_like(losing)
        if expected.shape[1]:
            logits = torch.logit(expected, 1e-6) if clicks else expected
            keenness, best = (logits - quality).mean(1), expected.amax(1)
        return torch.stack([keenness, best, losing], 1)

    def _on(self, items: Tensor, measure: Callable[[Any, Catalogue], Any]) -> Tensor:
        """What the model says of a few items, `(users, items)`."""
        simulation = self._simulation
        if not len(items):
            return self.table.new_zeros(self._env.num_envs, 0)
        whole = simulation.catalogue
        if len(self.table) <= SMALL:
            return _tensor(measure(simulation.state, whole)).float()[:, items]
        rows = items.numpy() if simulation.xp is np else items
        few = Catalogue(whole.features[rows], whole.topics[rows], whole.quality[rows])
        return _tensor(measure(simulation.state, few)).float()


def _tensor(array: Any) -> Tensor:
    if isinstance(array, np.ndarray):
        return torch.from_numpy(np.array(array) if not array.flags.writeable else array)
    tensor: Tensor = array
    return tensor
