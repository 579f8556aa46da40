"""Recommenders told of a history item by item rank films as their libraries do."""

from __future__ import annotations

import numpy as np
import pytest
from lenskit.data import ItemList, RecQuery
from lenskit.knn import ItemKNNScorer, UserKNNScorer
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from driftrec.agents.recommenders import fitting
from driftrec.agents.recommenders.content import Content, keyword_vectors
from driftrec.agents.recommenders.factors import LeastSquares, PairwiseRanking
from driftrec.agents.recommenders.neighbours import ItemNeighbours, UserNeighbours
from driftrec.agents.recommenders.weighted import Weighted
from driftrec.envs import Catalogue

from .conftest import ITEMS, STRANGERS, TRAINING, replay, top

ALL = 100_000


def liked(films, one):
    """Films that a stranger liked, and somebody else: LensKit panics at others."""
    known = films.clicks.sum(0) > 0
    return [item for item, like in films.histories[one] if like and known[item]]


def lenskit_scores(scorer, films):
    """The library's scores of every film for each stranger, by what the stranger liked."""
    everything = ItemList(item_ids=np.arange(ITEMS))
    answers = [
        scorer(RecQuery(history_items=ItemList(item_ids=liked(films, one))), everything)
        for one in range(STRANGERS)
    ]
    return np.stack([np.nan_to_num(answer.scores("numpy")) for answer in answers])


@pytest.mark.parametrize("neighbours", [20, 150])
def test_item_neighbours_are_lenskits(films, neighbours):
    library = ItemKNNScorer(feedback="implicit", save_nbrs=neighbours, max_nbrs=ALL)
    library.train(fitting.lenskit_dataset(films.clicks))
    expected = lenskit_scores(library, films)
    ours = ItemNeighbours(fitting.item_similarities(films.clicks, neighbours))
    _, scores = replay(ours, films.histories)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    np.testing.assert_array_equal(top(scores), top(expected))


def test_user_neighbours_are_lenskits(films):
    library = UserKNNScorer(feedback="implicit", max_nbrs=ALL)
    library.train(fitting.lenskit_dataset(films.clicks))
    expected = lenskit_scores(library, films)
    _, scores = replay(UserNeighbours(films.clicks.toarray()), films.histories)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
    np.testing.assert_array_equal(top(scores), top(expected))


@pytest.fixture(scope="module")
def least_squares(films):
    """implicit's model and ours of the same factors."""
    from implicit.cpu.als import AlternatingLeastSquares

    weighted = csr_matrix(10 * films.signed)
    with fitting.one_thread():
        library = AlternatingLeastSquares(
            factors=6, regularization=20.0, iterations=5, random_state=1, num_threads=1
        )
        library.fit(weighted, show_progress=False)
    factors = fitting.least_squares_factors(
        10 * films.signed, factors=6, ridge=20.0, iterations=5, seed=1
    )
    np.testing.assert_array_equal(factors, library.item_factors)
    return library, LeastSquares(factors, ridge=20.0, weight=10.0)


def weights_of(films):
    """Confidences of the strangers' films, as implicit takes them."""
    matrix = np.zeros((STRANGERS, ITEMS), np.float32)
    for one, history in enumerate(films.histories):
        for item, like in history:
            matrix[one, item] = 10 if like else -10
    return csr_matrix(matrix)


def test_least_squares_fold_in_is_implicits(films, least_squares):
    library, ours = least_squares
    answers = weights_of(films)
    expected, values = library.recommend(
        np.arange(STRANGERS), answers, N=10, filter_already_liked_items=False, recalculate_user=True
    )
    _, scores = replay(ours, films.histories)
    np.testing.assert_array_equal(top(scores), expected)
    np.testing.assert_allclose(np.take_along_axis(scores, expected, 1), values, atol=1e-4)


def test_pairwise_ranking_of_the_same_user_is_implicits(films):
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    options = {"factors": 6, "iterations": 10, "num_threads": 1, "random_state": 3}
    with fitting.one_thread():
        library = BayesianPersonalizedRanking(regularization=0.05, learning_rate=0.05, **options)
        library.fit(csr_matrix(films.clicks), show_progress=False)
    factors = fitting.pairwise_factors(
        films.clicks, factors=6, ridge=0.05, rate=0.05, iterations=10, seed=3
    )
    np.testing.assert_array_equal(factors, library.item_factors)
    users = np.arange(TRAINING)
    expected, _ = library.recommend(
        users, csr_matrix(films.clicks), N=10, filter_already_liked_items=False
    )
    ours = PairwiseRanking(factors, rate=0.1, ridge=0.05)
    state = ours.start(TRAINING)
    np.testing.assert_array_equal(ours.scores(state)[0], factors[:, -1])
    state.factors = library.user_factors
    np.testing.assert_array_equal(top(ours.scores(state)), expected)


def test_pairwise_fold_in_steps_down_the_gradient_of_its_criterion(films):
    factors = fitting.pairwise_factors(
        films.clicks, factors=4, ridge=0.05, rate=0.05, iterations=5, seed=0
    ).astype(float)
    item = 7

    def criterion(x):
        ahead = (factors[item] - factors) @ np.append(x, 1)
        return np.log1p(np.exp(-ahead)).mean() + 0.05 / 2 * x @ x

    ours = PairwiseRanking(factors, rate=1.0, ridge=0.05)
    first, _ = replay(ours, [[(3, 1)]])
    then, _ = replay(ours, [[(3, 1), (item, 1)]])
    x = first.factors[0, :-1]
    differences = [
        (criterion(x + step) - criterion(x - step)) / 2e-4 for step in 1e-4 * np.eye(len(x))
    ]
    np.testing.assert_allclose(then.factors[0, :-1] - x, np.negative(differences), atol=1e-6)
    skipped, _ = replay(ours, [[(3, 1), (item, 0)]])
    np.testing.assert_array_equal(skipped.factors, first.factors)


def profiles(films, vectors):
    """What strangers liked less what they did not, of rows of length 1."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.stack(
        [sum((1 if like else -1) * unit[item] for item, like in h) for h in films.histories]
    )


def test_content_by_attributes_is_scikit_learns_cosine(films):
    popularity = np.random.default_rng(0).standard_normal(ITEMS).astype(np.float32)
    expected = cosine_similarity(profiles(films, films.topics), films.topics) + 0.5 * popularity
    _, scores = replay(Content(films.topics, popularity, 0.5, 1.0), films.histories)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    np.testing.assert_array_equal(top(scores), top(expected))


def test_content_by_keywords_is_scikit_learns_cosine_of_tf_idf(films):
    catalogue = Catalogue(
        films.topics, films.topics, np.zeros(ITEMS), films.titles, films.topic_names
    )
    texts = [
        title + "".join(f" {films.topic_names[topic]}" for topic in np.flatnonzero(topics))
        for title, topics in zip(films.titles, films.topics, strict=True)
    ]
    words = TfidfVectorizer(max_features=300, token_pattern=r"\w+").fit_transform(texts)
    expected = cosine_similarity(profiles(films, words.toarray()), words)
    popularity = np.zeros(ITEMS, np.float32)
    ours = Content(keyword_vectors(catalogue, 300), popularity, 1.0, 1.0)
    _, scores = replay(ours, films.histories)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    # Films of the same words tie, and may come in any order.
    best = np.take_along_axis(expected, top(scores), 1)
    np.testing.assert_allclose(best, np.take_along_axis(expected, top(expected), 1), atol=1e-5)


def test_weighted_hybrid_weighs_what_the_libraries_say(films, least_squares):
    library, ours = least_squares
    popularity = np.random.default_rng(0).standard_normal(ITEMS).astype(np.float32)
    weights = np.array([0.3, 2.0, 0.7, 0.5, -1.0, 0.4])
    hybrid = Weighted(ours, Content(films.topics, popularity, 0.0, 1.0), popularity, weights)
    _, scores = replay(hybrid, films.histories)
    factors = library.recalculate_user(np.arange(STRANGERS), weights_of(films))
    collaborative = factors @ library.item_factors.T
    content = cosine_similarity(profiles(films, films.topics), films.topics)
    logits = 2.0 * collaborative + 0.7 * content + 0.5 * popularity
    np.testing.assert_array_equal(top(scores), top(logits))
    logits += 0.3 - 3.0 * collaborative.mean(1, keepdims=True)
    logits -= 0.3 * content.mean(1, keepdims=True)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=1e-5)
