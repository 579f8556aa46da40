"""An environment factory with a distribution of keyword arguments, as a population of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import gymnasium

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.foreign.interface import close, reset
from driftrec.envs.foreign.spaces import Actions, as_gymnasium, read
from driftrec.envs.foreign.users import Draw, Feedback, ForeignUsers
from driftrec.envs.population import Population
from driftrec.envs.user_model import UserModelError

PARTS = ("action_space", "observation_space", "reset", "step")
"""What an environment must have."""


def foreign_population(
    name: str,
    make: Callable[..., Any] | str,
    draw: Draw | None = None,
    *,
    max_requests: int,
    catalogue: Catalogue | None = None,
    observe: Callable[[Any], Any] | None = None,
    feedback: Feedback | None = None,
    feedback_range: tuple[float, float] = (-float("inf"), float("inf")),
    best_action: Callable[[Any], int] | None = None,
    episodes: int = 1,
    repeats: bool = True,
    draws: Mapping[str, Draw] | None = None,
    processes: int = 0,
    card: str = "",
) -> Population:
    """A population whose users are environments of another package, with one user each.

    A task is a draw of keyword arguments and a seed; a trial is an episode of it, or several. An
    action is an item of the catalogue (`Discrete`) or a slate (`MultiDiscrete` with as many items
    in each slot; no slate shows an item twice). The observation becomes the public context, the
    reward the feedback. Termination is churn, and truncation the limit of the trial; in trials of
    several episodes an end of either kind is the end of a session, after which another begins a
    day later.

    Environments of Gymnasium and of Gym before 0.26 are taken alike: `reset` that returns the
    observation alone, `step` that returns four things with `TimeLimit.truncated` in `info`,
    `seed`, and spaces of other packages.

    Tasks of splits are called by seeds that no two splits share.

    Args:
        name: of the population.
        make: makes an environment from keyword arguments; or an id of Gymnasium.
        draw: draws them from a generator; None where the seed alone tells tasks apart. The
            environment is then made once and reset.
        max_requests: requests after which a trial is truncated.
        catalogue: what is known of the items; one-hot numbers if left out.
        observe: turns an observation into finite numbers, `(context_size,)`; it is flattened if
            left out, with numbers of a `Discrete` one-hot.
        feedback: a key of `info`, or a function of observation, reward and info, that gives the
            feedback on each slot, `(slate,)`. If left out each slot has an equal part of the
            reward. Agents learn from the sum of the feedback, or, with `reward="environment"`,
            from the reward.
        feedback_range: the lowest and the highest feedback; (0, 1) stands for clicks.
        best_action: tells the best item now, from 0, of an environment, for learners that are
            taught it (DPT). Only where `repeats`.
        episodes: in a trial. Each begins by `reset` without a seed: what makes the task must be in
            the keyword arguments.
        repeats: whether an item may be shown again in a trial.
        draws: other distributions for some splits, by name: such as `ood-drift`, or where there is
            only a certain number of tasks, parts of them.
        processes: divide the users among so many processes; 0 for none but this one. It pays where
            a step of an environment takes long, see the guide.
        card: where the environment comes from, in Markdown.

    Raises:
        UserModelError: if the environment cannot be made, or has other spaces.
        ValueError: if an option is out of range.
    """
    factory = (
        partial(gymnasium.make, make, disable_env_checker=True) if isinstance(make, str) else make
    )
    if best_action is not None and not repeats:
        raise ValueError("best_action needs repeats=True: the best item may have been shown before")
    blank = ForeignUsers(
        factory, draw, Actions(1, 1, (0,), True), 0, observe, feedback, feedback_range,
        best_action, episodes, processes, name=name,
    )  # fmt: skip
    model = _measured(blank)
    items = model.default_catalogue() if catalogue is None else catalogue
    if len(items) != model.actions.items:
        raise ValueError(
            f"the catalogue must hold the {model.actions.items} items that actions choose among, "
            f"got {len(items)}"
        )
    return Population(
        name,
        model,
        items,
        {split: (replace(model, draw=other), items) for split, other in (draws or {}).items()},
        slate=model.actions.slate,
        max_requests=max_requests,
        repeats=repeats,
        card=card,
    )


def _measured(blank: ForeignUsers) -> ForeignUsers:
    """The users with the sizes of a first environment."""
    drawn = blank.parameters(0)
    try:
        env = blank.make(**drawn)
    except Exception as error:
        raise UserModelError(
            f"the factory of {blank.name!r} must take the keyword arguments that are drawn, "
            f"{drawn}; it raised {type(error).__name__}: {error}"
        ) from error
    missing = [name for name in PARTS if not hasattr(env, name)]
    if missing:
        raise UserModelError(
            f"the factory of {blank.name!r} must make an environment, with {', '.join(PARTS)}, "
            f"got {type(env).__name__} without {', '.join(missing)}"
        )
    actions = Actions.of(env.action_space)
    space = as_gymnasium(env.observation_space) if blank.observe is None else None
    try:
        observation = reset(env, 0)
    except Exception as error:
        raise blank.blame("reset", error, drawn, 0) from error
    try:
        numbers = read(observation, blank.observe, space)
    except Exception as error:
        raise blank.blame("reading the observation", error, drawn, 0) from error
    if numbers.ndim != 1:
        raise UserModelError(f"observe must give numbers along one axis, got shape {numbers.shape}")
    close(env)
    return replace(blank, actions=actions, numbers=len(numbers))
