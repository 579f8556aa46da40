"""RL²: a recurrent policy trained by PPO over whole trials (Duan et al. 2016; Wang et al. 2016).

The memory is carried over all sessions of a user and reset between users only, so that what the
policy learns about a person is held in its activations: it adapts without a gradient step.
"""

from __future__ import annotations

from driftrec.meta.learner import Learner
from driftrec.meta.rl2_config import RL2Config
from driftrec.meta.rl2_run import RL2Run


class RL2(Learner[RL2Config]):
    """Meta-trains a recurrent policy on the training users of a population.

    Args:
        config: see `RL2Config`.
    """

    config_type = RL2Config
    run_type = RL2Run
