"""A simulated log beside the real one: which statistics agree, and by how much others do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting.estimate import user_weights
from driftrec.envs.fitting.from_log import Fit
from driftrec.envs.fitting.residuals import on_items, returning_users
from driftrec.envs.fitting.simulate import simulated_log
from driftrec.envs.fitting.statistics import LogStatistics
from driftrec.envs.logs.log import InteractionLog

_DRAWS = 100
Statistics = Callable[[NDArray[np.float64]], dict[str, float]]


@dataclass(frozen=True)
class Comparison:
    """One statistic of a real and of a simulated log.

    Attributes:
        name: of the statistic.
        real: its value in the real log.
        simulated: its value in the simulated one.
        real_interval: 95% bootstrap interval over users.
        simulated_interval: likewise.
        inside: whether the 95% interval of the difference holds 0.
    """

    name: str
    real: float
    simulated: float
    real_interval: tuple[float, float]
    simulated_interval: tuple[float, float]
    inside: bool


def simulate_like(fit: Fit, users: int, split: str = "train", seed: int = 0) -> InteractionLog:
    """Users of a fitted population, observed as the log that they were fitted to.

    Where users are in the middle of their lives (a feed seen for two weeks), nobody churns: those
    who are there are those who stayed.

    Args:
        fit: the population and how the log saw its users.
        users: how many, seen or not.
        split: of the population.
        seed: of the simulation.
    """
    population = fit.population
    if fit.observation.window.arrivals is None:
        population = population.replace_parameters(churn=0.0)
    log = simulated_log(population.split(split), users, fit.observation, seed)
    if fit.held_out.has_skips:
        return log
    return returning_users(replace(log, has_skips=False))


def realism(fit: Fit, simulated: InteractionLog, seed: int = 0) -> list[Comparison]:
    """Compare a simulated log with that of the users who were not fitted on.

    Both on the items of the catalogue; but the visits of a log of ratings, which was not thinned,
    on all items. What one of the logs is too small to show is left out.

    Args:
        fit: the population, and the log of users who were not fitted on.
        simulated: by `simulate_like`.
        seed: of the bootstrap.
    """
    hours = fit.users["train"].parameters["satiation_hours"].value
    real = on_catalogue(fit.held_out, fit.items)
    thinned = fit.held_out.has_skips
    pair = [LogStatistics(log, hours) for log in (real, simulated)]
    whole = pair if thinned else [LogStatistics(fit.held_out, hours), pair[1]]
    return [
        *_compare([one.on_items for one in pair], [real, simulated], seed),
        *_compare(
            [one.on_visits for one in whole], [real if thinned else fit.held_out, simulated], seed
        ),
    ]


def on_catalogue(log: InteractionLog, items: NDArray[np.int64]) -> InteractionLog:
    """Events on some items, which are numbered anew.

    Args:
        log: the log.
        items: codes of the items, in their new order.
    """
    kept = on_items(log, items)
    code = np.zeros(log.num_items, np.int64)
    code[items] = np.arange(len(items))
    return replace(
        kept,
        item=code[kept.item],
        item_ids=kept.item_ids[items],
        topics=kept.topics[items],
        titles=None,
    )


def _compare(
    statistics: list[Statistics], logs: list[InteractionLog], seed: int
) -> list[Comparison]:
    values, draws = [], []
    for k, (of, log) in enumerate(zip(statistics, logs, strict=True)):
        values.append(of(np.ones(log.num_users)))
        weights = user_weights(log.num_users, seed + k, _DRAWS)
        draws.append([of(weight) for weight in weights])
    return [
        _comparison(
            name,
            [value[name] for value in values],
            [np.array([draw[name] for draw in log]) for log in draws],
        )
        for name in values[0]
        if np.isfinite([value[name] for value in values]).all()
    ]


def _comparison(name: str, values: list[float], draws: list[NDArray[np.float64]]) -> Comparison:
    real, simulated = (_interval(*pair) for pair in zip(values, draws, strict=True))
    low, high = _interval(values[1] - values[0], draws[1] - draws[0])
    return Comparison(name, values[0], values[1], real, simulated, low <= 0 <= high)


def _interval(value: float, draws: NDArray[np.float64]) -> tuple[float, float]:
    """The percentile interval, moved so that its middle draw is the value.

    Drawing users again makes popularity look more unequal than it is; this takes it out.
    """
    low, middle, high = np.nanquantile(draws, [0.025, 0.5, 0.975])
    return float(low + value - middle), float(high + value - middle)
