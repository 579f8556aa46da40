"""MAML-RL for recommender users: a start from which each user's weights follow the user."""

from __future__ import annotations

from driftrec.meta.learner import Learner
from driftrec.meta.maml.config import MAMLConfig
from driftrec.meta.maml.run import MAMLRun


class MAML(Learner[MAMLConfig]):
    """Meta-trains a start and an inner rule on the training users of a population.

    Args:
        config: see `MAMLConfig`.
    """

    config_type = MAMLConfig
    run_type = MAMLRun
