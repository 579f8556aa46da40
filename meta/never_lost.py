"""Users who always come back, for training on the risk of losing them instead of the loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from driftrec.envs import Population, ReturnGap
from driftrec.envs.arrays import Array, as_float32
from driftrec.envs.wrapped_users import WrappedUsers


@dataclass(frozen=True, eq=False)
class NeverLost(WrappedUsers):
    """The users of another model, except that no session is their last by chance.

    Training weighs what comes later by the chance that the user would still be there
    (`survival`), which is the same problem: but one in which chance does not decide who is lost,
    and few users of a batch are idle. Who is lost for sure is lost.

    Attributes:
        model: how the users behave otherwise.
    """

    def survival(self, state: Any) -> Array:
        """Chance that a user is not lost now, after a request, `(users,)`."""
        return 1 - self.model.leave(state) * self.model.return_after(state).never

    def return_after(self, state: Any) -> ReturnGap:
        """The model's gap, given that the user returns, unless that is out of the question."""
        law = self.model.return_after(state)
        lost = as_float32(self.model.leave(state) * law.never >= 1)
        return replace(law, never=law.never * lost)


def never_lost(population: Population) -> Population:
    """The population with every user coming back who may, in all splits.

    Users who are known by what they do alone stay as they are: nobody knows the risk.
    """
    if population.model.observed_only:
        return population
    variants = {
        name: (NeverLost(model), catalogue)
        for name, (model, catalogue) in population.variants.items()
    }
    return replace(population, model=NeverLost(population.model), variants=variants)
