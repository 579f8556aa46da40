"""RL² on a curriculum of fitted users, generated ones, and ones on whom its regret is high.

The adversary proposes users whom the policy serves worse than it could (adversarial domain
randomisation; PAIRED: Dennis et al. 2020), held near plausible users by a bound on the divergence
and by the share of users who are fitted or merely generated. Without its share this is training on
generated users beside fitted ones; without theirs too, on a finite set of users.
"""

from __future__ import annotations

from driftrec.meta.generation.curriculum_config import CurriculumConfig
from driftrec.meta.generation.curriculum_run import CurriculumRun
from driftrec.meta.learner import Learner


class Curriculum(Learner[CurriculumConfig]):
    """Meta-trains the policy of RL² on a curriculum of users.

    Args:
        config: see `CurriculumConfig`.
    """

    config_type = CurriculumConfig
    run_type = CurriculumRun
