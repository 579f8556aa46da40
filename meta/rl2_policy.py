"""The policy that RL² learns: it adapts to a user by its memory alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from driftrec.envs import Catalogue
from driftrec.envs.observation import Observation
from driftrec.meta.checkpoint import load_weights, read_checkpoint, write_checkpoint
from driftrec.meta.network import NetworkShape, RecurrentNetwork, network_inputs, recently_shown
from driftrec.meta.plackett_luce import best_slate, sample_slate

KIND = "rl2-policy"


@dataclass(slots=True)
class RL2State:
    """What the policy remembers of each user.

    Attributes:
        memory: of the network, `(users, hidden)`.
        request: requests so far in the trial, `(users,)`.
        recent: features of the items shown recently, `(users, width)`.
        shown: 1 where an item was shown, uint8 `(users, items)`.
    """

    memory: np.ndarray
    request: np.ndarray
    recent: np.ndarray
    shown: np.ndarray


@dataclass(frozen=True, eq=False)
class RL2Policy:
    """A recurrent policy on one catalogue.

    Attributes:
        network: the trained network.
        table: features, topics and quality of the items that can be shown, `(items, width)`.
        unseen_only: never show an item twice to a user, while there are others.
        greedy: show the most probable slate; else draw it.
        seed: of the draws.
        about: where the weights come from: population, config, iterations, validation score.

    Raises:
        ValueError: if the items have another number of features than the network was trained on.
    """

    network: RecurrentNetwork
    table: Tensor
    unseen_only: bool = True
    greedy: bool = True
    seed: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    rng: torch.Generator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        expected, got = self.network.shape.width, self.table.shape[1]
        if got != expected:
            raise ValueError(
                f"the policy was trained on items of {expected} features (features, topics and "
                f"quality together); this catalogue's have {got}"
            )
        object.__setattr__(self, "rng", torch.Generator().manual_seed(self.seed))

    def on(self, catalogue: Catalogue, slate: int | None = None) -> RL2Policy:
        """The same policy on another catalogue of as many features.

        Raises:
            ValueError: if the number of features, or of items in a request, differs.
        """
        ours = self.network.shape.slate
        if slate not in (None, ours):
            raise ValueError(
                f"the policy was trained to show {ours} item(s) a request, not {slate}"
            )
        return replace(self, table=torch.from_numpy(np.array(catalogue.table)))

    def start(self, users: int) -> RL2State:
        """The state for users of whom nothing is known."""
        return RL2State(
            self.network.start(users).numpy(),
            np.zeros(users, np.float32),
            np.zeros((users, self.network.shape.width), np.float32),
            np.zeros((users, len(self.table)), np.uint8),
        )

    @torch.no_grad()
    def act(self, observation: Observation, state: RL2State) -> tuple[np.ndarray, RL2State]:
        """Choose slates, `(users, slate)`."""
        request = torch.from_numpy(state.request)
        recent = recently_shown(observation, torch.from_numpy(state.recent))
        inputs = network_inputs(observation, request, recent, self.network.shape)
        known, memory = self.network.remember(inputs[None], torch.from_numpy(state.memory))
        logits = self.network.queries(known[0]) @ self.table.T
        slate = self.network.shape.slate
        if self.unseen_only:
            shown = torch.from_numpy(state.shown) > 0
            # As in training: where too few are left for a slate of new items, all can be shown.
            enough = (~shown).sum(1, keepdim=True) >= slate
            logits.masked_fill_(shown & enough, -torch.inf)
        chosen = best_slate(logits, slate) if self.greedy else sample_slate(logits, slate, self.rng)
        now_shown = state.shown.copy()
        np.put_along_axis(now_shown, chosen.numpy(), 1, axis=1)
        new = RL2State(memory.numpy(), state.request + 1, recent.numpy(), now_shown)
        return chosen.numpy(), new

    def save(self, path: str | Path) -> None:
        """Write weights and description as one safetensors file, atomically."""
        description = {
            "shape": asdict(self.network.shape),
            "unseen_only": self.unseen_only,
            "about": self.about,
        }
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        write_checkpoint(path, KIND, tensors | {"table": self.table}, description)


def load(path: str | Path, *, greedy: bool = True, seed: int = 0) -> RL2Policy:
    """Read a policy back, on the catalogue it was trained with; `on` gives it another.

    Args:
        path: of a file that `RL2Policy.save` wrote, or of the folder of a training run.
        greedy: show the most probable slate; else draw it.
        seed: of the draws.

    Raises:
        CheckpointError: if the file is missing, damaged or of another kind.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "policy.safetensors"
    tensors, description = read_checkpoint(path, KIND)
    shape = NetworkShape(**description["shape"])
    network = RecurrentNetwork(shape, torch.ones(shape.width))
    table = tensors.pop("table")
    weights = {name.removeprefix("network."): tensor for name, tensor in tensors.items()}
    load_weights(network, weights, path)
    return RL2Policy(
        network,
        table,
        unseen_only=description["unseen_only"],
        greedy=greedy,
        seed=seed,
        about=description["about"],
    )
