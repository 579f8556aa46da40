"""Users who always come back, for training on the risk of losing them instead of the loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from driftrec.envs import Population, ReturnGap
from driftrec.envs.arrays import Array
from driftrec.envs.wrapped_users import WrappedUsers


@dataclass(frozen=True, eq=False)
class NeverLost(WrappedUsers):
    """The users of another model, except that a session never is their last.

    Training weighs what comes later by the chance that the user would still be there
    (`survival`), which is the same problem: but one in which chance does not decide who is lost,
    and no user of a batch is idle.

    Attributes:
        model: how the users behave otherwise.
    """

    def survival(self, state: Any) -> Array:
        """Chance that a user is not lost now, after a request, `(users,)`."""
        return 1 - self.model.leave(state) * self.model.return_after(state).never

    def return_after(self, state: Any) -> ReturnGap:
        """The model's gap, given that the user returns."""
        law = self.model.return_after(state)
        return replace(law, never=law.never * 0)


def never_lost(population: Population) -> Population:
    """The population with every user coming back, in all splits."""
    variants = {
        name: (NeverLost(model), catalogue)
        for name, (model, catalogue) in population.variants.items()
    }
    return replace(population, model=NeverLost(population.model), variants=variants)
