"""Proposals of settings to try, given what came of those tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftrec.agents.benchmark.spaces import Dimension, Space, option_of
from driftrec.agents.method import Method


@dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Attributes:
        options: that differ from the method's own.
        value: of the metric on validation users; None where it went wrong.
        cpu_seconds: that training and meeting took.
        error: what went wrong, in words.
    """

    options: Mapping[str, Any]
    value: float | None
    cpu_seconds: float
    error: str = ""


def propose(method: Method, space: Space, trials: Sequence[Trial], seed: int = 0) -> dict[str, Any]:
    """Options to try next, given those tried; the first are the method's own.

    Each proposal has luck of its own number, so that a tuning that was cut ends as one that was
    not.
    """
    if not trials:
        return {}
    import optuna

    sampler = optuna.samplers.TPESampler(seed=seed + len(trials), n_startup_trials=5)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {name: _distribution(dimension) for name, dimension in space.items()}
    for trial in trials:
        options = {name: trial.options.get(name, option_of(method, name)) for name in space}
        if None not in options.values() and _inside(options, space):
            state = optuna.trial.TrialState
            study.add_trial(
                optuna.trial.create_trial(
                    params=options,
                    distributions=distributions,
                    value=trial.value,
                    state=state.FAIL if trial.value is None else state.COMPLETE,
                )
            )
    return dict(study.ask(distributions).params)


def _distribution(dimension: Dimension) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, list):
        return CategoricalDistribution(dimension)
    low, high, log = dimension
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _inside(options: Mapping[str, Any], space: Space) -> bool:
    """Whether all lie in the space, as the method's own need not."""
    return all(
        options[name] in dimension
        if isinstance(dimension, list)
        else dimension[0] <= options[name] <= dimension[1]
        for name, dimension in space.items()
    )
