"""What a checkpoint is worth on users whom nobody learned from or chose by."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from driftrec.agents.comparison import Comparison
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.policy import PolicyFactory
from driftrec.agents.registry import POLICIES
from driftrec.meta.saved_method import FILE, saved_policy
from pretraining.plan import Entry
from pretraining.training import folder_of

BATCH = 250

BASELINE, REFERENCE = "most-popular", "filter-ucb"

METRICS = ("ctr", "retention-1", "retention-7", "retention-30")


def test_scores(entry: Entry, out: Path, users: int) -> dict[str, Any]:
    """Metrics on test users, and the normalised score, with 95% intervals.

    Evaluations are kept beside the training, and made once.
    """
    folder = folder_of(entry, out)
    policy = partial(saved_policy, path=folder / FILE)
    met = {
        name: kept(POLICIES[name], entry, folder.parent / f"{name}-{users}.npz", users)
        for name in (BASELINE, REFERENCE)
    }
    met[entry.method] = kept(policy, entry, folder / f"test-{users}.npz", users)
    comparison = Comparison(met, baseline=BASELINE, reference=REFERENCE)
    names = METRICS if entry.population == "Retention" else METRICS[:1]
    found = {name: vars(comparison.estimate(entry.method, name)) for name in names}
    return {"users": users, **found, "score": vars(comparison.score(entry.method))}


def kept(policy: PolicyFactory, entry: Entry, path: Path, users: int) -> Evaluation:
    """An evaluation on test users, from its file where there is one."""
    if not path.exists():
        evaluate(policy, entry.users, users=users, batch=min(BATCH, users)).save(path)
    return Evaluation.load(path)
