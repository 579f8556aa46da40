"""The contract of a method: what takes part in a benchmark, with or without training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from driftrec.agents.policy import PolicyFactory
from driftrec.envs import Population

Size = Literal["smoke", "standard", "full"]
"""How much is trained and measured: smoke shows in seconds that all works."""

Family = Literal["reference", "bandit", "recommender", "deep-rl", "meta", "plug-in"]
"""Kinds of methods, as tables and the report group them."""


@dataclass(frozen=True)
class Method(ABC):
    """Gives a policy for the users of a population, learned from its training users or not.

    A method is a frozen dataclass of its settings, so that it can be pickled, compared and told
    apart by what it is made of.

    Attributes:
        name: in tables; unique in a benchmark.
        family: the kind of method.
        trains: whether `fit` does anything, so that training seeds differ.
        any_catalogue: whether it can serve other items than those it was trained on; False of what
            knows items by their numbers.
    """

    name: str
    family: Family

    trains: ClassVar[bool] = False
    any_catalogue: ClassVar[bool] = True

    def runs(self, seeds: int) -> int:
        """How many trainings take part where `seeds` are asked for; one of what does not train."""
        return seeds if self.trains else 1

    def unsuited(self, population: Population) -> str:
        """Why the method cannot serve these users, in words; empty where it can."""
        return ""

    def fit(
        self, population: Population, folder: Path, *, seed: int, size: Size
    ) -> Mapping[str, float]:
        """Learn, and leave in the folder all that `policy` needs.

        Only the users of `train` may be learnt from, and those of `validation` be chosen by. A
        call that was cut off is made again with the same folder, and goes on or begins anew; what
        it leaves must not depend on that.

        Args:
            population: whose `train` users to learn from.
            folder: exists, and is this training's own.
            seed: reproduces the training.
            size: how long to train.

        Returns:
            What it cost but the time, such as {"user_steps": 12000}.
        """
        return {}

    @abstractmethod
    def policy(self, folder: Path) -> PolicyFactory:
        """Makes policies from what `fit` left in the folder; can be pickled.

        The policy may serve another catalogue of as many features than the one trained on.

        Args:
            folder: of `fit`; not looked at where the method does not train.
        """

    @property
    def settings(self) -> dict[str, Any]:
        """All that a result depends on but the code: the fields, as JSON can hold them."""
        return {"method": type(self).__qualname__, **asdict(self)}
