"""LinUCB and its discounted form: linear bandits that learn each user from scratch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.agents.inputs import item_inputs, popular_weights
from driftrec.agents.memory import Memory, known, new_memory, top_unseen
from driftrec.agents.quadratic import QuadraticForms
from driftrec.envs import Catalogue
from driftrec.envs.arrays import Array
from driftrec.envs.observation import Observation


@dataclass(slots=True)
class LinUCBState:
    """Attributes are arrays with the user as first axis; D = d + topics + 2.

    Attributes:
        memory: what was shown.
        gram: discounted sum of x x' plus the ridge, `(users, D, D)`.
        squared: the same with the discount squared, for the width of the interval.
        response: discounted sum of x times (click - prior prediction), `(users, D)`.
    """

    memory: Memory
    gram: Array
    squared: Array
    response: Array


class LinUCB:
    r"""Ridge regression of clicks on item features for each user, acting by the upper bound.

    With x an item's features, topics, quality and a constant 1, and w0 the prior weights (0, but
    `quality_weight` on quality and 1/2 on the constant), the weights after clicks c_s on items
    x_s are

        w = w0 + V^-1 sum_s discount^(t-s) x_s (c_s - <w0, x_s>),
        V = ridge I + sum_s discount^(t-s) x_s x_s',

    and an item scores <w, x> + alpha sqrt(x' V^-1 U V^-1 x) with U as V but with the squared
    discount. Discount 1 is LinUCB (Li et al. 2010, algorithm 1, with one model for each user
    instead of each item); below 1 it is D-LinUCB (Russac, Vernade and Cappé 2019, algorithm 1).
    With alpha 0 it starts as `MostPopular`. The defaults are the best of a grid on the validation
    users of Feed-v0, where discounts of .99 to 1 do best.

    Args:
        catalogue: what can be shown.
        slate: items in a request.
        alpha: width of the interval.
        ridge: weight of the prior, in observations.
        discount: weight of the last click against the one after it, in (0, 1].
        quality_weight: click probability per logit of quality, before the first click.

    Raises:
        ValueError: if an option is out of range.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        slate: int = 1,
        *,
        alpha: float = 0.2,
        ridge: float = 20.0,
        discount: float = 1.0,
        quality_weight: float = 0.25,
    ) -> None:
        if alpha < 0 or not ridge > 0 or not 0 < discount <= 1:
            raise ValueError(
                "alpha must not be negative, ridge must be positive and discount in (0, 1], "
                f"got {alpha}, {ridge} and {discount}"
            )
        self._inputs = item_inputs(catalogue)
        self._prior = popular_weights(self._inputs, quality_weight)
        self._forms = QuadraticForms(self._inputs)
        self._slate = slate
        self._alpha = np.float32(alpha)
        self._ridge = (ridge * np.eye(self._inputs.shape[1])).astype(np.float32)
        self._discount = np.float32(discount)

    def start(self, users: int) -> LinUCBState:
        """The prior, and nothing shown yet."""
        ridge = np.tile(self._ridge, (users, 1, 1))
        return LinUCBState(
            memory=new_memory(users, len(self._inputs), self._slate),
            gram=ridge,
            squared=ridge.copy(),
            response=np.zeros((users, len(self._prior)), np.float32),
        )

    def act(self, observation: Observation, state: LinUCBState) -> tuple[Array, LinUCBState]:
        """The items of highest upper bound, `(users, slate)`, and the new state."""
        learned = self._learn(observation, state)
        items = top_unseen(self.scores(learned), state.memory.shown, self._slate)
        learned.memory = state.memory.after(items)
        return items, learned

    def predict(self, state: LinUCBState, items: Array) -> Array:
        """Click probability of `items`, float32 `(users, slate)`."""
        weights = self._prior + np.linalg.solve(state.gram, state.response[:, :, None])[:, :, 0]
        return np.clip(np.vecdot(self._inputs[items], weights[:, None, :]), 0, 1)

    def scores(self, state: LinUCBState) -> Array:
        """Upper bound of each item's click probability, `(users, items)`."""
        inverse = np.linalg.inv(state.gram)
        weights = self._prior + np.vecdot(inverse, state.response[:, None, :])
        scores = weights @ self._inputs.T
        if self._alpha:
            spread = inverse if self._discount == 1 else inverse @ state.squared @ inverse
            scores += self._alpha * np.sqrt(self._forms(spread))
        return scores

    def _learn(self, observation: Observation, state: LinUCBState) -> LinUCBState:
        """Add the last slate's clicks to the sums; a new user has none."""
        weight = known(observation)
        inputs = self._inputs[state.memory.last] * weight[:, None, None]
        outer = inputs.mT @ inputs
        news = observation["feedback"] - inputs @ self._prior
        kept = (1 - weight * (1 - self._discount))[:, None]
        return LinUCBState(
            memory=state.memory,
            gram=self._ridge + kept[:, None] * (state.gram - self._ridge) + outer,
            squared=self._ridge + kept[:, None] ** 2 * (state.squared - self._ridge) + outer,
            response=kept * state.response + np.vecdot(inputs.mT, news[:, None, :]),
        )
