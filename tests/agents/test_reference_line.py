"""The filters against a published table, and the Gaussian one against particles."""

from __future__ import annotations

import numpy as np
import pytest

from driftrec.agents.pseudo_reward import standard_error, worth
from driftrec.agents.reference_line import (
    LINE_POLICIES,
    PUBLISHED,
    REQUESTS,
    RETENTIONS,
    LineUser,
    filter_model,
    likelihoods,
    line_population,
)
from driftrec.envs import Stream
from driftrec.envs.testing import check_user_model

# Greedy acting depends on the catalogue, which is not published, more than the others do.
TOLERANCE = {
    "random": 0.003,
    "most-popular": 0.006,
    "filter-thompson": 0.006,
    "filter-greedy": 0.025,
    "filter-ucb": 0.006,
}


def click_rates(policy: str, place: int, users: int) -> np.ndarray:
    population = line_population((RETENTIONS[place],))
    return worth(LINE_POLICIES[policy], population, users, seed=0).pseudo_reward / REQUESTS


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("policy", list(TOLERANCE))
def test_reference_table(policy: str, place: int) -> None:
    rates = click_rates(policy, place, users=4000)
    tolerance = TOLERANCE[policy] + 3 * standard_error(rates)
    assert rates.mean() == pytest.approx(PUBLISHED[policy][place], abs=tolerance)


def test_the_best_item_of_each_moment_is_clicked_as_published() -> None:
    best = worth(LINE_POLICIES["random"], line_population(), 4000, seed=0).best.mean(1)
    tolerance = 0.004 + 3 * standard_error(best)
    assert best.mean() == pytest.approx(PUBLISHED["clairvoyant"][2], abs=tolerance)


def test_at_fast_drift_ucb_is_above_greedy_and_greedy_above_thompson() -> None:
    rates = {name: click_rates(f"filter-{name}", 2, 4000) for name in ("ucb", "greedy", "thompson")}
    for more, less in (("ucb", "greedy"), ("greedy", "thompson")):
        gap = rates[more] - rates[less]
        assert gap.mean() > 3 * standard_error(gap)


def test_the_gaussian_filter_is_as_surprised_as_four_thousand_particles() -> None:
    gaussian, particle = likelihoods(users=8)
    assert -0.65 < particle.mean() < -0.45
    assert abs((gaussian - particle).mean()) < 1e-3


def test_the_users_keep_the_contract() -> None:
    check_user_model(LineUser((0.8, 1.0)))


def test_a_request_keeps_rho_of_the_taste() -> None:
    model = LineUser((0.8,))
    before = model.sample(100_000, np.random.default_rng(0))
    pause = np.full(100_000, model.seconds_per_request / 86400, np.float32)
    after = model.drift(before, pause, Stream(np.random.SeedSequence(1)))
    np.testing.assert_allclose((before.taste * after.taste).mean(0), 0.8, atol=0.012)
    np.testing.assert_allclose(after.taste.var(0), 1, atol=0.02)


def test_each_user_has_one_of_the_retentions() -> None:
    state = LineUser((0.8, 0.95)).sample(10_000, np.random.default_rng(0))
    assert (state.retention == np.float32(0.8)).mean() == pytest.approx(0.5, abs=0.02)
    assert set(np.unique(state.retention)) == {np.float32(0.8), np.float32(0.95)}


def test_the_filter_refuses_users_who_differ_in_rho() -> None:
    population = line_population((0.8, 0.95))
    with pytest.raises(ValueError, match="needs users of one rho"):
        filter_model(population.model, population.catalogue)
