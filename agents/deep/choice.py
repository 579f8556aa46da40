"""The value of a slate from the values of its items, and the best slate: SlateQ's two formulas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.envs.arrays import Array

ROUNDS = 30
"""Most rounds of the search for the best slate, which takes three or four as a rule."""


@dataclass(frozen=True, eq=False)
class ItemValues:
    """What is known of every item for each user.

    Attributes:
        worth: what follows if the item is consumed, `(users, items)`.
        appeal: weight of its being consumed, positive, `(users, items)`.
        nothing_worth: what follows if no item of the slate is, `(users,)`.
        nothing_appeal: weight of that: 1, or 0 where an item always is.
    """

    worth: Array
    appeal: Array
    nothing_worth: Array
    nothing_appeal: float


def choice_probabilities(values: ItemValues, slates: Array) -> Array:
    """Probability that each item of a slate is consumed, `(users, slate)`.

    The conditional logit of Ie et al. (2019, section 4.2): appeal over the sum of the slate's
    appeals and that of nothing.
    """
    appeal = np.take_along_axis(values.appeal, slates, axis=1)
    share: Array = appeal / (appeal.sum(1, keepdims=True) + values.nothing_appeal)
    return share


def slate_values(values: ItemValues, slates: Array) -> Array:
    """Q(s, A) = sum over i in A, and nothing, of P(i | s, A) Q(s, i), `(users,)` (equation 8)."""
    chance = choice_probabilities(values, slates)
    worth = np.take_along_axis(values.worth, slates, axis=1)
    found: Array = (chance * worth).sum(1) + (1 - chance.sum(1)) * values.nothing_worth
    return found


def best_slates(values: ItemValues, banned: Array, slate: int) -> Array:
    """The slates of highest value, `(users, slate)`: exact, not greedy.

    The value is a ratio of sums. Dinkelbach (1967) finds its maximum: for a guess of the value the
    best slate has the items of highest appeal times (worth - guess), and its own value is the next
    guess. From the second on, which some slate has, guesses never fall and stop at the maximum. Ie
    et al. (2019, section 5.1) solve the same problem as a linear programme.

    Args:
        values: of all items.
        banned: 1 where an item may not be shown, `(users, items)`. Where too few are left, all may.
        slate: items in a request.
    """
    enough = banned.shape[1] - banned.sum(1, keepdims=True, dtype=np.int64) >= slate
    banned = (banned > 0) & enough
    if slate == 1:
        return _value_alone(values, banned).argmax(1)[:, None]
    guess = values.nothing_worth
    for number in range(ROUNDS):
        gain = np.where(banned, -np.inf, values.appeal * (values.worth - guess[:, None]))
        found = np.argpartition(-gain, slate - 1, axis=1)[:, :slate]
        order = np.argsort(-np.take_along_axis(gain, found, axis=1), axis=1, kind="stable")
        found = np.take_along_axis(found, order, axis=1)
        reached = slate_values(values, found)
        if number and (reached <= guess + 1e-6 * np.abs(guess)).all():
            break
        guess = reached
    return found


def _value_alone(values: ItemValues, banned: Array) -> Array:
    """Values of slates of one item, minus infinity for banned ones, `(users, items)`."""
    nothing = values.nothing_appeal * values.nothing_worth[:, None]
    value = (values.appeal * values.worth + nothing) / (values.appeal + values.nothing_appeal)
    return np.where(banned, -np.inf, value)
