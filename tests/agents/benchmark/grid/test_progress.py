"""The time left is what cells of the same kind and method took."""

import math

import pytest

from driftrec.agents.benchmark.cells import Meeting, Training
from driftrec.agents.benchmark.progress import Estimate, Status, duration, grid_bar


def training(name, seed=0):
    return Training(name, name, "p", seed, "smoke")


def meeting(name, users=10, seed=0):
    return Meeting(name, name, "p", "test", users, 5, seed, 20, None)


def test_a_cell_takes_what_others_of_its_method_took_for_as_much_work():
    estimate = Estimate()
    cells = [training("a"), training("b"), meeting("a"), meeting("a", users=30), meeting("c")]
    estimate.expect(cells)
    assert math.isnan(estimate.seconds_left)
    estimate.learn(training("a"), 60)
    estimate.learn(training("a"), 80)
    estimate.learn(meeting("a"), 2)
    estimate.learn(meeting("d"), 4)
    # What was never seen is like the others of its kind: 3 seconds for 10 users.
    expected = [70, 70, 2, 6, 3]
    assert [estimate.seconds(cell) for cell in cells] == pytest.approx(expected)
    assert estimate.seconds_left == pytest.approx(sum(expected))
    estimate.expect(cells[:2], -1)
    assert estimate.seconds_left == pytest.approx(11)
    estimate.expect(cells[2:], -1)
    assert estimate.seconds_left == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (math.nan, ""), (0, ""),
        (0.2, "about 1 s left"), (59, "about 59 s left"), (61, "about 2 min left"),
        (3540, "about 59 min left"),
        (12000, "about 3 h 20 min left"), (3601, "about 1 h 01 min left"),
    ],
)  # fmt: skip
def test_time_left_in_words(seconds, words):
    assert duration(seconds) == words


def test_without_a_terminal_the_bar_is_silent(capfd):
    with grid_bar() as report:
        report(Status(1, 1, 4, 30.0, "meeting of a"))
    assert capfd.readouterr() == ("", "")
