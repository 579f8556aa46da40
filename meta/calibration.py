"""Is a learned belief as sure as it should be? Predicted clicks against clicks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from driftrec.envs import Population, RecommendationVectorEnv
from driftrec.envs.files import replacing
from driftrec.envs.observation import Observation
from driftrec.meta.track import Track
from driftrec.meta.trial_policy import TrialPolicy, TrialState

BINS = 20


@dataclass(frozen=True)
class Calibration:
    """What was predicted and what came, in bins of as many predictions each.

    Attributes:
        predicted: mean predicted click probability, `(bins,)`.
        clicked: share of clicks, `(bins,)`.
        count: predictions, `(bins,)`.
    """

    predicted: np.ndarray
    clicked: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: mean over predictions of their bin's gap.

        Naeini, Cooper and Hauskrecht 2015, with bins of equal mass.
        """
        gap = np.abs(self.predicted - self.clicked)
        return float((self.count * gap).sum() / self.count.sum())

    @classmethod
    def of(cls, chance: np.ndarray, clicks: np.ndarray, bins: int = BINS) -> Calibration:
        """Bin predictions by their size.

        Args:
            chance: predicted click probabilities, `(predictions,)`.
            clicks: 0 or 1, `(predictions,)`.
            bins: number of them.

        Raises:
            ValueError: if there are fewer predictions than bins, or not as many as clicks.
        """
        if not len(clicks) == len(chance) >= bins >= 1:
            raise ValueError(
                f"there must be as many predictions as clicks, and no fewer than {bins} bins, got "
                f"{len(chance)} and {len(clicks)}"
            )
        order = np.argsort(chance, kind="stable")
        parts = np.array_split(order, bins)
        return cls(
            np.array([chance[part].mean() for part in parts]),
            np.array([clicks[part].mean() for part in parts]),
            np.array([len(part) for part in parts]),
        )


def calibration(
    policy: TrialPolicy,
    population: Population,
    *,
    users: int = 1000,
    seed: int = 0,
    split: str = "test",
    bins: int = BINS,
) -> Calibration:
    """Predict the click on each item that a policy shows, before it is shown.

    Args:
        policy: with a belief about every item, such as the amortised filter's.
        population: whose users click; one item a request.
        users: number of users, each for one whole trial.
        seed: of the users.
        split: that they come from.
        bins: see `Calibration.of`.

    Raises:
        ValueError: if requests hold more than one item: slots have odds of their own.
    """
    if population.slate != 1:
        raise ValueError(f"calibration is of one item a request, got a slate of {population.slate}")
    env = RecommendationVectorEnv(
        population, users, split=split, autoreset_mode="Disabled", by_number=True
    )
    observation, _ = env.reset(seed=seed)
    policy = policy.on(env.simulation.catalogue)
    state, trials = policy.start(users), env.simulation.trials
    chances: list[np.ndarray] = []
    clicks: list[np.ndarray] = []
    while not trials.over.all():
        chance, active = predicted_clicks(policy, observation, state), ~trials.over
        items, state = policy.act(observation, state)
        observation, *_ = env.step(items)
        chances.append(np.take_along_axis(chance, items, 1)[active, 0])
        clicks.append(np.asarray(observation["feedback"])[active, 0])
        trials = env.simulation.trials
    return Calibration.of(np.concatenate(chances), np.concatenate(clicks), bins)


@torch.no_grad()
def predicted_clicks(
    policy: TrialPolicy, observation: Observation, state: TrialState
) -> np.ndarray:
    r"""Click probability of every item given all feedback so far, `(users, items)`.

    The belief about the logit is Gaussian; the mean of its logistic is taken to be
    :math:`\sigma(m / \sqrt{1 + \pi s^2 / 8})` (MacKay 1992, equation 10).
    """
    track = Track(*(torch.as_tensor(getattr(state, item.name)) for item in fields(Track)))
    # A memory may be written into, and the state is not ours to change.
    track.memory = track.memory.clone()
    network: Any = policy.network
    _, known, track = network.know(observation, track)
    mean: Tensor = network.means(known, policy.table)
    variance: Tensor = network.sds(known, track, policy.table).square()
    chance: np.ndarray = torch.sigmoid(mean / (1 + math.pi / 8 * variance).sqrt()).numpy()
    return chance


def plot_reliability(calibrations: Mapping[str, Calibration], path: str | Path) -> None:
    """Predicted against observed clicks, a line for each calibration by its name."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.4", linewidth=0.8)
    for name, one in calibrations.items():
        label = f"{name} (error {one.error:.3f})"
        axes.plot(one.predicted, one.clicked, marker=".", linewidth=1.2, label=label)
    axes.set(xlabel="predicted click probability", ylabel="share of clicks")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    kind = Path(path).suffix.lstrip(".") or "png"
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=150)
