"""Set users fitted to a log beside other users of that log.

Half the log's users are fitted; users of the fitted population are simulated and observed as the
log observes, and held against the other half on some thirty statistics. A statistic is inside
when the 95% bootstrap interval of the difference holds 0.

Examples:
    python scripts/realism.py --log KuaiRand --out runs/realism/KuaiRand
    python scripts/realism.py --log Movies --out runs/realism/Movies
    python scripts/realism.py --log path/to/ml-1m --users 4000 --seed 1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro
from common import console, run
from rich.table import Table

from driftrec.envs.files import write_json
from driftrec.envs.fitting import Comparison, fit, realism, simulate_like
from driftrec.envs.fitting.plots import plot_decay, plot_statistics
from driftrec.envs.logs import load_log


@dataclass(frozen=True)
class Realism:
    """What to fit, how many users to simulate, and where the results go."""

    log: str = "KuaiRand"
    """KuaiRand or Movies, or the path of a log."""
    users: int = 8000
    """Simulated users."""
    items: int = 1000
    """Size of the catalogue: the items most met."""
    seed: int = 0
    """Of the split of users, of bootstraps and of simulations."""
    out: Path = Path("runs/realism")
    """Folder of the results: realism.json and plots."""


def main() -> None:
    """Fit, simulate, compare, and write the results."""
    options = tyro.cli(Realism, description=__doc__)
    if options.users < 10 or options.items < 2:
        raise ValueError(
            f"users must be at least 10 and items 2, got {options.users} and {options.items}"
        )
    fitted = fit(load_log(options.log)[0], seed=options.seed, items=options.items)
    found = realism(fitted, simulate_like(fitted, options.users, seed=options.seed), options.seed)
    write_json(options.out / "realism.json", {"statistics": [asdict(one) for one in found]})
    plot_statistics(found, options.out / "statistics.png")
    plot_decay(found, options.out / "decay.png")
    screen = console()
    screen.print(table(options.log, found))
    inside = sum(one.inside for one in found)
    screen.print(f"{inside} of {len(found)} inside. Results and plots: {options.out}")


def table(name: str, found: Sequence[Comparison]) -> Table:
    """Every statistic with its intervals and mark."""
    rows = Table(title=f"{name}: simulated beside real users", caption="Intervals: 95%.")
    for column in ("statistic", "real", "simulated", ""):
        rows.add_column(column, justify="left" if column in ("statistic", "") else "right")
    for one in found:
        rows.add_row(
            one.name,
            cell(one.real, one.real_interval),
            cell(one.simulated, one.simulated_interval),
            "inside" if one.inside else "[red]falls short[/red]",
        )
    return rows


def cell(value: float, interval: tuple[float, float]) -> str:
    """A value with its interval."""
    return f"{value:.3g} ({interval[0]:.3g} to {interval[1]:.3g})"


if __name__ == "__main__":
    run(main)
