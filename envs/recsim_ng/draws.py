"""Random draws of a story: each variable's from a stateless seed of its own.

TensorFlow's global seed does not reproduce a story, because recsim-ng keeps variables in sets that
are ordered by their place in memory. Here every random variable is drawn from (seed of the request,
name of the recsim-ng variable, number of the draw in it), in whichever order they are drawn.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from driftrec.envs.recsim_ng.library import library

NOT_GIVEN = -1
"""A choice that is left to chance."""

_STATEFUL = ("TruncatedNormal", "ParameterizedTruncatedNormal", "Multinomial")


@contextmanager
def draws(
    seed: Any, name: str, number: int | None = None, given: Any = None
) -> Iterator[list[Any]]:
    """Within this context edward2's random variables are drawn from stateless seeds.

    Args:
        seed: int32 tensor, `(2,)`.
        name: of the recsim-ng variable.
        number: of a random variable that is given its value instead.
        given: that value; `NOT_GIVEN` leaves an entry to chance.

    Yields:
        The random variables, in the order in which they are made.
    """
    tf, ed = library().tf, library().ed
    fold_in = tf.random.experimental.stateless_fold_in
    of_variable = fold_in(seed, zlib.crc32(name.encode()) & 0x7FFFFFFF)
    made: list[Any] = []

    def tracer(function: Any, *args: Any, **kwargs: Any) -> Any:
        if function.__name__ == "__init__":
            # recsim-ng traces the making of entities too.
            return ed.traceable(function)(*args, **kwargs)
        shape, value = kwargs.get("sample_shape", ()), kwargs.pop("value", None)
        # Without a value edward2 would draw one.
        distribution = function(*args, **kwargs, value=0).distribution
        if value is None:
            value = distribution.sample(shape, seed=fold_in(of_variable, len(made)))
        if len(made) == number:
            fixed = tf.cast(given, value.dtype)
            value = tf.where(fixed == NOT_GIVEN, value, fixed)
        made.append(ed.RandomVariable(distribution, shape, value))
        return made[-1]

    with ed.trace(tracer):
        yield made


def number_of(variable: Any, made: list[Any]) -> int | None:
    """Which of the random variables this is, if it is a categorical one of one row a user."""
    for number, other in enumerate(made):
        categorical = isinstance(other.distribution, library().distributions.Categorical)
        if other is variable and categorical and len(other.shape) == 1:
            return number
    return None


def refuse_hidden_draws(graph: Any) -> None:
    """Refuse a graph whose outputs follow from numbers that no seed of ours reaches.

    Raises:
        ValueError: if they do.
    """
    drawn = {name for name in _behind(graph) if name.startswith("Random") or name in _STATEFUL}
    if drawn:
        raise ValueError(
            f"a story's draws must be edward2 random variables (ed.Normal(...) and the like), so "
            f"that seeds reproduce them, and this one draws by {sorted(drawn)}: replace "
            "tf.random.* and distribution.sample() by edward2's"
        )


def _behind(graph: Any) -> set[str]:
    """Names of the operations that a graph's outputs follow from."""
    waiting = [tensor.op for tensor in graph.outputs]
    seen = set(waiting)
    while waiting:
        for tensor in waiting.pop().inputs:
            if tensor.op not in seen:
                seen.add(tensor.op)
                waiting.append(tensor.op)
    # Of functions within the graph all is counted, whatever it is for.
    inner = (node.op for f in graph.as_graph_def().library.function for node in f.node_def)
    return {operation.type for operation in seen} | set(inner)
