"""The Bayesian filter that knows the true model: the reference that learners are measured by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftrec.agents.belief import Belief, absorb, predict, sample
from driftrec.agents.filter_model import FilterModel
from driftrec.agents.memory import Memory, elapsed_days, known, new_memory, top_unseen
from driftrec.agents.quadratic import QuadraticForms
from driftrec.envs.arrays import Array, sigmoid
from driftrec.envs.observation import Observation

ACTING = ("greedy", "thompson", "ucb")


@dataclass(slots=True)
class FilterState:
    """Attributes are arrays with the user as first axis.

    Attributes:
        memory: what was shown.
        belief: about the user's hidden state now.
        recent: exposures to each topic, faded by time, `(users, topics)`.
        log_likelihood: of all clicks and skips so far, as predicted one by one, `(users,)`.
    """

    memory: Memory
    belief: Belief
    recent: Array
    log_likelihood: Array


class BayesFilter:
    """Keeps a Gaussian belief about each user by the true model, and acts on it.

    Where there is much to explore a bonus of 1 to 1.5 is best (long trials, few items, slow
    drift); on the validation users of Feed-v0 bonuses from 0 (greedy) to 1.5 differ by .002 in
    click-through, the lower the better.

    Args:
        model: the users, as a linear-Gaussian state.
        slate: items in a request.
        acting: "greedy" shows the highest expected logits, "thompson" the best for a draw of the
            user from the belief, "ucb" the highest mean + bonus * standard deviation of the logit.
        bonus: of "ucb", in standard deviations.
        width: of "thompson": standard deviation of the draws, in those of the belief.
        seed: of the draws of "thompson".

    Raises:
        ValueError: if `acting` is another word, or `bonus` or `width` is negative.
    """

    def __init__(
        self,
        model: FilterModel,
        slate: int = 1,
        *,
        acting: str = "greedy",
        bonus: float = 1.0,
        width: float = 1.0,
        seed: int = 0,
    ) -> None:
        if acting not in ACTING:
            raise ValueError(f"acting must be one of {', '.join(ACTING)}; got {acting!r}")
        for option, value in (("bonus", bonus), ("width", width)):
            if not value >= 0:
                raise ValueError(f"{option} must not be negative, got {value}")
        self._model = model
        self._slate = slate
        self._acting = acting
        self._bonus, self._width = np.float32(bonus), np.float32(width)
        self._rng = np.random.default_rng([0x46494C54, seed])
        self._slots = np.float32(model.slot_bias) * np.arange(slate)
        self._forms = QuadraticForms(model.loadings)

    def start(self, users: int) -> FilterState:
        """The prior, and nothing shown yet."""
        model = self._model
        return FilterState(
            memory=new_memory(users, len(model.loadings), self._slate),
            belief=Belief(
                np.tile(model.prior_mean, (users, 1)),
                np.tile(model.prior_covariance, (users, 1, 1)),
            ),
            recent=np.zeros((users, model.topics.shape[1]), np.float32),
            log_likelihood=np.zeros(users, np.float32),
        )

    def act(self, observation: Observation, state: FilterState) -> tuple[Array, FilterState]:
        """The items of the highest scores, `(users, slate)`, and the new state."""
        learned = self.watch(observation, state)
        items = top_unseen(self.scores(learned), state.memory.shown, self._slate)
        learned.memory = state.memory.after(items)
        return items, learned

    def watch(self, observation: Observation, state: FilterState) -> FilterState:
        """What is known now, before anything is chosen: `memory` is still that of `state`."""
        return self._pass_time(observation, self._learn(observation, state))

    def predict(self, state: FilterState, items: Array) -> Array:
        """Click probability of `items`, the last slate, float32 `(users, slate)`.

        A logistic function of a Gaussian logit has about the mean sigmoid(m / sqrt(1 + pi v / 8))
        (MacKay 1992, "The evidence framework applied to classification networks", equation 10).
        """
        loadings, belief = self._model.loadings[items], state.belief
        logit = np.vecdot(loadings, belief.mean[:, None, :]) + self._offsets(state, items)
        variance = np.vecdot(loadings @ belief.covariance, loadings)
        return sigmoid(logit / np.sqrt(1 + np.float32(np.pi / 8) * variance))

    def scores(self, state: FilterState) -> Array:
        """What each item is worth to the policy now, in logits, `(users, items)`."""
        model, belief = self._model, state.belief
        mean = belief.mean
        if self._acting == "thompson":
            normal = self._rng.standard_normal(mean.shape, dtype=np.float32)
            mean = mean + self._width * (sample(belief, normal) - mean)
        scores = mean @ model.loadings.T + model.offsets
        if model.satiation:
            scores -= (model.satiation * state.recent) @ model.topics.T
        if self._acting == "ucb" and self._bonus:
            scores += self._bonus * np.sqrt(self._forms(belief.covariance))
        return scores

    def _learn(self, observation: Observation, state: FilterState) -> FilterState:
        """Take in the feedback on the last slate, slot by slot; a new user has none."""
        model, weight, items = self._model, known(observation), state.memory.last
        offsets = self._offsets(state, items)
        belief, seen = state.belief, state.log_likelihood
        for slot in range(self._slate):
            loading, clicked = model.loadings[items[:, slot]], observation["feedback"][:, slot]
            belief, chance = absorb(belief, loading, offsets[:, slot], clicked, weight)
            seen = seen + chance
        if model.influence:
            belief = self._influenced(belief, items, observation["feedback"])
        recent = state.recent
        if model.satiation:
            recent = recent + weight[:, None] * model.topics[items].sum(1)
        return FilterState(state.memory, belief, recent, seen)

    def _offsets(self, state: FilterState, items: Array) -> Array:
        """What is known for sure of the logits of the last slate, `(users, slate)`."""
        model, repeats = self._model, state.memory.repeats
        offsets = model.offsets[items] + self._slots - model.repeat_penalty * repeats
        if model.satiation:
            sated = np.vecdot(model.topics[items], state.recent[:, None, :])
            offsets = offsets - model.satiation * sated
        return offsets.astype(np.float32)

    def _influenced(self, belief: Belief, items: Array, feedback: Array) -> Belief:
        """Clicks have moved the state: an affine map of it."""
        model = self._model
        share = model.influence * feedback
        kept = 1 - share.sum(1)[:, None] * model.pulled
        moved = np.vecdot(model.pull[items].mT, share[:, None, :])
        both = kept[:, :, None] * kept[:, None, :]
        return Belief(kept * belief.mean + moved, both * belief.covariance)

    def _pass_time(self, observation: Observation, state: FilterState) -> FilterState:
        """Let the time since the last request pass."""
        model, days = self._model, elapsed_days(observation)[:, None]
        belief = predict(state.belief, model.prior, np.exp(-days * model.rates))
        recent = np.exp(-days * np.float32(model.satiation_rate)) * state.recent
        return FilterState(state.memory, belief, recent, state.log_likelihood)
