import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftrec.envs import Catalogue, synthetic_catalogue
from driftrec.envs.arrays import library, take, to_numpy

SMALL = synthetic_catalogue(20, np.random.default_rng(0), dimension=3, topics=4)


@settings(deadline=None)  # The first to need torch imports it.
@given(
    st.sampled_from([0, 1, 4, 63, 64, 100]),
    st.integers(1, 3),
    st.integers(0, 99),
    st.sampled_from(["numpy", "torch"]),
)
def test_a_slate_shows_what_the_catalogue_says_of_its_items(users, size, seed, name):
    xp = library(name)
    items = np.random.default_rng(seed).integers(20, size=(users, size))
    repeats = np.ones((users, size), np.uint8)
    slate = SMALL.to_library(xp).show(xp.asarray(items), xp.asarray(repeats))
    np.testing.assert_array_equal(to_numpy(slate.features), SMALL.features[items])
    np.testing.assert_array_equal(to_numpy(slate.topics), SMALL.topics[items])
    np.testing.assert_array_equal(to_numpy(slate.topic), SMALL.topics.argmax(1)[items])
    np.testing.assert_array_equal(to_numpy(slate.quality), SMALL.quality[items])
    np.testing.assert_array_equal(to_numpy(slate.items), items)
    np.testing.assert_array_equal(to_numpy(slate.repeats), repeats)


@pytest.mark.parametrize("users", [3, 300])
def test_rows_of_a_slate_are_a_slate(users):
    items = np.random.default_rng(0).integers(20, size=(users, 2))
    part = take(SMALL.show(items, np.zeros((users, 2))), np.array([2, 0]))
    for name in ("features", "topics", "topic", "quality"):
        expected = getattr(SMALL.show(items[[2, 0]], np.zeros((2, 2))), name)
        np.testing.assert_array_equal(getattr(part, name), expected)


def test_a_slate_has_no_more_than_its_attributes():
    slate = SMALL.show(np.zeros((100, 1), np.int64), np.zeros((100, 1)))
    with pytest.raises(AttributeError, match="Slate has no attribute 'titles'"):
        slate.titles  # noqa: B018 (the reading is what is tested)


def test_the_table_is_features_topics_and_quality_side_by_side():
    columns = [SMALL.features, SMALL.topics, SMALL.quality[:, None]]
    np.testing.assert_array_equal(SMALL.table, np.concatenate(columns, axis=1))
    assert (len(SMALL), SMALL.dimension) == (20, 3)


def test_a_catalogue_cannot_be_changed_nor_changed_from_outside():
    features = np.zeros((2, 1), np.float32)
    catalogue = Catalogue(features, np.ones((2, 1)), np.zeros(2))
    features[:] = 9
    assert catalogue.features.sum() == 0
    for array in (catalogue.features, catalogue.topics, catalogue.quality, catalogue.table):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        catalogue.quality = np.ones(2)


def test_a_user_with_a_standard_normal_core_has_taste_of_unit_variance():
    rng = np.random.default_rng(1)
    catalogue = synthetic_catalogue(4000, rng, dimension=10, quality_sd=0.7)
    cores = rng.standard_normal((4000, 10))
    taste = np.vecdot(cores, catalogue.features)
    assert taste.var() == pytest.approx(1, abs=0.12)
    assert catalogue.quality.std() == pytest.approx(0.7, abs=0.03)


def test_synthetic_topics_go_together_with_features():
    catalogue = synthetic_catalogue(3000, np.random.default_rng(2))
    np.testing.assert_array_equal(catalogue.topics.sum(1), 1)
    assert set(np.unique(catalogue.topics)) == {0, 1}
    topic = catalogue.topics.argmax(1)
    own = [catalogue.features[topic == k] for k in range(8)]
    within = np.mean([group.var(0).sum() * len(group) for group in own]) * 8 / 3000
    # Under independence of features and topics the variance within topics would be the whole, 1.
    assert within < 0.9
    assert catalogue.topic_names == tuple(f"topic {k}" for k in range(8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.zeros((0, 2))}, "at least one item"),
        ({"features": np.zeros(3)}, r"features must have 2 axes and 3 rows .* got shape \(3,\)"),
        ({"quality": np.zeros(2)}, r"quality must have 1 axes and 3 rows .* got shape \(2,\)"),
        ({"topics": np.ones((2, 1))}, r"topics must have 2 axes and 3 rows"),
        ({"features": np.full((3, 2), np.nan)}, "features must be finite, got NaN or infinity"),
        ({"quality": np.full(3, np.inf)}, "quality must be finite"),
        ({"topics": np.full((3, 2), 0.4)}, "sum to one"),
        ({"topics": np.array([[2.0, -1.0]] * 3)}, "non-negative and sum to one"),
        ({"titles": ("a",)}, "titles must name all 3 items, got 1"),
    ],
)
def test_a_catalogue_that_does_not_fit_together_is_refused(change, message):
    parts = {"features": np.zeros((3, 2)), "topics": np.ones((3, 1)), "quality": np.zeros(3)}
    with pytest.raises(ValueError, match=message):
        Catalogue(**(parts | change))
