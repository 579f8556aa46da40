"""The planning oracle: knows the user, looks ahead, and so says what there is to gain by both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from driftrec.agents.memory import Memory, new_memory, top_unseen
from driftrec.envs import RecommendationVectorEnv, Simulation, Stream, UserModel
from driftrec.envs.arrays import Array, take, to_numpy
from driftrec.envs.candidates import Candidates
from driftrec.envs.observation import Observation
from driftrec.envs.wrapped_users import unwrapped

WINDOW = 5
"""Requests whose clicks are remembered."""

NEWS = 0.2
"""Weight of the latest look at what rules are worth."""

LATE = 1e3
"""What an item beyond the cap, or that rests, loses: more than any score, less than one that was
shown before and must not be again."""

RESTS = (1, 2, 4)
"""Requests for which rules let an item rest, where items are of one topic."""

FEW = 10
"""Items of which, where one is shown, each is tried first."""


@dataclass(frozen=True)
class Rule:
    """A way of making slates from what users would click now.

    An item scores p · exp(tilt · quality), where p is its expected feedback; the best are shown. Of
    one main topic there are at most `cap` in a slate, less the clicks on that topic in the last
    `window` requests, as long as there are other items.

    Attributes:
        tilt: towards quality, or away from it.
        cap: items of a topic in a slate; 0 for no bound.
        window: requests whose clicks count, up to `WINDOW`.
        clicks: most clicks that count, the last ones; 0 for all. Of a request some of whose clicks
            count, each topic's count in proportion.
        lasting: whether p is instead what showing the item is worth to who knows all
            (`UserModel.item_values`).
        rest: requests after one that showed an item, in which it comes after all others, up to
            the last of `RESTS`; slates must be of one item.
        keep: whether the item that was shown last comes first; likewise.
    """

    tilt: float = 0.0
    cap: int = 0
    window: int = 0
    clicks: int = 0
    lasting: bool = False
    rest: int = 0
    keep: bool = False


CAPS = {
    1: ((0, 0), (1, 1), (1, 3), (2, 5), (3, 5), (4, 5)),
    2: ((0, 0), (2, 0), (4, 1), (2, 3), (3, 3, 6), (4, 4, 8), (4, 4, 10)),
}
"""Caps, windows and most clicks for slates of one item, and of more."""


def default_rules(
    slate: int, quality: Array, mixed: bool = True, lasting: bool = False, turns: bool = False
) -> tuple[Rule, ...]:
    """Greedy slates, more and less mixed, and where items differ in quality, more and less of it.

    Args:
        slate: items in a request.
        quality: of the items, `(items,)`.
        mixed: whether slates are made from the whole catalogue, so that they can be mixed.
        lasting: whether the model says what items are worth beyond the feedback on them.
        turns: whether slates are of one item, which may be shown again, and items of one topic, so
            that they can take turns but not be mixed by topics.
    """
    tilts = (0.0,) if np.ptp(quality) == 0 else (0.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0)
    caps = CAPS[min(slate, 2)] if mixed and not turns else ((0, 0),)
    rules = tuple(Rule(tilt, *cap) for tilt in tilts for cap in caps)
    if turns:
        rules = (*rules, *(Rule(rest=rest) for rest in RESTS), Rule(keep=True))
    return (*rules, Rule(lasting=True)) if lasting else rules


@dataclass(slots=True)
class PlanState:
    """Attributes are arrays with the user as first axis.

    Attributes:
        memory: what was shown.
        clicks: on each topic in the last requests, the latest first, `(users, WINDOW, topics)`.
        recent: first items of the last slates, the latest first, -1 for none, `(users, rest)`.
        worth: what following each rule has promised, the latest news counting most,
            `(users, rules)`.
    """

    memory: Memory
    clicks: Array
    recent: Array
    worth: Array


class PlanningOracle:
    """Chooses among rules by playing each on in the users' own model, from their hidden state.

    At each request every rule is followed for `horizon` requests, which in the course of a trial
    tells the best rule for this user. Then every rule is tried for one slate, followed by the best;
    where one of few items is shown at a time, so is each item.
    If one of these plans is better for sure, its slate is shown, else that of the best rule
    (rollout: Bertsekas and Castañon 1999). All plans for a user meet the same luck, which is not
    that to come. In the model a session that ends goes on at once, and what follows counts by the
    chance that the user is not lost. What is reached is no upper bound.

    Where slates are made from candidates, those of later requests are imagined, and rules have no
    cap.

    Args:
        simulation: the users that it acts on, row by row (privileged), in numpy.
        horizon: requests to look ahead.
        rollouts: times that each rule is followed.
        sure: standard errors by which a plan must be better than the best rule.
        rules: those to choose among, and no item by itself; `default_rules` if left out.
        repeats: whether items may be shown again.
        quality: of the items, by which rules tilt, `(items,)`; the catalogue's if left out.
        seed: of the luck in its head, which is not that of the users.

    Raises:
        ValueError: if the simulation is not in numpy, there is nothing to choose among or to look
            ahead to, items arrive within the trial, a rule has a cap or is lasting where slates are
            made from candidates, or it lets items rest or keeps them where these do not recur.
    """

    def __init__(
        self,
        simulation: Simulation,
        *,
        horizon: int = 10,
        rollouts: int = 8,
        sure: float = 2.0,
        rules: Sequence[Rule] | None = None,
        repeats: bool = False,
        quality: Array | None = None,
        seed: int = 0,
    ) -> None:
        if simulation.xp is not np:
            raise ValueError("the planning oracle needs array_library='numpy', got torch")
        catalogue = simulation.catalogue
        quality = to_numpy(catalogue.quality) if quality is None else quality
        mixed = not simulation.candidates
        lasting = type(unwrapped(simulation.model)).item_values is not UserModel.item_values
        self._topic = to_numpy(catalogue.topic)
        alone = mixed and repeats and simulation.slate == 1
        turns = alone and not self._topic.any()
        chosen = (
            default_rules(simulation.slate, quality, mixed, lasting and mixed, turns)
            if rules is None
            else tuple(rules)
        )
        if horizon < 1 or rollouts < 1 or not chosen:
            raise ValueError(
                "horizon, rollouts and the number of rules must be at least 1, "
                f"got {horizon}, {rollouts} and {len(chosen)}"
            )
        if simulation.arrivals:
            raise ValueError("the planning oracle does not foresee which items will arrive")
        if simulation.candidates and any(rule.cap or rule.lasting for rule in chosen):
            raise ValueError(
                "rules must have a cap of 0 and not be lasting where not all items are offered"
            )
        if not alone and any(rule.rest or rule.keep for rule in chosen):
            raise ValueError(
                "rules can let items rest, or keep them, only where one item of all is shown at a "
                "time, again and again"
            )
        self._simulation = simulation
        self._horizon, self._rollouts, self._sure = horizon, rollouts, sure
        self._repeats = repeats
        tilts = np.array([rule.tilt for rule in chosen])[:, None] * quality
        # The same for all items, and so of no matter: it keeps scores of the size of feedback.
        self._tilt = np.exp(tilts - tilts.max(1, keepdims=True))
        self._caps = np.array([rule.cap for rule in chosen])
        self._lasting = np.array([rule.lasting for rule in chosen])
        self._windows = np.array([rule.window for rule in chosen])[:, None] > np.arange(WINDOW)
        self._clicks = np.array([rule.clicks or np.inf for rule in chosen])
        self._keep = np.array([rule.keep for rule in chosen])
        self._rest = np.array([rule.rest for rule in chosen])[:, None] > np.arange(RESTS[-1])
        items = len(catalogue)
        self._tried = np.arange(items) if alone and items <= FEW and rules is None else np.arange(0)
        self._of_topic = [
            np.flatnonzero(self._topic == one) for one in range(self._topic.max() + 1)
        ]
        self._stream = Stream(np.random.SeedSequence([0x504C414E, seed]))
        self._rng = np.random.default_rng([0x504C414E, seed])

    def start(self, users: int) -> PlanState:
        """Nothing shown yet, and no rule better than another."""
        memory = new_memory(users, len(self._simulation.catalogue), self._simulation.slate)
        clicks = np.zeros((users, WINDOW, len(self._of_topic)), np.float32)
        recent = np.full((users, RESTS[-1]), -1)
        return PlanState(memory, clicks, recent, np.zeros((users, len(self._caps))))

    def act(self, observation: Observation, state: PlanState) -> tuple[Array, PlanState]:
        """The first slate of the best plan, `(users, slate)`, and the new state."""
        users, rules = state.worth.shape
        clicks = self._remember(state.clicks, state.memory.last, observation["feedback"])
        state = PlanState(state.memory, clicks, state.recent, state.worth)
        first = np.broadcast_to(np.arange(rules), (users, rules))
        slates, worth = self._follow(state, first, first)
        known = state.worth + NEWS * (worth.mean(2) - state.worth)
        rows, best = np.arange(users), known.argmax(1)
        items = slates[rows, best]
        plans = rules + len(self._tried)
        if plans > 1:
            first = np.broadcast_to(np.arange(plans), (users, plans))
            then = np.broadcast_to(best[:, None], first.shape)
            slates, worth = self._follow(state, first, then)
            gain = worth - worth[rows, best][:, None]
            # Pooled over users: a rare loss need not be among the luck of each.
            error = gain.std(2).mean(0) / max(self._rollouts - 1, 1) ** 0.5
            surely = gain.mean(2) - self._sure * error
            surely[rows, best] = 0
            items = slates[rows, surely.argmax(1)]
        recent = _after(state.recent, items)
        return items, PlanState(state.memory.after(items), clicks, recent, known)

    def _follow(self, state: PlanState, first: Array, then: Array) -> tuple[Array, Array]:
        """Follow plans: one slate by one rule, then another rule.

        Args:
            state: what was shown and clicked.
            first: rules, `(users, plans)`; beyond them are the items that are tried.
            then: rules, likewise.

        Returns:
            First slates, `(users, plans, slate)`, and what the plans earn, `(users, plans,
            rollouts)`.
        """
        simulation, rollouts = self._simulation, self._rollouts
        users, plans = first.shape
        rows = np.repeat(np.arange(users), plans * rollouts)
        hidden, shown = take(to_numpy(simulation.state), rows), state.memory.shown[rows]
        clicks, recent = state.clicks[rows], state.recent[rows]
        left = simulation.max_requests - to_numpy(simulation.trials.request)[rows]
        worth, alive = np.zeros(len(rows)), np.ones(len(rows))
        luck = _SharedLuck(self._stream, users, plans, rollouts)
        offers = self._offers(users, plans)
        slates: list[Array] = []
        for ahead in range(min(self._horizon, int(left.max()))):
            rule = np.repeat((then if ahead else first).ravel(), rollouts)
            banned = np.zeros_like(shown) if self._repeats else shown
            items = (
                self._slates(hidden, banned, clicks, recent, rule)
                if simulation.offered is None
                else self._chosen(hidden, next(offers), rule)
            )
            slates = slates or [items]
            hidden, feedback, reward, kept = self._try(hidden, items, shown, luck)
            clicks, recent = self._remember(clicks, items, feedback), _after(recent, items)
            worth += alive * reward * (ahead < left)
            alive = alive * kept
            np.put_along_axis(shown, items, 1, axis=1)
        return (
            slates[0].reshape(users, plans, rollouts, -1)[:, :, 0],
            worth.reshape(users, plans, rollouts),
        )

    def _offers(self, users: int, plans: int) -> Iterator[Array]:
        """Candidates of each request ahead: those of now, then others, the same for all plans."""
        simulation, rollouts = self._simulation, self._rollouts
        if simulation.offered is None:
            return
        yield np.repeat(to_numpy(simulation.offered), plans * rollouts, axis=0)
        imagined = Candidates(
            self._rng, users * rollouts, len(simulation.catalogue), simulation.candidates
        )
        while True:
            drawn = imagined.draw().reshape(users, 1, rollouts, -1)
            yield np.repeat(drawn, plans, axis=1).reshape(users * plans * rollouts, -1)

    def _chosen(self, hidden: Any, offered: Array, rule: Array) -> Array:
        """The best candidates, whose click probabilities are those of one large slate."""
        none = np.zeros(offered.shape, np.uint8)
        slate = self._simulation.catalogue.show(offered, none)
        chance = self._simulation.model.respond(hidden, slate).mean
        scores = chance * self._tilt[rule[:, None], offered]
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self._simulation.slate]
        return np.take_along_axis(offered, best, axis=1)

    def _slates(
        self, hidden: Any, banned: Array, clicks: Array, recent: Array, rule: Array
    ) -> Array:
        """Slates by rule; a number beyond the rules is that of an item that is tried."""
        tried = rule - len(self._caps)
        if tried.max() >= 0:
            items = self._slates(hidden, banned, clicks, recent, np.where(tried >= 0, 0, rule))
            return np.where(tried[:, None] >= 0, self._tried[tried.clip(0)][:, None], items)
        model, catalogue = self._simulation.model, self._simulation.catalogue
        counted = self._windows[rule] * _share_of_last(clicks.sum(2), self._clicks[rule])
        clicked = (clicks * counted[:, :, None]).sum(1)
        caps = np.where(self._caps[rule] == 0, np.inf, self._caps[rule])[:, None] - clicked
        worth = to_numpy(model.click_probability(hidden, catalogue))
        lasting = self._lasting[rule][:, None]
        if lasting.any():
            worth = np.where(lasting, to_numpy(model.item_values(hidden, catalogue)), worth)
        scores = worth * self._tilt[rule]
        if self._keep.any() or self._rest.any():
            rows = np.arange(len(rule))[:, None]
            moved = LATE * (self._keep[rule][:, None] * (np.arange(recent.shape[1]) == 0))
            moved = moved - LATE * self._rest[rule]
            np.add.at(scores, (rows, recent), moved * (recent >= 0))
        slate = self._simulation.slate
        # The best of each topic, of which those beyond the cap come after all others.
        pools, ranked = [], []
        for topic, items in enumerate(self._of_topic):
            best = items[top_unseen(scores[:, items], banned[:, items], min(slate, len(items)))]
            late = np.arange(best.shape[1]) >= caps[:, topic, None]
            pools.append(best)
            ranked.append(np.take_along_axis(scores, best, axis=1) - LATE * late)
        pool, rank = np.concatenate(pools, axis=1), np.concatenate(ranked, axis=1)
        seen = np.take_along_axis(banned, pool, axis=1)
        return np.take_along_axis(pool, top_unseen(rank, seen, slate), axis=1)

    def _try(
        self, hidden: Any, items: Array, shown: Array, luck: Any
    ) -> tuple[Any, Array, Array, Array]:
        """A request in the model: state, feedback, its expectation, chance of staying."""
        model = self._simulation.model
        slate = self._simulation.catalogue.show(items, np.take_along_axis(shown, items, axis=1))
        answer = model.respond(hidden, slate)
        feedback = answer.draw(luck)
        after = model.react(hidden, slate, feedback)
        lost = model.leave(after) * model.return_after(after).never
        pause = np.full(len(items), model.seconds_per_request / 86400, np.float32)
        return model.drift(after, pause, luck), feedback, answer.mean.sum(1), 1 - lost

    def _remember(self, clicks: Array, items: Array, feedback: Array) -> Array:
        topics = np.arange(clicks.shape[2])
        news = ((feedback > 0)[:, :, None] & (self._topic[items][:, :, None] == topics)).sum(1)
        return np.concatenate([news[:, None], clicks[:, :-1]], axis=1, dtype=np.float32)


def _share_of_last(clicks: Array, most: Array) -> Array:
    """Of the clicks of each request, `(rows, requests)`, the share that is among the last `most`.

    Args:
        clicks: the latest request first.
        most: clicks that count, `(rows,)`.
    """
    before = np.cumsum(clicks, axis=1) - clicks
    shares: Array = np.clip((most[:, None] - before) / np.maximum(clicks, 1), 0, 1)
    return shares


def _after(recent: Array, items: Array) -> Array:
    return np.concatenate([items[:, :1], recent[:, :-1]], axis=1)


def planning_oracle(env: RecommendationVectorEnv, **options: Any) -> PlanningOracle:
    """A `PlanningOracle` for an environment: a `PolicyFactory`, with options bound by `partial`.

    Rules tilt by the model's `hidden_quality`, `(items,)`, where it has one.
    """
    simulation = env.simulation
    options = {"quality": getattr(simulation.model, "hidden_quality", None)} | options
    return PlanningOracle(simulation, repeats=env.population.repeats, **options)


class _SharedLuck:
    """Draws that all plans of a user share, in rows of users, plans and rollouts."""

    def __init__(self, stream: Stream, users: int, plans: int, rollouts: int) -> None:
        self._stream = stream
        self._sizes = users, plans, rollouts

    def normal(self, *shape: int) -> Array:
        return self._spread(self._stream.normal, shape)

    def uniform(self, *shape: int) -> Array:
        return self._spread(self._stream.uniform, shape)

    def logistic(self, *shape: int) -> Array:
        return self._spread(self._stream.logistic, shape)

    def _spread(self, draw: Callable[..., Array], shape: tuple[int, ...]) -> Array:
        users, plans, rollouts = self._sizes
        drawn = draw(users * rollouts, *shape[1:]).reshape(users, 1, rollouts, *shape[1:])
        return np.repeat(drawn, plans, axis=1).reshape(shape)
