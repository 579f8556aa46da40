"""A tree-based meta-learner: gradient-boosted trees trained across users.

What recurrent learners leave to a network is here in two parts: a trial is summed up by statistics
chosen beforehand (`Statistics`), and what they say of an item is learnt across users. Training is
dataset aggregation (Ross, Gordon and Bagnell 2011, algorithm 3.1): each round collects trials of
new users with the policy so far, and all rounds' rows are fitted anew.
"""

from __future__ import annotations

from driftrec.meta.learner import Learner
from driftrec.meta.trees.config import TreesConfig
from driftrec.meta.trees.run import TreesRun


class Trees(Learner[TreesConfig]):
    """Learns to rank items by boosted trees, on the training users of a population.

    Args:
        config: see `TreesConfig`.
    """

    config_type = TreesConfig
    run_type = TreesRun
