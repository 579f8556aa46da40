"""Figures for what a log does not identify, each with where it comes from."""

from __future__ import annotations

from driftrec.envs.fitting.estimate import Estimate, assumed
from driftrec.envs.logs.log import InteractionLog

TASTE = assumed(0.65, "MovieLens-1M: .6-.7 over latent factors on unseen users")
CHOSEN_TASTE = assumed(
    0.8, "MovieLens-1M .6-.7 over what users chose: more over what is put before them"
)
RETAINED = assumed(0.8, "MovieLens-1M .78 [.52, 1], ml-latest .81 [.66, .94]")
LIFE_EVENTS = assumed(0.3, "no log says; with `retained_per_year` about a third of a core a year")
MOOD_SD = assumed(0.65, "KuaiRand-Pure, all surfaces")
MOOD_HOURS = assumed(2.0, "KuaiRand-Pure, all surfaces: gone in about 6 hours")
WHIM_SD = assumed(0.7, "KuaiRand-Pure, raw tags")
WHIM_MINUTES = assumed(10.0, "KuaiRand-Pure, raw tags")
SATIATION_HOURS = assumed(12.0, "half a day: no log says")
INFLUENCE = assumed(0.002, "no log says: a hundred clicks move a core by a fifth")
SESSION_SPREAD = assumed(0.3, "between users, in logs that hold sessions whole")
SPREAD = assumed(0.3, "of rates and weights between users: no log says")

LIVES = {
    "taste_sd": TASTE,
    "retained_per_year": RETAINED,
    "life_events_per_year": LIFE_EVENTS,
    "influence": INFLUENCE,
    "spread": SPREAD,
    "leave_fatigue": assumed(0.0, "sessions are geometric: what tires users is in `leave_boredom`"),
}
"""What no log of weeks or months identifies."""


def combined(estimate: Estimate, reference: Estimate, reference_sd: float) -> Estimate:
    """Mean of an estimate and a reference figure, weighted by their precisions.

    For parameters that a log identifies weakly: with a wide interval the reference speaks, with a
    narrow one the log.

    Args:
        estimate: of the log; the standard error is its interval's width over 3.92.
        reference: figure from elsewhere.
        reference_sd: how far the figure may be off.
    """
    sd = max((estimate.high - estimate.low) / 3.92, 1e-9)
    weight = reference_sd**2 / (sd**2 + reference_sd**2)
    return Estimate(
        weight * estimate.value + (1 - weight) * reference.value,
        weight * estimate.low + (1 - weight) * reference.value,
        weight * estimate.high + (1 - weight) * reference.value,
        f"{estimate.note}: log {estimate}, weight {weight:.2f}; else {reference.value:g}, "
        f"{reference.note}",
    )


def passing_variance(log: InteractionLog) -> float:
    """Variance of the logit of a click by taste, mood and whims, by the reference figures.

    An item of several topics averages as many whims.
    """
    width = float((log.topics[log.item] ** 2).sum(1).mean())
    return TASTE.value**2 + MOOD_SD.value**2 + WHIM_SD.value**2 * width
