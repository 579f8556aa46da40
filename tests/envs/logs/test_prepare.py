import numpy as np
import polars as pl
import pytest

from driftrec.envs.logs import LogError, RawLog, prepare

START = 1_650_000_000.0
HOUR = 3600.0


def make_raw(rows, columns=("user", "item", "time", "feedback"), tags=None, **rest):
    events = pl.DataFrame(rows, schema=list(columns), orient="row")
    known = {"a": ["x"], "b": ["x", "y"], "c": ["z"]} if tags is None else tags
    items = pl.DataFrame({"item": list(known), "tags": list(known.values())})
    values = {"name": "tiny", "source": "tiny.csv", "has_skips": True} | rest
    return RawLog(events=events, items=items, **values)


def test_a_small_log_comes_out_exactly():
    raw = make_raw(
        [
            (20, "b", START + 24 * HOUR, 1, 7, 0.5),
            (10, "c", START + 6 * HOUR, 0, 7, 12.0),
            (20, "a", START, 0, 3, -1.0),
            (20, "a", START, 0, 3, -1.0),
            (10, "b", START + 3 * HOUR, 1, 7, float("inf")),
            (10, "d", START + 12 * HOUR, 1, 7, 2.0),
            (30, "a", 0.0, 1, 7, 1.0),
        ],
        columns=("user", "item", "time", "feedback", "surface", "watch_ratio"),
        earliest=START - HOUR,
    )
    log, report = prepare(raw, max_topics=2)

    assert log.user.tolist() == [0, 0, 0, 1, 1]
    assert log.user_ids.tolist() == [10, 20]
    assert log.item_ids.tolist() == ["a", "b", "c", "d"]
    assert log.item.tolist() == [1, 2, 3, 0, 1]
    assert log.time.tolist() == [0.125, 0.25, 0.5, 0.0, 1.0]
    assert log.feedback.tolist() == [1, 0, 1, 0, 1]
    assert log.surface.tolist() == [7, 7, 7, 3, 7]
    np.testing.assert_array_equal(log.watch_ratio, [np.nan, np.nan, 2.0, np.nan, 0.5])
    # Events by tag: x 3, y 2, z 1; z is folded, item d is not in the item table.
    assert log.topic_names == ("x", "y", "other")
    np.testing.assert_array_equal(log.topics, [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1], [0, 0, 1]])
    assert log.rating is None
    assert log.titles is None

    changed = {step.step: (step.changed, step.of) for step in report.steps}
    assert changed == {
        "exact duplicates": (1, 7),
        "impossible times": (1, 6),
        "impossible watch ratios": (3, 5),
        "ratings to likes": (0, 0),
        "missing tags": (1, 4),
        "topics": (1, 4),
        "codes, order, days": (4, 5),
    }


def test_rows_that_differ_anywhere_are_not_duplicates():
    raw = make_raw(
        [(1, "a", START, 1, 0), (1, "a", START, 1, 1), (1, "a", START, 1, 1)],
        columns=("user", "item", "time", "feedback", "is_like"),
    )
    log, report = prepare(raw)
    assert report["exact duplicates"].changed == 1
    assert log.num_events == 2


@pytest.mark.parametrize("time", [float("nan"), None, -5.0, float("inf"), START * 1000])
def test_an_event_at_an_impossible_time_is_dropped(time):
    raw = make_raw([(1, "a", START, 1), (2, "b", time, 1)])
    log, report = prepare(raw)
    assert report["impossible times"].changed == 1
    assert log.user_ids.tolist() == [1]


def test_ratings_become_likes_at_the_threshold():
    raw = make_raw(
        [(1, "a", START, 3.5), (1, "b", START + 1, 4.0), (1, "c", START + 2, 5.0)],
        columns=("user", "item", "time", "rating"),
        has_skips=False,
        like_at=4.0,
    )
    log, report = prepare(raw)
    assert log.feedback.tolist() == [0, 1, 1]
    assert log.rating.tolist() == [3.5, 4.0, 5.0]
    assert not log.has_skips
    assert report["ratings to likes"].note == "like = rating >= 4; liked 0.667"


def test_few_tags_need_no_other():
    log, report = prepare(make_raw([(1, "a", START, 1), (1, "b", START, 1)]))
    assert log.topic_names == ("x", "y")
    assert (report["missing tags"].changed, report["topics"].changed) == (0, 0)


def test_events_at_the_same_time_stay_in_the_order_of_the_file():
    rows = [(1, item, START, 1) for item in ("c", "a", "b")]
    log, _ = prepare(make_raw(rows))
    assert log.item_ids[log.item].tolist() == ["c", "a", "b"]


def test_a_log_with_nothing_left_says_why():
    with pytest.raises(LogError, match=r"tiny.csv: no event is left.*in seconds"):
        prepare(make_raw([(1, "a", START * 1000, 1)]))


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([(1, "a", 1.0, float("nan"))], ("user", "item", "time", "rating"), "ratings from 0 to 5"),
        ([(1, "a", 1.0, 7.0)], ("user", "item", "time", "rating"), "got 7.0 in event 0"),
        ([(1, "a", 1.0, 3.0), (1, "b", 1.0, None)], ("user", "item", "time", "rating"), "got None"),
        ([(1, "a", 1.0, 2)], ("user", "item", "time", "feedback"), "0 or 1, got 2 in event 0"),
        (
            [(1, "a", 1.0, 0.0), (1, "a", 2.0, None)],
            ("user", "item", "time", "feedback"),
            "got None",
        ),
        ([(1, None, 1.0, 1)], ("user", "item", "time", "feedback"), "1 without item"),
        ([(1, "a", 1.0)], ("user", "item", "time"), "feedback or rating, got neither"),
        ([(1, "a", 1)], ("user", "item", "feedback"), "expected columns time"),
        ([], ("user", "item", "time", "feedback"), "without any row"),
    ],
)
def test_a_raw_log_that_is_not_well_formed_is_refused(rows, columns, message):
    with pytest.raises(LogError, match=message):
        make_raw(rows, columns)


def test_the_report_prints_a_table_and_names_its_steps():
    _, report = prepare(make_raw([(1, "a", START, 1), (1, "a", START, 1)]))
    lines = str(report).splitlines()
    assert lines[0] == "tiny, prepared from tiny.csv"
    assert lines[1].split() == ["step", "changed", "of", "what", "was", "done"]
    assert lines[2].split() == ["exact", "duplicates", "1", "2", "events", "dropped"]
    assert len(lines) == 2 + len(report.steps)
    with pytest.raises(KeyError, match="there are: exact duplicates, impossible times"):
        report["polish"]
