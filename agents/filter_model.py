"""What a Bayesian filter must know of users: clicks whose logit is linear in a Gaussian state."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from driftrec.agents.belief import Belief
from driftrec.envs import Catalogue, DriftingUser, UserModel
from driftrec.envs.arrays import Array
from driftrec.envs.drifting_user import DAYS_PER_YEAR
from driftrec.envs.wrapped_users import unwrapped


@dataclass(frozen=True, eq=False)
class FilterModel:
    """Users as a linear-Gaussian state with logistic clicks.

    The logit of a click on item j in slot s is
    <loadings_j, z> + offset_j - satiation <recent, topic_j> + slot_bias s
    - repeat_penalty [shown before], where z is a vector of stationary Ornstein-Uhlenbeck processes
    and `recent` counts faded exposures by topic.
    A click moves z by influence * (pull_j - pulled z).

    Attributes:
        loadings: `(items, D)`.
        offsets: `(items,)`, in logits.
        prior_mean: of the stationary law, `(D,)`.
        prior_covariance: `(D, D)`.
        rates: relaxation of each component, per day, `(D,)`; components that are correlated in
            the stationary law must share their rate.
        topics: share of each topic in each item, `(items, topics)`.
        satiation: logits lost per recent exposure to a topic.
        satiation_rate: per day.
        slot_bias: logits per slot down the slate.
        repeat_penalty: logits lost by an item shown before.
        influence: share of the way moved by a click.
        pull: where a click on the item moves the state, `(items, D)`.
        pulled: 1 for components that clicks move, `(D,)`.
    """

    loadings: Array
    offsets: Array
    prior_mean: Array
    prior_covariance: Array
    rates: Array
    topics: Array = field(default_factory=lambda: np.zeros((1, 0), np.float32))
    satiation: float = 0.0
    satiation_rate: float = 0.0
    slot_bias: float = 0.0
    repeat_penalty: float = 0.0
    influence: float = 0.0
    pull: Array = 0.0
    pulled: Array = 0.0

    def __post_init__(self) -> None:
        for name in ("loadings", "offsets", "prior_mean", "prior_covariance", "rates", "topics",
                     "pull", "pulled"):  # fmt: skip
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float32))
        size = self.loadings.shape[1]
        for name, shape in (("prior_mean", (size,)), ("prior_covariance", (size, size)),
                            ("rates", (size,)), ("offsets", self.loadings.shape[:1])):  # fmt: skip
            if (got := getattr(self, name).shape) != shape:
                raise ValueError(f"{name} must have shape {shape} as loadings have, got {got}")

    @property
    def prior(self) -> Belief:
        """The stationary law, as a belief of one row."""
        return Belief(self.prior_mean[None], self.prior_covariance[None])

    @classmethod
    def from_user_model(cls, model: UserModel, catalogue: Catalogue) -> FilterModel:
        """The true model of `DriftingUser`, up to three approximations.

        The state is [level, mood, core, whims]. The mixture of personas has the Gaussian of its
        mean and covariance, with life events and slow drift of the core as one relaxation; rates
        and weights that differ between users have their median. Of users who are wrapped, such as
        `PersonaJump`, it is the model inside: the filter knows nothing of what the wrapper does.

        Raises:
            ValueError: if clicks of `model` are not logistic in a Gaussian state.
        """
        model = unwrapped(model)
        if not isinstance(model, DriftingUser):
            raise ValueError(
                f"a BayesFilter reads a DriftingUser, got {type(model).__name__}: "
                "use a ParticleFilter"
            )
        if model.choice != "independent":
            raise ValueError(
                f"a BayesFilter reads independent choices, got choice={model.choice!r}: "
                "use a ParticleFilter"
            )
        return _of_drifting_user(model, catalogue)


def _of_drifting_user(model: DriftingUser, catalogue: Catalogue) -> FilterModel:
    features, topics = np.asarray(catalogue.features), np.asarray(catalogue.topics)
    items, dimension = features.shape
    core = slice(2, 2 + dimension)
    size = 2 + dimension + model.topics
    constant = np.ones((items, 2), np.float32)
    mean, covariance = np.zeros(size), np.zeros((size, size))
    sds = [model.level_sd, model.mood_sd, *[0] * dimension, *[model.whim_sd] * model.topics]
    np.fill_diagonal(covariance, np.square(sds))
    between = np.cov(model.personas.T, bias=True).reshape(dimension, dimension)
    covariance[core, core] = between + (1 - model.persona_share) * np.eye(dimension)
    mean[core] = model.personas.mean(0)
    rates = np.zeros(size)
    rates[1] = 24 / model.mood_hours
    rates[core] = _core_rate(model) / DAYS_PER_YEAR
    rates[2 + dimension :] = 1440 / model.whim_minutes
    pull, pulled = np.zeros((items, size)), np.zeros(size)
    pull[:, core], pulled[core] = dimension**0.5 * features, 1
    return FilterModel(
        loadings=np.concatenate([constant, model.taste_sd * features, topics], axis=1),
        offsets=np.asarray(catalogue.quality) + model.intercept,
        prior_mean=mean,
        prior_covariance=covariance,
        rates=rates,
        topics=topics,
        satiation=model.satiation,
        satiation_rate=24 / model.satiation_hours,
        slot_bias=model.slot_bias,
        repeat_penalty=model.repeat_penalty,
        influence=model.influence,
        pull=pull,
        pulled=pulled,
    )


def _core_rate(model: DriftingUser) -> float:
    """Relaxation of the core per year: of its two parts, weighted by their variance."""
    slowest = 1e-3
    individual = -np.log(max(model.retained_per_year, slowest))
    share = model.persona_share
    return float(share * model.life_events_per_year + (1 - share) * individual)
