"""An abrupt change of persona: when it comes, what it changes, and what it leaves."""

from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents import FilterModel, evaluate
from driftrec.agents.registry import POLICIES
from driftrec.envs import DriftingUser, RecommendationVectorEnv, make_population
from driftrec.envs.bernoulli_bandit import BernoulliBandit
from driftrec.envs.persona_jump import PersonaJump
from driftrec.envs.testing import check_user_model

FEED = make_population("Feed")
STILL = DriftingUser(life_events_per_year=0, retained_per_year=1, influence=0)


def jumping(request=5, model=STILL, **changes):
    return replace(FEED, model=PersonaJump(model, request), variants={}, **changes)


def states(request, steps=9):
    env = RecommendationVectorEnv(jumping(request), 60, autoreset_mode="Disabled")
    env.reset(seed=1)
    found = [env.simulation.hidden_state()]
    for step in range(steps):
        env.step(np.full((60, 1), step))
        found.append(env.simulation.hidden_state())
    return found, env.simulation.over


def test_everyone_changes_persona_after_that_request_and_never_again():
    found, over = states(5)
    personas = np.array([state.user.persona for state in found])[:, ~over]
    assert (personas[:5] == personas[0]).all()
    assert (personas[5:] == personas[5]).all()
    assert (personas[5] != personas[0]).all()
    # Eleven others, none of them left out.
    assert set((personas[5] - personas[0]) % 12) == set(range(1, 12))


def test_what_is_individual_in_taste_stays():
    found, over = states(5)
    before, after = found[4].user, found[5].user
    individual = [one.core - STILL.personas[one.persona] for one in (before, after)]
    np.testing.assert_allclose(individual[0][~over], individual[1][~over], atol=1e-5)


def test_a_late_change_changes_nothing_before_it():
    now, _ = states(500)
    model = RecommendationVectorEnv(
        replace(FEED, model=STILL, variants={}), 60, autoreset_mode="Disabled"
    )
    model.reset(seed=1)
    for step in range(9):
        model.step(np.full((60, 1), step))
    np.testing.assert_array_equal(now[-1].user.core, model.simulation.state.core)
    np.testing.assert_array_equal(now[-1].user.relaxing, model.simulation.state.relaxing)


def test_the_filter_knows_the_users_but_not_the_change():
    model = FilterModel.from_user_model(PersonaJump(STILL), FEED.catalogue)
    plain = FilterModel.from_user_model(STILL, FEED.catalogue)
    np.testing.assert_array_equal(model.prior_covariance, plain.prior_covariance)


def test_the_change_costs_who_had_adapted_and_nobody_else():
    population = jumping(40, replace(STILL, taste_sd=2.0, churn=0.0), max_requests=80)
    change = {}
    for name in ("most-popular", "filter-greedy"):
        found = evaluate(POLICIES[name], population, users=400, batch=400)
        rate = found.feedback.mean(0)
        change[name] = rate[40:50].mean() - rate[30:40].mean()
    assert change["filter-greedy"] < -0.1
    assert abs(change["most-popular"]) < 0.06


def test_users_with_a_change_pass_the_conformance_kit():
    check_user_model(PersonaJump(STILL, 3), FEED.catalogue)


def test_other_models_and_impossible_times_are_refused():
    with pytest.raises(ValueError, match="must be a DriftingUser"):
        PersonaJump(BernoulliBandit())
    with pytest.raises(ValueError, match="request must be at least 1"):
        PersonaJump(STILL, 0)
