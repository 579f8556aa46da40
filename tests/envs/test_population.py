"""Splits are disjoint in users, personas and items where they say so; changes reach all of them."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from driftrec.envs import (
    SPLITS,
    DriftingUser,
    Population,
    Simulation,
    Split,
    UserModel,
    feed_population,
    population_names,
    slate_population,
    synthetic_catalogue,
)
from driftrec.envs.arrays import leaves

SEEDS = (0, 1, 2, 12345)
FEED, SLATE = feed_population(), slate_population()
BUILT_IN = pytest.mark.parametrize("population", [FEED, SLATE], ids=lambda made: made.name)


def users_of(split: Split, seed: int, users: int = 300) -> Any:
    simulation = Simulation(split, users)
    simulation.reset(seed)
    return simulation.hidden_state()


def parts_of(split: Split, name: str) -> set[bytes]:
    """The rows of one array of the hidden state, over all seeds."""
    return {
        row.tobytes() for seed in SEEDS for row in leaves(users_of(split, seed))[name].astype("f8")
    }


def test_no_two_splits_of_any_two_populations_share_a_seed() -> None:
    splits = [
        Split(population, name, FEED.model, FEED.catalogue)
        for population in population_names()
        for name in SPLITS
    ]
    first_draws = {
        (split.population, split.name, seed): tuple(
            np.random.SeedSequence(split.entropy(seed)).generate_state(4)
        )
        for split in splits
        for seed in SEEDS
    }
    assert len(set(first_draws.values())) == len(splits) * len(SEEDS)


@pytest.mark.parametrize("name", ["traits.key", "core", "relaxing"])
@BUILT_IN
def test_a_user_of_one_split_never_occurs_in_another(population: Population, name: str) -> None:
    parts = {split: parts_of(population.split(split), name) for split in SPLITS}
    assert all(len(part) == 300 * len(SEEDS) for part in parts.values())
    for one, other in itertools.combinations(SPLITS, 2):
        assert not parts[one] & parts[other], (one, other)


def test_populations_of_the_same_users_do_not_share_them() -> None:
    feed, slate = (parts_of(made.split("train"), "traits.key") for made in (FEED, SLATE))
    assert not feed & slate


@BUILT_IN
def test_a_split_is_the_same_again(population: Population) -> None:
    one, two = (leaves(users_of(population.split("test"), seed=3)) for _ in range(2))
    assert all(np.array_equal(one[name], two[name]) for name in one)


@BUILT_IN
def test_validation_and_test_differ_from_train_in_users_alone(population: Population) -> None:
    train = population.split("train")
    for name in ("validation", "test"):
        split = population.split(name)
        assert (split.model, split.catalogue) == (train.model, train.catalogue)


@BUILT_IN
def test_ood_taste_has_unseen_personas(population: Population) -> None:
    seen = population.split("train").model.personas
    unseen = population.split("ood-taste").model.personas
    assert seen.shape == unseen.shape
    distance = np.linalg.norm(seen[:, None] - unseen[None], axis=2)
    within = np.linalg.norm(seen[:, None] - seen[None], axis=2) + 1e9 * np.eye(len(seen))
    assert distance.min() > 0.5 * within.min() > 0


@BUILT_IN
def test_ood_items_has_unseen_items_of_the_same_kind(population: Population) -> None:
    seen = population.split("train").catalogue
    unseen = population.split("ood-items").catalogue
    assert not {row.tobytes() for row in seen.features} & {row.tobytes() for row in unseen.features}
    assert seen.features.shape[1] == unseen.features.shape[1]
    assert seen.topics.shape[1] == unseen.topics.shape[1]


@BUILT_IN
def test_ood_drift_drifts_faster_in_every_respect(population: Population) -> None:
    usual, faster = (population.split(name).model for name in ("train", "ood-drift"))
    assert faster.retained_per_year < usual.retained_per_year
    assert faster.life_events_per_year > usual.life_events_per_year
    assert faster.whim_minutes < usual.whim_minutes
    assert faster.mood_hours < usual.mood_hours
    assert np.array_equal(faster.personas, usual.personas)


def test_an_unknown_split_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"split must be one of train, validation.*; got 'Train'"):
        FEED.split("Train")


def test_slate_users_are_feed_users_with_position_bias() -> None:
    assert (SLATE.name, SLATE.slate, FEED.slate) == ("Slate", 5, 1)
    for name in SPLITS:
        slate, feed = SLATE.split(name), FEED.split(name)
        assert np.array_equal(slate.catalogue.features, feed.catalogue.features)
        for item in dataclasses.fields(DriftingUser):
            one, other = getattr(slate.model, item.name), getattr(feed.model, item.name)
            assert np.array_equal(one, other) == (item.name != "slot_bias"), item.name
        assert slate.model.slot_bias < feed.model.slot_bias == 0


@BUILT_IN
def test_replaced_parameters_reach_every_split_and_leave_the_rest(population: Population) -> None:
    changed = population.replace_parameters(level_sd=0.123)
    for name in SPLITS:
        before, after = population.split(name), changed.split(name)
        assert after.model.level_sd == 0.123
        assert before.model.level_sd != 0.123
        assert after.model.whim_minutes == before.model.whim_minutes
        assert after.catalogue is before.catalogue


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"moodsd": 0.1}, r"DriftingUser has no parameter \['moodsd'\]; it has .*'mood_sd'"),
        ({"mood_sd": -1.0}, r"mood_sd must not be negative, got -1.0"),
        ({"mood_sd": float("nan")}, r"mood_sd must be a (finite )?number, got (?i:nan)"),
        ({"churn": 1.5}, r"churn must lie in \[0, 1\], got 1.5"),
        ({"choice": "best"}, "choice must be 'independent' or 'multinomial', got 'best'"),
    ],
)
def test_a_wrong_parameter_is_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FEED.replace_parameters(**parameters)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variants": {"ood": None}}, r"variants must be of the splits .*got \['ood'\]"),
        ({"slate": 0}, r"slate must lie in \[1, 500\].*got 0"),
        ({"slate": 501}, r"slate must lie in \[1, 500\].*got 501"),
        ({"max_requests": 0}, "max_requests and max_days must be positive, got 0"),
        ({"max_days": 0.0}, "max_requests and max_days must be positive, got 120 and 0.0"),
    ],
)
def test_a_population_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(FEED, **options)


def test_a_slate_fits_the_smallest_catalogue_of_all_splits() -> None:
    small = synthetic_catalogue(4, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"slate must lie in \[1, 4\] \(the catalogue\), got 5"):
        Population("small", FEED.model, FEED.catalogue, {"ood-items": (FEED.model, small)}, slate=5)


def test_a_model_without_parameters_says_so() -> None:
    class Plain(UserModel):
        def sample(self, users: int, rng: np.random.Generator) -> Any: ...

        def respond(self, state: Any, slate: Any) -> Any: ...

    with pytest.raises(ValueError, match=r"Plain has no parameter \['mood_sd'\]; it has \[\]"):
        Population("plain", Plain(), FEED.catalogue).replace_parameters(mood_sd=1)
