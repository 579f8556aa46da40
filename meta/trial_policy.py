"""Policies that adapt to a user by the memory of a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from driftrec.envs import Catalogue
from driftrec.envs.observation import Observation
from driftrec.meta.checkpoint import (
    check_finite,
    load_weights,
    read_checkpoint,
    reading,
    write_checkpoint,
)
from driftrec.meta.checks import check_observed
from driftrec.meta.network import TrialNetwork
from driftrec.meta.plackett_luce import best_slate, sample_slate
from driftrec.meta.rollout import not_offered
from driftrec.meta.track import NetworkShape, Track

P = TypeVar("P", bound="TrialPolicy")


@dataclass(slots=True)
class TrialState:
    """What the policy remembers of each user: a `Track`, what it knew last, and what was shown.

    Attributes:
        memory: of the network, `(users, size)`.
        request: requests so far in the trial, `(users,)`.
        recent: features of the items shown recently, `(users, width)`.
        mean: of the filter's belief, `(users, D)`; D is 0 without a filter.
        covariance: of the filter's belief, `(users, D, D)`.
        context: public one before the last request, `(users, c)`.
        known: what was known before the last request, `(users, known)`; zeros at first.
        shown: 1 where an item was shown, uint8 `(users, items)`.
    """

    memory: np.ndarray
    request: np.ndarray
    recent: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    context: np.ndarray
    known: np.ndarray
    shown: np.ndarray


@dataclass(frozen=True, eq=False)
class TrialPolicy(ABC):
    """A network with memory on one catalogue.

    Attributes:
        network: the trained network.
        table: features, topics and quality of the items that can be shown, `(items, width)`.
        unseen_only: never show an item twice to a user, while there are others.
        acting: how scores become a slate; see `actings`.
        bonus: of "ucb", in standard deviations.
        seed: of the draws.
        about: where the weights come from: population, config, iterations, validation score.
        options: attributes that a checkpoint holds beside weights and items.
        of_items: tensors that it holds of the items.
        actings: the ways of acting that this kind of policy has.
        kind: names its checkpoints.

    Raises:
        ValueError: if the items have another number of features than the network was trained on,
            or there is no such way of acting.
    """

    network: Any
    table: Tensor
    unseen_only: bool = True
    acting: str = "greedy"
    bonus: float = 1.0
    seed: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    rng: torch.Generator = field(init=False, repr=False)

    kind: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ("unseen_only", "acting", "bonus", "about")
    of_items: ClassVar[tuple[str, ...]] = ("table",)
    actings: ClassVar[tuple[str, ...]] = ("greedy", "sample")

    def __post_init__(self) -> None:
        expected, got = self.network.shape.width, self.table.shape[1]
        if got != expected:
            raise ValueError(
                f"the policy was trained on items of {expected} features (features, topics and "
                f"quality together); this catalogue's have {got}"
            )
        if self.acting not in self.actings:
            raise ValueError(
                f"acting must be one of {', '.join(self.actings)}; got {self.acting!r}"
            )
        rng = torch.Generator(self.table.device).manual_seed(self.seed)
        object.__setattr__(self, "rng", rng)

    @abstractmethod
    def scores(self, known: Tensor, track: Track) -> Tensor:
        """What each item is worth now, `(users, items)`."""

    def slates(self, scores: Tensor) -> Tensor:
        """What is shown by these scores, minus infinity for what must not be, `(users, slate)`."""
        slate = self.network.shape.slate
        if self.acting == "sample":
            return sample_slate(scores, slate, self.rng)
        return best_slate(scores, slate)

    def on(self: P, catalogue: Catalogue, slate: int | None = None) -> P:
        """The same policy on another catalogue of as many features.

        Raises:
            ValueError: if the number of features, or of items in a request, differs.
        """
        ours = self.network.shape.slate
        if slate not in (None, ours):
            raise ValueError(
                f"the policy was trained to show {ours} item(s) a request, not {slate}"
            )
        table = torch.as_tensor(np.array(catalogue.table), device=self.table.device)
        return replace(self, table=table)

    def start(self, users: int) -> TrialState:
        """The state for users of whom nothing is known."""
        shown = np.zeros((users, len(self.table)), np.uint8)
        known = np.zeros((users, self.network.trunk.known), np.float32)
        return _state(self.network.start(users), known, shown)

    @torch.no_grad()
    def act(self, observation: Observation, state: TrialState) -> tuple[np.ndarray, TrialState]:
        """Choose slates, `(users, slate)`.

        Raises:
            ValueError: if feedback or the time since is not finite: it would stay in the memory.
        """
        check_observed(observation)
        device = self.table.device
        track = Track(
            *(torch.as_tensor(getattr(state, item.name), device=device) for item in fields(Track))
        )
        # A memory may be written into, and the state is not ours to change.
        track.memory = track.memory.clone()
        _, known, track = self.network.know(observation, track)
        scores = self.scores(known, track)
        if "offered" in observation:
            offered = torch.as_tensor(observation["offered"], device=device)
            scores.masked_fill_(not_offered(offered, len(self.table)), -torch.inf)
        elif self.unseen_only:
            shown = torch.as_tensor(state.shown, device=device) > 0
            # As in training: where too few are left for a slate of new items, all can be shown.
            enough = (~shown).sum(1, keepdim=True) >= self.network.shape.slate
            scores.masked_fill_(shown & enough, -torch.inf)
        items = self.slates(scores).cpu().numpy()
        now_shown = state.shown.copy()
        np.put_along_axis(now_shown, items, 1, axis=1)
        return items, _state(track, known.cpu().numpy(), now_shown)

    def save(self, path: str | Path) -> None:
        """Write weights and description as one safetensors file, atomically."""
        description = {
            "shape": asdict(self.network.shape),
            "network": self.network.options,
            **{name: getattr(self, name) for name in self.options},
        }
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        items = {name: getattr(self, name) for name in self.of_items}
        known = {name: tensor for name, tensor in items.items() if tensor is not None}
        write_checkpoint(path, self.kind, tensors | known, description)


def _state(track: Track, known: np.ndarray, shown: np.ndarray) -> TrialState:
    arrays = {item.name: getattr(track, item.name).cpu().numpy() for item in fields(Track)}
    return TrialState(**arrays, known=known, shown=shown)


def load_trial_policy(
    policy: type[P],
    path: str | Path,
    build: Callable[[NetworkShape, Tensor, dict[str, Any]], TrialNetwork],
    **options: Any,
) -> P:
    """Read a policy back, on the catalogue it was trained with; `on` gives it another.

    Args:
        policy: its class.
        path: of a file that `TrialPolicy.save` wrote.
        build: makes a network of a shape, a feature scale, and the network's own options.
        options: how it acts, in place of what was saved: `acting`, `bonus`, `seed`.

    Raises:
        CheckpointError: if the file is missing, damaged or of another kind.
    """
    tensors, description = read_checkpoint(path, policy.kind)
    with reading(path, "shape, network and options of a policy, and a table"):
        shape = NetworkShape(**description["shape"])
        network = build(shape, torch.ones(shape.width), description["network"])
        names = [name for name in policy.of_items if name in tensors]
        items: dict[str, Any] = {name: tensors.pop(name) for name in names}
        check_finite(items, path)
        weights = {name.removeprefix("network."): tensor for name, tensor in tensors.items()}
        load_weights(network, weights, path)
        saved = {name: description[name] for name in policy.options if name in description}
        found = policy(network, **items, **saved)
    return replace(found, **options)
