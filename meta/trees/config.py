"""How the tree-based learner is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from driftrec.meta.checks import check_counts, check_fractions, check_not_negative
from driftrec.meta.learner import LearnerConfig
from driftrec.meta.schedules import ScheduleName
from driftrec.meta.trees.history import StatisticsConfig


@dataclass(frozen=True)
class TreesConfig(LearnerConfig):
    """How trees are trained. The defaults are tuned on the validation users of `DriftRec/Feed-v0`.

    Of the fields that all learners have, `iterations` are rounds of collecting and fitting,
    `users` those whose trials a round collects, `learning_rate` is the boosting rate and
    `schedule` lowers it from round to round. The gradient norm that `gradient_tolerance` is
    compared with is that of the squared error as a function of the prediction: its root mean
    square on held-out users. Only clicks can be learnt, in one process on the CPU, and no update
    has a divergence, so other rewards, more workers, torch's arrays and the adaptive schedule are
    refused.
    """

    smoke: ClassVar[dict[str, Any]] = LearnerConfig.smoke | {"trees": 10, "min_rows": 50}

    iterations: int = 3
    """Rounds: each collects trials with the policy so far and fits the rows of all rounds anew."""
    users: int = 400
    """Users whose trials a round collects; a quarter as many validation users are held out."""
    learning_rate: float = 0.08
    """Boosting rate: the share of each tree that is added."""
    schedule: ScheduleName = "constant"
    """How the boosting rate goes on from round to round: any but adaptive."""
    validate_every: int = 1
    """Rounds between two looks at the validation users."""
    validation_users: int = 500
    """Validation users, met with the same luck each time."""
    labels: Literal["logits", "clicks"] = "logits"
    """What is learnt: the true logit of a click on the items shown and on others (known in
    training alone), or the clicks on what was shown."""
    others: int = 4
    """Items a request, beside those shown, whose logit is learnt; no use with clicks."""
    explore: float = 0.1
    """Share of requests, after the first round, in which the behaviour ignores what it knows."""
    sharpness: float = 4.0
    """It then draws items by softmax(sharpness * quality)."""
    linear_start: bool = True
    """Boosting starts from a least-squares fit; else from zero. The fit picks the candidates in
    either case."""
    trees: int = 150
    """At most so many; fewer where held-out users' error stops falling."""
    leaves: int = 31
    """Of a tree, at most."""
    min_rows: int = 300
    """In a leaf."""
    members: int = 1
    """Boosted models, each on a bootstrap of the requests where there are several; their mean
    counts."""
    quantile: float = 0.84
    """Of the error, fitted for the bonus where there is one member; 0 to fit none."""
    bonus: float = 0.0
    """How much of the upper quantile of the error, or of the members' standard deviation, is added
    to an item's score."""
    candidates: int = 40
    """Items of a user that the trees look at: the best by the linear fit."""
    statistics: StatisticsConfig = field(default_factory=StatisticsConfig)
    """How a trial is summed up."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_common()
        check_counts(self, "trees", "min_rows", "members", "candidates")
        if self.leaves < 2:
            raise ValueError(f"leaves must be at least 2, got {self.leaves}")
        check_not_negative(self, "others", "sharpness", "bonus")
        check_fractions(self, "explore")
        if self.labels not in ("logits", "clicks"):
            raise ValueError(f"labels must be 'logits' or 'clicks', got {self.labels!r}")
        self._check_width()

    def _check_common(self) -> None:
        if self.reward_weights != {"clicks": 1.0}:
            raise ValueError(
                f"trees learn clicks alone: reward must be 'clicks', got {self.reward!r}"
            )
        if self.workers != 1:
            raise ValueError(
                f"trees are grown in one process: workers must be 1, got {self.workers}"
            )
        if self.arrays != "numpy":
            raise ValueError(f"trees grow on the CPU: arrays must be 'numpy', got {self.arrays!r}")
        if self.schedule == "adaptive":
            raise ValueError("the adaptive schedule needs a divergence, which trees have not")
        if self.learning_rate > 1:
            raise ValueError(f"the boosting rate must lie in (0, 1], got {self.learning_rate}")

    def _check_width(self) -> None:
        if not 0 <= self.quantile < 1:
            raise ValueError(f"quantile must lie in [0, 1), got {self.quantile}")
        if self.bonus and self.members == 1 and not self.upper:
            raise ValueError(
                "a bonus needs the quantile of logits, or several members: a quantile of clicks "
                "is 0 or 1"
            )

    @property
    def upper(self) -> bool:
        """Whether the upper quantile of the error is fitted."""
        return self.members == 1 and self.quantile > 0 and self.labels == "logits"
