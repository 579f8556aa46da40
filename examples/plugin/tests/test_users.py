"""The users keep driftrec's contract, and do what their equations say."""

from dataclasses import replace

import numpy as np
import pytest
from driftrec_tides import Tides

from driftrec.envs.testing import check_user_model


class Calm:
    """A stream without noise."""

    def normal(self, *shape: int) -> np.ndarray:
        """The mean of what would be drawn."""
        return np.zeros(shape, np.float32)


@pytest.mark.parametrize("parameters", [{}, {"wander": 0.0}, {"strength": 0.0, "period": 3.0}])
def test_the_contract_is_kept(parameters: dict[str, float]) -> None:
    """With the defaults, and where a part is switched off."""
    check_user_model(Tides(**parameters))


def test_the_taste_goes_round_once_in_a_period() -> None:
    """Half a period on, what was liked most is liked least; a whole period on, it is again."""
    model = Tides(wander=0.0)
    items = model.default_catalogue()
    plain = replace(items, quality=0 * items.quality)
    state = model.sample(50, np.random.default_rng(0))

    def taste_after(periods: float) -> np.ndarray:
        later = model.drift(state, periods * state.period, Calm())
        chance = model.click_probability(later, plain)
        return np.log(chance / (1 - chance)) - state.level[:, None]

    now = taste_after(0.0)
    assert now.max() == pytest.approx(model.strength, abs=0.01)
    assert np.allclose(taste_after(0.5), -now, atol=1e-3)
    assert np.allclose(taste_after(1.0), now, atol=1e-3)


def test_joy_keeps_users() -> None:
    """The more clicks of late, the less often a user who leaves is gone for good."""
    model = Tides()
    state = replace(model.sample(3, np.random.default_rng(0)), joy=np.array([0, 2, 8], np.float32))
    assert (np.diff(model.return_after(state).never) < 0).all()


def test_a_period_must_be_positive() -> None:
    """Parameters are looked at where they come in."""
    with pytest.raises(ValueError, match="period and rest must be positive, got 0"):
        Tides(period=0)
