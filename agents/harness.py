"""Runs a policy on users of a population, each for one whole trial."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import Executor, as_completed
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from driftrec.agents.evaluation import Evaluation, join
from driftrec.agents.policy import Policy, PolicyFactory, renew
from driftrec.agents.recorder import Recorder
from driftrec.agents.repeating import without_repeating
from driftrec.envs import Population, RecommendationVectorEnv, resolve_population
from driftrec.envs.actions import checked_slates
from driftrec.envs.arrays import Array
from driftrec.envs.candidates import check_offered
from driftrec.envs.observation import Observation
from driftrec.envs.rewards import Reward

Progress = Callable[[int], None]
"""Told the number of users whose trials have ended since it was last told."""


ROUNDING = 1e-4
"""By how much a predicted probability may miss [0, 1]."""


class PolicyError(ValueError):
    """A policy returned something that its contract rules out."""


def evaluate(
    make_policy: PolicyFactory,
    population: Population | str,
    *,
    name: str = "policy",
    split: str = "test",
    users: int = 1000,
    batch: int = 500,
    seed: int = 0,
    reward: Reward = "clicks",
    regret: bool = False,
    pool: Executor | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Run a policy on users whom it has never met, each from first contact to the end of the trial.

    The users and their luck follow from `population`, `split`, `seed`, `users` and `batch`, never
    from the policy: policies evaluated with the same ones meet the same users under common random
    numbers. How the policy acts, greedily or by sampling, is the factory's choice.

    Args:
        make_policy: makes the policy, anew for each batch of users.
        population: a `Population`, or the name of one.
        name: of the policy, in errors and tables.
        split: the part of the population that the users come from.
        users: number of users.
        batch: users simulated at once.
        seed: 0 or above.
        reward: name of the reward to record, or weights of several.
        regret: whether to record the expected feedback on the slate shown and on the best slate
            of unseen items (privileged; costs a pass over the catalogue at each request).
        pool: runs the batches in its processes; `make_policy` must then be picklable. See
            `driftrec.agents.workers.worker_pool`.
        progress: told how many users are done.

    Raises:
        ValueError: if an option is unknown or out of range.
        PolicyError: if the policy returns something that is no valid slate, or no state.
    """
    if users < 1 or batch < 1 or seed < 0:
        raise ValueError(
            "users and batch must be at least 1 and seed at least 0, "
            f"got users={users}, batch={batch}, seed={seed}"
        )
    population = resolve_population(population)
    population.split(split)
    jobs = [
        _Job(make_policy, population, name, split, first, min(batch, users - first), batch, seed,
             reward, regret)
        for first in range(0, users, batch)
    ]  # fmt: skip
    return join(_run_here(jobs, progress) if pool is None else _run_in(pool, jobs, progress))


@dataclasses.dataclass(frozen=True)
class _Job:
    """One batch of users."""

    make_policy: PolicyFactory
    population: Population
    name: str
    split: str
    first: int
    users: int
    batch: int
    seed: int
    reward: Reward
    regret: bool


def _run_here(jobs: list[_Job], progress: Progress | None) -> list[Evaluation]:
    return [_run(job, progress) for job in jobs]


def _run_in(pool: Executor, jobs: list[_Job], progress: Progress | None) -> list[Evaluation]:
    futures = [pool.submit(_run, job) for job in jobs]
    try:
        for future in as_completed(futures):
            done = future.result().users
            if progress:
                progress(done)
    finally:
        for future in futures:
            future.cancel()
    return [future.result() for future in futures]


def _run(job: _Job, progress: Progress | None = None) -> Evaluation:
    env = RecommendationVectorEnv(
        job.population,
        job.users,
        split=job.split,
        reward=job.reward,
        autoreset_mode=AutoresetMode.DISABLED,
        by_number=True,
    )
    simulation = env.simulation
    recorder = Recorder(simulation, job.regret, job.population.repeats)
    numbers = np.random.SeedSequence([job.seed, job.first]).generate_state(1, np.uint64)
    observation, _ = env.reset(seed=int(numbers[0] >> np.uint64(1)))
    policy = job.make_policy(env)
    state = _checked_state(policy.start(job.users), job.name, "start")
    ended = 0
    while not simulation.trials.over.all():
        if observation["new_user"].any():
            state = renew(state, policy.start(job.users), observation["new_user"])
        items, state = _act(policy, observation, state, env, job.name)
        recorder.before(items, _prediction(policy, state, items, job.name))
        observation, reward, *_ = env.step(items)
        recorder.after(reward)
        over = int(simulation.trials.over.sum())
        if progress and over > ended:
            progress(over - ended)
        ended = over
    return recorder.evaluation(job.name, job.seed, job.batch)


def _act(
    policy: Policy, observation: Observation, state: Any, env: RecommendationVectorEnv, name: str
) -> tuple[Array, Any]:
    answer = policy.act(observation, state)
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise PolicyError(
            f"policy {name!r} must return a slate and a state from act, got {type(answer).__name__}"
        )
    simulation = env.simulation
    try:
        items = checked_slates(
            answer[0], simulation.users, simulation.slate, len(simulation.catalogue)
        )
        if simulation.offered is not None:
            check_offered(items, simulation.offered)
    except (TypeError, ValueError) as error:
        raise PolicyError(f"policy {name!r} chose no valid slate: {error}") from error
    return items, _checked_state(answer[1], name, "act")


def _prediction(policy: Policy, state: Any, items: Array, name: str) -> Array | None:
    """Click probabilities of the slates as the policy sees them, `(users, slate)`, if it says."""
    predict = getattr(without_repeating(policy), "predict", None)
    if predict is None:
        return None
    predicted = np.asarray(predict(state, items))
    if predicted.shape != items.shape:
        raise PolicyError(
            f"policy {name!r} must predict a click probability for each item of the slates, "
            f"shape {items.shape}, got shape {predicted.shape}"
        )
    if not ((predicted >= -ROUNDING) & (predicted <= 1 + ROUNDING)).all():
        raise PolicyError(
            f"policy {name!r} must predict click probabilities in [0, 1], got numbers from "
            f"{predicted.min()} to {predicted.max()}"
        )
    return np.clip(predicted, 0, 1)


def _checked_state(state: Any, name: str, method: str) -> Any:
    # An array of any library has `ndim`.
    if not dataclasses.is_dataclass(state) and not hasattr(state, "ndim"):
        raise PolicyError(
            f"policy {name!r} must return its state from {method} as a dataclass of arrays, "
            f"got {type(state).__name__}"
        )
    return state
