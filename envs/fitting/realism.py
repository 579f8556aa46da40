"""A simulated log beside the real one: which statistics agree, and by how much others do not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftrec.envs.fitting.estimate import user_weights
from driftrec.envs.fitting.fit import Fit
from driftrec.envs.fitting.residuals import on_items, returning_users
from driftrec.envs.fitting.simulate import simulated_log
from driftrec.envs.fitting.statistics import LogStatistics
from driftrec.envs.logs.log import InteractionLog

_DRAWS = 100


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


def compare(
    real: InteractionLog, simulated: InteractionLog, forgotten_hours: float = 12.0, seed: int = 0
) -> list[Comparison]:
    """Compare all statistics of two logs on the same catalogue.

    Args:
        real: the log of users who were not fitted on.
        simulated: as observed.
        forgotten_hours: for satiation.
        seed: of the bootstrap.
    """
    logs = [LogStatistics(log, forgotten_hours) for log in (real, simulated)]
    values = [log.values() for log in logs]
    draws = [_bootstrap(log, list(values[0]), seed + k) for k, log in enumerate(logs)]
    return [
        _comparison(name, [value[name] for value in values], [draw[:, k] for draw in draws])
        for k, name in enumerate(values[0])
    ]


def real_log(fit: Fit) -> InteractionLog:
    """The users who were not fitted on, on the items of the catalogue and numbered as there."""
    return on_catalogue(fit.held_out, fit.items, returning=not fit.held_out.has_skips)


def on_catalogue(
    log: InteractionLog, items: NDArray[np.int64], returning: bool = False
) -> InteractionLog:
    """Events on some items, which are numbered anew.

    Args:
        log: the log.
        items: codes of the items, in their new order.
        returning: keep only users of two sessions or more on these items.
    """
    kept = on_items(log, items)
    code = np.zeros(log.num_items, np.int64)
    code[items] = np.arange(len(items))
    kept = replace(
        kept,
        item=code[kept.item],
        item_ids=kept.item_ids[items],
        topics=kept.topics[items],
        titles=None,
    )
    return returning_users(kept) if returning else kept


def _bootstrap(log: LogStatistics, names: list[str], seed: int) -> NDArray[np.float64]:
    rows = []
    for weights in user_weights(log.log.num_users, seed, _DRAWS):
        values = log.values(weights)
        rows.append([values[name] for name in names])
    return np.array(rows)


def _comparison(name: str, values: list[float], draws: list[NDArray[np.float64]]) -> Comparison:
    real, simulated = (np.quantile(draw, [0.025, 0.975]).tolist() for draw in draws)
    low, high = np.quantile(draws[1] - draws[0], [0.025, 0.975])
    return Comparison(
        name, values[0], values[1], tuple(real), tuple(simulated), bool(low <= 0 <= high)
    )
