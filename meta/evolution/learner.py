"""Evolution strategies: RL²'s network, improved by trying perturbed weights on whole trials.

No gradient runs through time and no value is learnt: what counts is what a trial brought in all
(Salimans et al. 2017, "Evolution strategies as a scalable alternative to reinforcement learning").
"""

from __future__ import annotations

from driftrec.meta.evolution.config import ESConfig
from driftrec.meta.evolution.run import ESRun
from driftrec.meta.learner import Learner


class ES(Learner[ESConfig]):
    """Meta-trains, or fine-tunes, the policy of RL² by evolution strategies.

    Args:
        config: see `ESConfig`.
    """

    config_type = ESConfig
    run_type = ESRun
