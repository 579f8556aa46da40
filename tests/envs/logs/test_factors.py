from dataclasses import replace

import numpy as np
import pytest

from driftrec.envs.logs import InteractionLog, item_factors, residual_matrix


def make_log(user, item, feedback, users, items):
    return InteractionLog(
        name="factors",
        user=user,
        item=item,
        time=np.arange(len(user), dtype=np.float64),
        feedback=feedback.astype(np.float32),
        user_ids=np.arange(users),
        item_ids=np.arange(items),
        topics=np.ones((items, 1), dtype=np.float32),
        topic_names=("all",),
        has_skips=True,
    )


@pytest.fixture
def camps():
    """80 users of two camps, 30 items of two kinds: a camp clicks on its kind."""
    rng = np.random.default_rng(0)
    user, item = np.divmod(np.arange(80 * 30), 30)
    seen = rng.random(len(user)) < 0.5
    seen[:30] = True
    likes = rng.random(len(user)) < np.where(user % 2 == item % 2, 0.8, 0.2)
    return make_log(user[seen], item[seen], likes[seen], 80, 30)


def test_the_first_factor_tells_two_camps_apart(camps):
    first = item_factors(camps, factors=1)[:, 0]
    sides = np.sign(first)
    assert abs(sides @ np.where(np.arange(30) % 2, 1, -1)) == 30


def test_factors_equal_the_dense_decomposition(camps):
    matrix = residual_matrix(camps).toarray()
    _, values, rows = np.linalg.svd(matrix, full_matrices=False)
    exact = (rows[:3] * values[:3, None]).T
    got = item_factors(camps, factors=3, unit_rows=False)
    signs = np.sign(np.sum(exact * got, axis=0))
    np.testing.assert_allclose(got * signs, exact, atol=0.05 * values[2])
    np.testing.assert_allclose(np.linalg.norm(got, axis=0), values[:3], rtol=0.01)


def test_rows_have_unit_length_and_the_seed_decides(camps):
    factors = item_factors(camps, factors=4, seed=1)
    np.testing.assert_allclose(np.linalg.norm(factors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(factors, item_factors(camps, factors=4, seed=1))


def test_the_matrix_is_centred_on_shrunk_means():
    # Two users, two items; all means by hand, the prior counting as 5 events at 0.
    log = make_log(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([1, 0, 0]), users=2, items=2)
    value = np.array([1, 0, 0]) - 1 / 3
    item_mean = np.array([value[0] + value[2], 0]) / 7 + np.array([0, value[1]]) / 6
    value = value - item_mean[[0, 1, 0]]
    user_mean = np.array([(value[0] + value[1]) / 7, value[2] / 6])
    value = value - user_mean[[0, 0, 1]]
    expected = [[value[0], value[1]], [value[2], 0]]
    np.testing.assert_allclose(residual_matrix(log).toarray(), expected, atol=1e-12)


def test_a_repeated_pair_counts_by_its_mean():
    once = make_log(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([1, 0, 1]), 2, 2)
    assert residual_matrix(once).nnz == 3
    twice = make_log(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), np.array([1, 0, 0, 1]), 2, 2)
    matrix = residual_matrix(twice)
    assert matrix.nnz == 3
    # The mean of 1 and 0 lies half a click below 1, whatever the centre.
    assert matrix[0, 0] == pytest.approx(
        residual_matrix(replace(twice, feedback=twice.feedback[[1, 0, 2, 3]]))[0, 0]
    )


def test_ratings_are_used_where_there_are_any(camps):
    rated = replace(camps, rating=(1 + 4 * camps.feedback).astype(np.float32))
    np.testing.assert_allclose(
        residual_matrix(rated).toarray(), 4 * residual_matrix(camps).toarray(), atol=1e-6
    )


@pytest.mark.parametrize("factors", [0, 30])
def test_more_factors_than_items_are_refused(camps, factors):
    with pytest.raises(ValueError, match=r"users \(80\) and of items \(30\), got"):
        item_factors(camps, factors=factors)
