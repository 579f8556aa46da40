"""A story for one size of batch, compiled once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from driftrec.envs.recsim_ng.draws import NOT_GIVEN, draws, refuse_hidden_draws
from driftrec.envs.recsim_ng.layout import Layout
from driftrec.envs.recsim_ng.library import library
from driftrec.envs.recsim_ng.story import Story
from driftrec.envs.recsim_ng.wiring import (
    AGENT,
    CHANCES,
    CORPUS,
    DOCUMENTS,
    METRICS,
    OBSERVATION,
    RESPONSE,
    USER,
    Values,
    connect,
)

REWARD = "reward"


class Program:
    """A story as three functions of numpy arrays, for one number of users and one size of slate.

    Each is traced when it is first called, and never again: it takes tensors of the shapes it was
    traced with, and no others.

    Args:
        story: what happens.
        users: size of the batch.
        slate: documents shown in a request.
        frozen: values of corpus and documents where they never change.
        seed: of what the entities draw when they are made.
        compiled: whether TensorFlow compiles the functions; if not, they run line by line, which is
            slower and easier to debug.

    Attributes:
        traces: how often each function was traced, by its name.
        people: where the users' fields lie: hidden state, metrics and what is public of them.
        world: where the fields lie that all users share: corpus and documents, if they change.
        response: where the fields of the response lie.
    """

    def __init__(
        self,
        story: Story,
        users: int,
        slate: int,
        *,
        frozen: Values | None,
        seed: int,
        compiled: bool = True,
    ) -> None:
        self.traces: Counter[str] = Counter()
        self.people: Layout
        self.world: Layout
        self.response: Layout
        self.users, self.slate = users, slate
        self._story, self._frozen, self._compiled = story, frozen, compiled
        self._functions: dict[str, Callable[..., Any]] = {}
        with story.bound(), draws(library().tf.constant([seed, 0]), "entities"):
            self._cast = story.cast(users, slate)
        # The first run says what there is, and where it lies.
        self._run(self._start, np.zeros(2, np.int32))

    @property
    def reward_range(self) -> tuple[float, float]:
        """The lowest and the highest reward, as the metrics' spec says; 0 and 1 without metrics."""
        if self._cast.metrics is None:
            return 0.0, 1.0
        space = self._cast.metrics.specs().get("state").get(REWARD).space
        return float(np.min(space.low)), float(np.max(space.high))

    def start(self, seed: np.ndarray) -> list[np.ndarray]:
        """New users: floats and integers of `people`, then those of `world`.

        Args:
            seed: int32 `(2,)`.
        """
        return self._run(self._start, seed)

    def step(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """One request: as `start`, then feedback `(users, slate)` and the matrices of `response`.

        Args:
            arrays: those of `start`; what is shown, int32 `(users, slate)`; the choice that is
                given, int32 `(users,)`, -1 where it is left to chance; and the seed, int32 `(2,)`.
        """
        return self._run(self._step, *arrays)

    def outlook(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """What may happen at a request, by the choices there are (the last of them is none).

        Args:
            arrays: as for `step`; the given choice is not read.

        Returns:
            Log-probabilities `(users, slate + 1)`, without columns if they are not known; and the
            feedback that each choice brings, `(users, slate + 1, slate)`.
        """
        return self._run(self._outlook, *arrays)

    def _run(self, function: Callable[..., Any], *arrays: np.ndarray) -> list[np.ndarray]:
        name, tensors = function.__name__.strip("_"), [library().tf.constant(a) for a in arrays]
        if name not in self._functions:
            self._functions[name] = self._prepared(function, tensors)
        return [tensor.numpy() for tensor in self._functions[name](*tensors)]

    def _prepared(self, function: Callable[..., Any], tensors: list[Any]) -> Callable[..., Any]:
        tf, name = library().tf, function.__name__.strip("_")

        def traced(*inputs: Any) -> Any:
            self.traces[name] += 1
            return function(*inputs)

        if not self._compiled:
            return traced
        specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
        with self._story.bound():
            try:
                concrete = tf.function(traced, autograph=False).get_concrete_function(*specs)
            except tf.errors.OperatorNotAllowedInGraphError:
                # A story that branches on tensors has to be rewritten, which takes longer.
                concrete = tf.function(traced).get_concrete_function(*specs)
        refuse_hidden_draws(concrete.graph)
        compiled: Callable[..., Any] = concrete
        return compiled

    def _start(self, seed: Any) -> tuple[Any, ...]:
        tf, users, slate = library().tf, self.users, self.slate
        agent = _agent(tf.zeros((users, slate), tf.int32), tf.fill((users,), NOT_GIVEN), seed)
        values = connect(self._cast, self._story.choice, agent, self._frozen).initial_step()
        self._check(values)
        of_people = {n: values[n] for n in (USER, METRICS, OBSERVATION) if n in values}
        of_world = {} if self._frozen else {n: values[n] for n in (CORPUS, DOCUMENTS)}
        self.people = Layout(of_people, users)
        self.world = Layout(of_world, None)
        self.response = Layout({RESPONSE: values[RESPONSE]}, users)
        return (*self.people.pack(values), *self.world.pack(values))

    def _check(self, values: Values) -> None:
        if METRICS in values and REWARD not in values[METRICS].as_dict:
            raise ValueError(
                f"metrics of the story {self._story.name!r} must have a field {REWARD!r}, "
                f"got {sorted(values[METRICS].as_dict)}"
            )

    def _step(self, *inputs: Any) -> tuple[Any, ...]:
        values = self._next(*inputs)
        return (
            *self.people.pack(values),
            *self.world.pack(values),
            self._feedback(values),
            *self.response.pack(values),
        )

    def _outlook(self, *inputs: Any) -> tuple[Any, Any]:
        tf = library().tf
        *before, _, seed = inputs
        outcomes = [
            self._next(*before, tf.fill((self.users,), choice), seed)
            for choice in range(self.slate + 1)
        ]
        feedback = tf.stack([self._feedback(values) for values in outcomes], axis=1)
        return outcomes[0][CHANCES].get("log_probability"), feedback

    def _next(self, *inputs: Any) -> Values:
        """The network's values one step after those of the matrices."""
        numbers, whole, world_numbers, world_whole, slate, given, seed = inputs
        previous = {
            AGENT: _agent(slate, given, seed),
            **self.people.unpack(numbers, whole),
            **(self._frozen or self.world.unpack(world_numbers, world_whole)),
        }
        network = connect(self._cast, self._story.choice, previous[AGENT], self._frozen)
        values: Values = network.step(previous)
        return values

    def _feedback(self, values: Values) -> Any:
        """What each slot earned: the reward, shared by the slots that were chosen, or by all."""
        tf = library().tf
        choice = tf.convert_to_tensor(values[RESPONSE].get(self._story.choice))
        chosen = tf.one_hot(choice, self.slate)
        if len(chosen.shape) > 2:
            chosen = tf.reduce_max(chosen, axis=1)
        count = tf.reduce_sum(chosen, axis=1, keepdims=True)
        reward = count
        if METRICS in values:
            reward = tf.cast(values[METRICS].get(REWARD), tf.float32)[:, None]
        share = tf.where(count > 0, chosen / tf.maximum(count, 1), 1 / self.slate)
        return share * reward


def _agent(slate: Any, given: Any, seed: Any) -> Any:
    return library().Value(slate=slate, given=given, seed=seed)
