"""The reference line: filters and the amortised filter in a world with known answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from driftrec.agents.pseudo_reward import standard_error, worth
from driftrec.agents.reference_line import (
    LINE_POLICIES,
    PUBLISHED,
    REQUESTS,
    RETENTIONS,
    likelihoods,
    line_population,
)
from driftrec.meta.amortised import AmortisedConfig
from validation.cells import Cell, Plan, result_of
from validation.text import NOT_RUN, plus_minus, table, verdict
from validation.training import train

SECTION = "filters"
TITLE = "Filters on the reference line"

WITHIN = 0.006
DRIFTING = 2
"""Place in `RETENTIONS` of the drift at which ways of acting are compared."""

ORDER = (("filter-ucb", "filter-greedy"), ("filter-greedy", "filter-thompson"))


@dataclass(frozen=True)
class LineCell(Cell):
    """A policy that is not learnt, at one rate of drift."""

    policy: str
    retention: float
    users: int
    section = SECTION

    @property
    def name(self) -> str:
        """Policy and drift."""
        return f"line rho={self.retention:g} {self.policy}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Click-through rate, and that of the best item of each moment."""
        where = line_population((self.retention,))
        played = worth(LINE_POLICIES[self.policy], where, self.users, seed=0)
        rates, best = played.pseudo_reward / REQUESTS, played.best.mean(1)
        return {
            "rate": float(rates.mean()), "error": standard_error(rates),
            "best": float(best.mean()), "best_error": standard_error(best),
        }  # fmt: skip


@dataclass(frozen=True)
class GapCell(Cell):
    """How much higher one policy is than another on the same users."""

    policy: str
    other: str
    retention: float
    users: int
    section = SECTION

    @property
    def name(self) -> str:
        """Policies and drift."""
        return f"line rho={self.retention:g} {self.policy} minus {self.other}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """The paired difference in click-through rate."""
        where = line_population((self.retention,))
        one, other = (
            worth(LINE_POLICIES[name], where, self.users, seed=0).pseudo_reward / REQUESTS
            for name in (self.policy, self.other)
        )
        return {"gap": float((one - other).mean()), "error": standard_error(one - other)}


@dataclass(frozen=True)
class LikelihoodCell(Cell):
    """The Gaussian filter's log-likelihood beside that of particles."""

    users: int
    particles: int
    retention: float = RETENTIONS[DRIFTING]
    section = SECTION

    @property
    def name(self) -> str:
        """Numbers of users and particles."""
        return f"likelihood {self.users} users {self.particles} particles"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Nats a request, and their paired difference."""
        gaussian, particle = likelihoods(self.users, self.retention, self.particles)
        gap = gaussian - particle
        return {
            "gaussian": float(gaussian.mean()),
            "particle": float(particle.mean()),
            "gap": float(gap.mean()),
            "error": standard_error(gap),
        }


@dataclass(frozen=True)
class AmortisedCell(Cell):
    """One network for all rates of drift, trained with one seed."""

    config: AmortisedConfig
    users: int
    section = SECTION

    @property
    def name(self) -> str:
        """The seed."""
        return f"line amortised seed {self.config.seed}"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Train on users of all four rates, then measure at each."""
        policy, cost = train("amortised", self.config, line_population(RETENTIONS), folder)
        rates, errors = [], []
        for retention in RETENTIONS:
            where = line_population((retention,))
            played = worth(lambda env: policy, where, self.users, seed=0)
            rates.append(float(played.pseudo_reward.mean() / REQUESTS))
            errors.append(standard_error(played.pseudo_reward / REQUESTS))
        return cost | {"rates": rates, "errors": errors}


def line_cell(policy: str, place: int, plan: Plan) -> LineCell:
    """The cell of a policy at one rate of drift."""
    return LineCell(policy, RETENTIONS[place], plan.pick(50, 10_000))


def gap_cells(plan: Plan) -> list[GapCell]:
    """Ways of acting compared."""
    users = plan.pick(50, 10_000)
    return [GapCell(one, other, RETENTIONS[DRIFTING], users) for one, other in ORDER]


def likelihood_cell(plan: Plan) -> LikelihoodCell:
    """The filters compared."""
    return LikelihoodCell(users=plan.pick(2, 100), particles=plan.pick(200, 4000))


def amortised_cells(plan: Plan) -> list[AmortisedCell]:
    """A cell for each seed."""
    iterations = plan.pick(2, 100, 300)
    config = AmortisedConfig(
        iterations=iterations,
        users=plan.pick(16, 512),
        hidden=plan.pick(8, 96),
        unseen_only=False,
        probes=20,
        acting="ucb",
        bonus=1.5,
        validate_every=max(iterations // 5, 1),
        validation_users=plan.pick(16, 2000),
    )
    users = plan.pick(50, 10_000)
    return [AmortisedCell(replace(config, seed=seed), users) for seed in range(plan.seeds)]


def cells(plan: Plan) -> list[Cell]:
    """All of the section."""
    lines = [
        line_cell(policy, place, plan)
        for policy in LINE_POLICIES
        for place in plan.pick((DRIFTING,), range(len(RETENTIONS)))
    ]
    return [likelihood_cell(plan), *lines, *gap_cells(plan), *amortised_cells(plan)]


def page(plan: Plan, out: Path, static: Path) -> str:
    """The section's text."""
    headings = ["policy", *(f"rho {retention:g}" for retention in RETENTIONS)]
    rows = [[name, *_texts(name, plan, out)] for name in PUBLISHED]
    return f"""\
Click-through rate where clicks are logistic in five tastes that keep rho of themselves from request
to request (20 items, 100 requests; `driftrec.agents.reference_line`), by the probability of the
shown item: measured (published, difference), in bold where the difference is beyond ±{WITHIN} by
more than two standard errors. The published catalogue is not known, nor are LinUCB's settings; one
was chosen that gives the published rates of random, most popular and clairvoyant. UCB has a bonus
of 1.5 standard deviations. The amortised filter is one network for all four rates, acting by UCB.

{table(headings, rows)}

{_likelihood(plan, out)}

{_order(plan, out)}"""


def _texts(name: str, plan: Plan, out: Path) -> list[str]:
    return [_text(_rate(name, place, plan, out), PUBLISHED[name][place]) for place in range(4)]


def _rate(name: str, place: int, plan: Plan, out: Path) -> tuple[float, float] | None:
    """Rate and standard error, or None where it was not run."""
    if name == "amortised":
        done = [one for cell in amortised_cells(plan) if (one := result_of(cell, out))]
        if not done:
            return None
        values = np.array([one["rates"][place] for one in done])
        spread = values.var(ddof=1) / len(values) if len(values) > 1 else 0.0
        return float(values.mean()), float(np.sqrt(spread + done[0]["errors"][place] ** 2))
    source = "random" if name == "clairvoyant" else name
    result = result_of(line_cell(source, place, plan), out)
    if result is None:
        return None
    if name == "clairvoyant":
        return result["best"], result["best_error"]
    return result["rate"], result["error"]


def _text(found: tuple[float, float] | None, published: float) -> str:
    if found is None:
        return NOT_RUN
    value, error = found
    gap = value - published
    text = f"{plus_minus(value, error, 4)} ({published:g}, {gap:+.4f})"
    return f"**{text}**" if abs(gap) > WITHIN + 2 * error else text


def _likelihood(plan: Plan, out: Path) -> str:
    result = result_of(likelihood_cell(plan), out)
    if result is None:
        return f"Assumed-density filter against 4000 particles: {NOT_RUN}."
    judged = verdict(abs(result["gap"]), 1e-3, below=True, decimals=5)
    return (
        f"Log-likelihood of clicks at rho .95: {result['gaussian']:.4f} nats a request by the "
        f"assumed-density filter, {result['particle']:.4f} by 4000 particles, a difference of "
        f"{plus_minus(result['gap'], result['error'], 5)} over users "
        f"(target: within .001, {judged})."
    )


def _order(plan: Plan, out: Path) -> str:
    texts = []
    for cell in gap_cells(plan):
        result = result_of(cell, out)
        gap = NOT_RUN if result is None else plus_minus(result["gap"], result["error"], 4)
        texts.append(f"{cell.policy} minus {cell.other} {gap}")
    return f"At rho .95, on the same users: {'; '.join(texts)} (target: neither below 0)."
