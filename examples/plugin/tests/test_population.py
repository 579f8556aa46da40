"""The population is known by name, and no two of its splits share a user."""

import gymnasium
import numpy as np
from driftrec_tides import Tides, tides_population

from driftrec.envs import SPLITS, Simulation, make_population


def first_users(split: str) -> np.ndarray:
    """Where the tide of some users stands at first."""
    simulation = Simulation(tides_population().split(split), 200)
    simulation.reset(0)
    phase: np.ndarray = simulation.hidden_state().phase
    return phase


def test_splits_share_no_user() -> None:
    """The same seed draws others in each."""
    phases = np.concatenate([first_users(split) for split in SPLITS])
    assert len(np.unique(phases)) == len(phases)


def test_the_entry_point_leads_here() -> None:
    """Scripts find the users by the name in pyproject.toml."""
    assert isinstance(make_population("tides").model, Tides)


def test_gymnasium_runs_them() -> None:
    """A batch of users through the front door, under actions drawn at random."""
    users = gymnasium.make_vec("driftrec.envs:DriftRec/Population-v0", 16, population="tides")
    users.reset(seed=1)
    users.action_space.seed(1)
    shown = [users.step(users.action_space.sample()) for _ in range(100)]
    assert all(users.observation_space.contains(step[0]) for step in shown)
    assert 0.2 < np.mean([step[1] for step in shown]) < 0.7
