"""Learning-rate schedules at points where their value is known."""

from __future__ import annotations

import pytest

from driftrec.meta.schedules import LearningRate


@pytest.mark.parametrize(
    ("schedule", "start", "middle", "end"),
    [
        ("constant", 1.0, 1.0, 1.0),
        ("linear", 1.0, 0.5, 0.0),
        ("inverse-time", 1.0, 1 / 5.5, 0.1),
        ("cosine", 1.0, 0.5, 0.0),
    ],
)
def test_schedule_at_start_middle_and_end(schedule, start, middle, end):
    rate = LearningRate(schedule, 2.0, iterations=100)
    values = [rate.at(iteration) for iteration in (0, 50, 100)]
    assert values == pytest.approx([2 * start, 2 * middle, 2 * end], abs=1e-12)


def test_adaptive_rate_falls_after_large_steps_and_rises_after_small_ones():
    rate = LearningRate("adaptive", 1.0, iterations=10, target_kl=0.01)
    rate.observe(0.05)
    assert rate.at(1) == pytest.approx(1 / 1.5)
    rate.observe(0.01)
    assert rate.at(2) == pytest.approx(1 / 1.5)
    rate.observe(0.001)
    assert rate.at(3) == pytest.approx(1.0)


def test_unknown_schedule_and_rate_are_refused():
    with pytest.raises(ValueError, match="unknown learning-rate schedule 'steps'"):
        LearningRate("steps", 1.0, 10)
    with pytest.raises(ValueError, match="must be positive, got 0"):
        LearningRate("linear", 0.0, 10)
