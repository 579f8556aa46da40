"""What every user got from every method: one row for each, to be looked at by other tools."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from driftrec.agents.benchmark.results import ScenarioResult
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.metrics import begun
from driftrec.agents.predictions import impressions, log_losses, predicts
from driftrec.agents.statistics import ratio
from driftrec.envs.files import replacing

if TYPE_CHECKING:
    from polars import DataFrame


def user_table(results: Iterable[ScenarioResult]) -> DataFrame:
    """A row for each scenario, method, training seed and user.

    Columns: `scenario`, `method`, `seed` (of the training), `user`, `group`, `clicks`,
    `impressions`, `ctr`, `requests`, `sessions`, `days` (until last known to be there), `churned`,
    `reward` (summed), `regret` (expected feedback lost an impression) and `log_loss` (of click
    predictions); the last two are null where they were not recorded.

    Args:
        results: of which a generator need not hold more than one.
    """
    import polars

    parts = [
        polars.DataFrame(_columns(evaluation)).with_columns(
            polars.lit(result.scenario.name).alias("scenario").cast(polars.Categorical),
            polars.lit(name).alias("method").cast(polars.Categorical),
            polars.lit(seed, polars.Int32).alias("seed"),
        )
        for result in results
        for name, found in result.methods.items()
        for seed, evaluation in zip(found.seeds, found.evaluations, strict=True)
    ]
    first = ["scenario", "method", "seed"]
    if not parts:
        return polars.DataFrame(schema=first)
    return polars.concat(parts).select(*first, polars.exclude(first))


def write_users(table: DataFrame, path: str | Path) -> None:
    """Write the table to a parquet file, atomically."""
    with replacing(path) as temporary:
        table.write_parquet(temporary, compression="zstd")


def _columns(evaluation: Evaluation) -> dict[str, Any]:
    import polars

    requests = evaluation.active.sum(1)
    shown = requests * evaluation.slate
    clicks = evaluation.feedback.sum(1)
    return {
        "user": np.arange(evaluation.users, dtype=np.int32),
        "group": polars.Series(_groups(evaluation), dtype=polars.Categorical),
        "clicks": clicks,
        "impressions": shown.astype(np.int32),
        "ctr": clicks / shown.astype(np.float32),
        "requests": requests.astype(np.int32),
        "sessions": begun(evaluation, evaluation.active).astype(np.int32),
        "days": evaluation.last_day,
        "churned": evaluation.churned,
        "reward": evaluation.reward.sum(1),
        "regret": polars.Series(_regret(evaluation, shown), dtype=polars.Float32),
        "log_loss": polars.Series(_log_loss(evaluation), dtype=polars.Float32),
    }


def _groups(evaluation: Evaluation) -> np.ndarray:
    names = np.array(evaluation.group_names or ("",))
    number = np.zeros(evaluation.users, int) if evaluation.group is None else evaluation.group
    group: np.ndarray = names[number]
    return group


def _regret(evaluation: Evaluation, shown: np.ndarray) -> np.ndarray | list[None]:
    if evaluation.best is None or evaluation.expected is None:
        return [None] * evaluation.users
    lost: np.ndarray = (evaluation.best - evaluation.expected).sum(1) / shown
    return lost


def _log_loss(evaluation: Evaluation) -> np.ndarray | list[None]:
    if not predicts(evaluation):
        return [None] * evaluation.users
    seen = impressions(evaluation)
    loss = seen.by_user(log_losses(seen))
    return ratio(loss, seen.by_user(np.ones(len(seen.user))))
