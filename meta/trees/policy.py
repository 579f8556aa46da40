"""The policy of boosted trees: statistics of the trial, candidates, trees, an upper bound."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from driftrec.agents.memory import top_unseen
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation
from driftrec.meta.checkpoint import check_finite, read_checkpoint, reading, write_checkpoint
from driftrec.meta.checks import check_observed
from driftrec.meta.trees.history import History, StatisticsConfig
from driftrec.meta.trees.ranker import Ranker
from driftrec.meta.trees.statistics import Statistics
from driftrec.meta.trees.texts import tensor_of, text_of

KIND = "trees-policy"

CATALOGUE = ("features", "topics", "quality")
"""What is kept of the catalogue."""


@dataclass(frozen=True, eq=False)
class TreesPolicy:
    """Shows the items of the highest score, or upper bound, among each user's candidates.

    Attributes:
        ranker: what was learnt.
        catalogue: what can be shown.
        slate: items in a request; the best ones, each scored as if it were alone.
        settings: which statistics the ranker reads.
        bonus: widths added to an item's score, 0 for greedy acting.
        candidates: items of a user that the trees look at, the best by the linear fit.
        unseen_only: never show an item twice to a user, while there are others.
        about: where it comes from: population, config, round, validation score.

    Raises:
        ValueError: if a bonus is asked for where no width was fitted, or the catalogue's items
            have another number of features than those that were learnt from.
    """

    ranker: Ranker
    catalogue: Catalogue
    slate: int = 1
    settings: StatisticsConfig = field(default_factory=StatisticsConfig)
    bonus: float = 0.0
    candidates: int = 40
    unseen_only: bool = True
    about: dict[str, Any] = field(default_factory=dict)
    statistics: Statistics = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "statistics", Statistics(self.settings, self.catalogue, self.slate)
        )
        names = self.statistics.names
        if len(names) != len(self.ranker.linear):
            raise ValueError(
                f"the trees were trained on rows of {len(self.ranker.linear)} columns; with this "
                f"catalogue's {self.catalogue.table.shape[1]} features (features, topics and "
                f"quality together) rows have {len(names)}"
            )
        if self.bonus < 0 or (self.bonus and self.ranker.members and not self.ranker.has_width):
            raise ValueError(
                f"a bonus must be positive, and needs trees trained with a quantile or several "
                f"members; got {self.bonus}"
            )

    def on(self, catalogue: Catalogue, slate: int | None = None) -> TreesPolicy:
        """The same policy on another catalogue of as many features.

        Raises:
            ValueError: if the number of features or topics differs.
        """
        ours = (self.catalogue.dimension, self.catalogue.topics.shape[1])
        theirs = (catalogue.dimension, catalogue.topics.shape[1])
        if ours != theirs:
            raise ValueError(
                f"the policy was trained on items of {ours[0]} features and {ours[1]} topics; this "
                f"catalogue's have {theirs[0]} and {theirs[1]}"
            )
        return replace(self, catalogue=catalogue, slate=self.slate if slate is None else slate)

    def start(self, users: int) -> History:
        """The state for users of whom nothing is known."""
        return self.statistics.start(users)

    def act(self, observation: Observation, state: History) -> tuple[Array, History]:
        """The best items, `(users, slate)`, and the new state.

        Raises:
            ValueError: if feedback or the time since is not finite.
        """
        check_observed(observation)
        history, pool, scores = self.rank(observation, state)
        banned = self.banned(observation, history)
        items = np.take_along_axis(pool, self.best(banned, pool, scores), axis=1)
        history.memory = history.memory.after(items)
        return items, history

    def rank(self, observation: Observation, state: History) -> tuple[History, Array, Array]:
        """What is known now, and each user's candidates with their scores.

        Returns:
            The history before anything is shown, items `(users, candidates)` and their scores.
        """
        statistics = self.statistics
        history = statistics.after(observation, state)
        users, both = statistics.of_users(observation, history), statistics.of_items(history)
        first = users.shape[1]
        item = self.ranker.linear[first : first + statistics.table.shape[1]]
        rest = self.ranker.linear[first + len(item) :]
        scores = np.tensordot(rest, both, 1) + statistics.table @ item
        size = min(max(self.candidates, self.slate), len(statistics.table))
        pool = top_unseen(scores, self.banned(observation, history), size)
        rows = statistics.rows(users, both, pool)
        flat = rows.reshape(-1, rows.shape[2])
        return history, pool, self.ranker.scores(flat, self.bonus).reshape(pool.shape)

    def best(self, banned: Array, pool: Array, scores: Array) -> Array:
        """Which of the candidates that `rank` gave are shown, int64 `(users, slate)`."""
        return top_unseen(scores, np.take_along_axis(banned, pool, axis=1), self.slate)

    def banned(self, observation: Observation, history: History) -> Array:
        """1 where an item is not shown while there are others, uint8 `(users, items)`.

        Where a slate is chosen among candidates, that is all but these.
        """
        shown = history.memory.shown
        if "offered" in observation:
            banned = np.ones_like(shown)
            np.put_along_axis(banned, observation["offered"], 0, axis=1)
            return banned
        return shown if self.unseen_only else np.zeros_like(shown)

    def predict(self, state: History, items: Array) -> Array:
        """Click probability of items, each as if it were shown alone, float32 `(users, n)`.

        It is that of the online regression among the statistics: the trees rank the items of a
        request, and say nothing of how likely a click is.

        Args:
            state: as `act` gave it back.
            items: numbers, `(users, n)`.
        """
        return self.statistics.chances(state, items)

    def save(self, path: str | Path) -> None:
        """Write model texts, catalogue and description as one safetensors file, atomically."""
        description = {
            "slate": self.slate,
            "settings": asdict(self.settings),
            "bonus": self.bonus,
            "candidates": self.candidates,
            "unseen_only": self.unseen_only,
            "about": self.about,
        }
        tensors = {"ranker": tensor_of(self.ranker.text())}
        for name in CATALOGUE:
            tensors[name] = torch.from_numpy(np.array(getattr(self.catalogue, name)))
        write_checkpoint(path, KIND, tensors, description)


def load(path: str | Path, *, bonus: float | None = None) -> TreesPolicy:
    """Read a policy back, on the catalogue it was trained with; `on` gives it another.

    Args:
        path: of a file that `TreesPolicy.save` wrote, or of the folder of a training run.
        bonus: how it acts, where not as it was trained.

    Raises:
        CheckpointError: if the file is missing, damaged or of another kind.
        ValueError: if a bonus is asked for where no width was fitted.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "policy.safetensors"
    tensors, description = read_checkpoint(path, KIND)
    with reading(path, "a ranker, a catalogue, and the options of a policy"):
        description["settings"] = StatisticsConfig(**description["settings"])
        features, topics, quality = (tensors[name].numpy() for name in CATALOGUE)
        ranker = Ranker.from_text(text_of(tensors["ranker"]))
        check_finite({"linear": torch.from_numpy(ranker.linear)}, path)
        found = TreesPolicy(ranker, Catalogue(features, topics, quality), **description)
    return found if bonus is None else replace(found, bonus=bonus)
