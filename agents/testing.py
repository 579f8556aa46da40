"""The conformance kit, which holds a policy to its contract.

In your own tests::

    from driftrec.agents.testing import check_policy

    def test_my_policy():
        check_policy(make_my_policy)
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np

from driftrec.agents.harness import PolicyError
from driftrec.agents.policy import Policy, PolicyFactory, renew
from driftrec.agents.tried_policy import TriedPolicy, copies, env_of
from driftrec.envs import Population, RecommendationVectorEnv, resolve_population
from driftrec.envs.arrays import Array, to_numpy
from driftrec.envs.observation import Observation


def check_policy(
    factory: PolicyFactory,
    population: Population | str = "Feed",
    *,
    users: int = 5,
    requests: int = 12,
    seed: int = 0,
    privileged: bool = False,
) -> None:
    """Hold the policies of a factory to the contract of `driftrec.agents.policy.Policy`.

    Over the first requests of some trials: the factory can be pickled; `start` and `act` give
    states that are dataclasses of arrays with the user as first axis, of the same types and shapes
    ever after; slates are integers `(users, slate)` that exist and are offered, without an item
    twice, and without one shown before unless the population allows it; `act` changes neither the
    state nor the observation; a new policy of the same factory does the same again; what a user is
    shown depends on that user alone; a row that was renewed is shown what a new user is; and
    `predict`, where there is one, gives probabilities.

    A policy that draws at random must draw as much whatever it observes, from a seed of its own.

    Args:
        factory: makes the policy for an environment.
        population: whose test users it meets.
        users: size of the batch, at least 2.
        requests: of each trial.
        seed: of the users.
        privileged: whether the policy reads hidden state (an oracle), so that what it shows does
            not follow from observations alone.

    Raises:
        PolicyError: at the first breach, with what was expected and what came.
        ValueError: if an option is out of range.
    """
    if users < 2 or requests < 3:
        raise ValueError(
            f"users must be at least 2 and requests at least 3, got {users} and {requests}"
        )
    population = resolve_population(population)
    trial = TriedPolicy(_travelled(factory), population, users, seed)
    for _ in range(requests):
        trial.request()
    _check_again(factory, population, trial, seed)
    if not privileged:
        _check_alone(factory, population, trial, seed)
        _check_renewal(factory, population, trial, seed)


def _travelled(factory: PolicyFactory) -> PolicyFactory:
    try:
        copy: PolicyFactory = pickle.loads(pickle.dumps(factory))
    except Exception as error:
        raise PolicyError(
            "the factory must survive pickle, since evaluations run in other processes: name a "
            f"function of a module or bind its options by functools.partial; {error}"
        ) from error
    return copy


def _check_again(
    factory: PolicyFactory, population: Population, trial: TriedPolicy, seed: int
) -> None:
    """A policy made anew does the same again, with the same users."""
    other = TriedPolicy(factory, population, len(trial.shown), seed)
    for number, slate in enumerate(trial.slates):
        other.request()
        if not np.array_equal(other.slates[-1], slate):
            raise PolicyError(
                f"a new policy of the same factory must do the same again; at request {number} it "
                f"showed {other.slates[-1][0]} and {slate[0]}: is all luck seeded in the factory?"
            )


def _check_alone(
    factory: PolicyFactory, population: Population, trial: TriedPolicy, seed: int
) -> None:
    """What happens to others, whose feedback is turned round here, is of no matter to a user."""
    users = len(trial.shown)
    others = np.arange(users) != users // 2
    observations = _turned(trial.observations, others)
    slates = _replayed(factory, population, observations, users, seed)
    for number, (found, slate) in enumerate(zip(slates, trial.slates, strict=True)):
        if not np.array_equal(found[~others], slate[~others]):
            raise PolicyError(
                f"what a user is shown must depend on that user alone; at request {number} other "
                f"clicks of others turned {slate[~others][0]} into {found[~others][0]}"
            )


def _check_renewal(
    factory: PolicyFactory, population: Population, trial: TriedPolicy, seed: int
) -> None:
    """Rows that are renewed halfway, as the harness does it, have forgotten what went before."""
    users, half = len(trial.shown), len(trial.slates) // 2
    mask = (np.arange(users) % 2 == 0)[:, None].astype(np.float32)
    rows = mask[:, 0] > 0
    shown = []
    for history in (trial.observations, _turned(trial.observations, rows)):
        policy = factory(_reset(population, users, seed))
        state = policy.start(users)
        for observation in history[:half]:
            _, state = policy.act(observation, state)
        try:
            state = renew(state, policy.start(users), mask)
        except Exception as error:
            raise PolicyError(
                "rows of a state must be replaceable by those of start, by "
                f"driftrec.agents.policy.renew, which raised {type(error).__name__}: {error}"
            ) from error
        first = _mixed(trial.observations[0], trial.observations[half], mask)
        shown.append(to_numpy(policy.act(first, state)[0]))
    if not np.array_equal(shown[0][rows], shown[1][rows]):
        raise PolicyError(
            "a row that is renewed must be like a new user, but what was clicked before turned "
            f"{shown[0][rows][0]} into {shown[1][rows][0]}: keep what you know of users in the "
            "state, and nothing in the policy"
        )


def _turned(observations: Sequence[Observation], rows: Array) -> list[Observation]:
    """The same history, but that feedback was otherwise in some rows."""
    turned = []
    for observation in observations:
        changed = copies(observation)
        changed["feedback"][rows] = 1 - changed["feedback"][rows]
        turned.append(changed)
    return turned


def _replayed(
    factory: PolicyFactory,
    population: Population,
    observations: Sequence[Observation],
    users: int,
    seed: int,
) -> list[Array]:
    """What a new policy shows when it is told a history."""
    policy: Policy = factory(_reset(population, users, seed))
    state, slates = policy.start(users), []
    for observation in observations:
        slate, state = policy.act(observation, state)
        slates.append(to_numpy(slate))
    return slates


def _reset(population: Population, users: int, seed: int) -> RecommendationVectorEnv:
    env = env_of(population, users)
    env.reset(seed=seed)
    return env


def _mixed(first: Observation, later: Observation, mask: Array) -> Observation:
    """Observations of which the rows where the mask is 1 are the first ones of a trial."""
    return {
        key: np.where(mask.reshape(-1, *(1,) * (values.ndim - 1)) > 0, values, later[key])
        for key, values in first.items()
    }
