"""The fitted populations that come with the package."""

import gymnasium
import numpy as np
import pytest

from driftrec.envs import SPLITS, make_population
from driftrec.envs.fitting import fit, fit_population, realism, simulate_like
from driftrec.envs.logs import load_log

NAMES = ("KuaiRand", "Movies")


@pytest.fixture(params=NAMES)
def population(request):
    return make_population(request.param)


def test_catalogues_are_the_thousand_items_most_met_and_the_thousand_next(population):
    log = load_log(population.name)[0]
    shown, unseen = (population.split(name).catalogue for name in ("train", "ood-items"))
    assert len(shown) == len(unseen) == 1000
    assert not set(shown.titles) & set(unseen.titles)
    assert shown.topic_names == unseen.topic_names == log.topic_names
    titles = log.titles or tuple(f"video {number}" for number in log.item_ids.tolist())
    counts = dict(zip(titles, log.events_per_item(), strict=True))
    means = [np.mean([counts[title] for title in part.titles]) for part in (shown, unseen)]
    assert means[0] > 2 * means[1]


def test_features_have_length_one_so_that_taste_has_its_size_for_every_item(population):
    for split in SPLITS:
        length = np.linalg.norm(population.split(split).catalogue.features, axis=1)
        np.testing.assert_allclose(length, 1, atol=1e-5)


def test_users_are_shown_one_item_at_a_time_and_a_hundred_and_twenty_in_all(population):
    assert (population.slate, population.max_requests) == (1, 120)
    assert "95%" in population.card
    assert population.card.count("| `level_sd` |") == 2
    assert population.split("train").model.level_sd != population.split("test").model.level_sd


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_shows_what_its_page_says(name):
    env = gymnasium.make(f"DriftRec/{name}-v0")
    assert env.action_space.n == 1000
    assert env.observation_space["slate"].shape == (1, 24)
    many = gymnasium.make_vec(f"DriftRec/{name}-v0", num_envs=3)
    observation, _ = many.reset(seed=0)
    assert observation["slate"].shape == (3, 1, 24)


@pytest.mark.slow
def test_the_shipped_users_are_those_that_the_fit_gives(population):
    again = fit_population(load_log(population.name)[0])
    for split in SPLITS:
        before, after = population.split(split), again.split(split)
        np.testing.assert_allclose(after.catalogue.table, before.catalogue.table, atol=1e-4)
        assert after.model.intercept == pytest.approx(before.model.intercept, abs=0.01)
        assert after.model.level_sd == pytest.approx(before.model.level_sd, abs=0.01)
    assert again.card.splitlines()[0] == population.card.splitlines()[0]


@pytest.mark.slow
def test_at_least_twelve_statistics_of_kuairand_are_inside_their_interval():
    fitted = fit(load_log("KuaiRand")[0])
    found = realism(fitted, simulate_like(fitted, 8000))
    assert len(found) >= 15
    assert sum(one.inside for one in found) >= 12
