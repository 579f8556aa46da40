import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftrec.envs.logs import build_topics


def test_topics_share_an_items_weight_and_rare_tags_are_folded():
    tags = [["a"], ["b", "a"], ["c", "d"], ["c", "a"], []]
    topics = build_topics(tags, np.array([5, 1, 9, 1, 1]), max_topics=2)
    # c: 10 events, d: 9, a: 7, b: 1.
    assert topics.names == ("c", "d", "other")
    np.testing.assert_array_equal(
        topics.matrix, [[0, 0, 1], [0, 0, 1], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0, 1]]
    )
    assert (topics.filled, topics.folded_tags, topics.folded_items) == (1, 2, 3)


def test_a_repeated_or_empty_tag_counts_once_or_not_at_all():
    topics = build_topics([["a", "a"], ["", "b"], [""]], np.array([1, 1, 1]))
    assert topics.names == ("a", "b", "other")
    np.testing.assert_array_equal(topics.matrix, np.eye(3))
    assert topics.filled == 1


def test_no_topic_is_refused():
    with pytest.raises(ValueError, match="max_topics must be 1 or more"):
        build_topics([["a"]], np.array([1]), max_topics=0)


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=4), min_size=1, max_size=20),
    st.integers(1, 10),
)
def test_rows_sum_to_one_and_no_topic_is_empty(tags, max_topics):
    topics = build_topics(tags, np.ones(len(tags), dtype=np.int64), max_topics)
    np.testing.assert_allclose(topics.matrix.sum(axis=1), 1, rtol=1e-6)
    assert len(topics.names) <= max_topics + 1
    assert (topics.matrix.sum(axis=0) > 0).all()
