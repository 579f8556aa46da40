"""What the scripts share: errors in one line, policies by name or checkpoint, a progress bar."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from driftrec.agents.policy import Policy
from driftrec.agents.registry import POLICIES
from driftrec.envs import RecommendationVectorEnv

WIDTH = 100
"""Columns of text that tables are made for."""


def run(main: Callable[[], None]) -> None:
    """Run a script and exit: 0 if all went well, 2 on bad input, 130 when interrupted."""
    try:
        main()
    except (ValueError, OSError, ImportError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"error: {reason}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted: run the same command again to go on", file=sys.stderr)
        sys.exit(130)


def console() -> Console:
    """Where tables go: never wider than they are made for, and no narrower in a file."""
    terminal = Console()
    return Console(width=min(terminal.width, WIDTH) if terminal.is_terminal else WIDTH)


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[str, int], None]]:
    """A bar on the error stream, silent where that is no terminal.

    Yields:
        Told what is under way and how much more of `total` is done.
    """
    screen = Console(stderr=True)
    columns = (
        TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda text, done: bar.update(task, description=text, advance=done)


@dataclass(frozen=True)
class NamedPolicy:
    """A policy by its name in the registry; calling it makes the policy for an environment.

    Raises:
        ValueError: if there is no policy of that name.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in POLICIES:
            raise ValueError(f"policy must be one of {', '.join(POLICIES)}; got {self.name!r}")

    def __call__(self, env: RecommendationVectorEnv) -> Policy:
        """The policy for this environment."""
        return POLICIES[self.name](env)

    def fingerprint(self) -> str:
        """Says which policy it is."""
        return self.name


@dataclass(frozen=True)
class SavedPolicy:
    """A learned policy from a checkpoint; calling it makes the policy for an environment.

    Raises:
        FileNotFoundError: if there is nothing at `path`.
        ValueError: if the checkpoint is damaged or something else.
    """

    path: Path

    def __post_init__(self) -> None:
        if not self.path.exists():
            raise FileNotFoundError(f"there is no checkpoint at {self.path}")
        # Read at once: a damaged one is better known now than after the baselines have run.
        _load(self.path)

    def __call__(self, env: RecommendationVectorEnv) -> Policy:
        """The policy for this environment's catalogue and slate."""
        simulation = env.simulation
        policy: Policy = _load(self.path).on(simulation.catalogue, simulation.slate)
        return policy

    def fingerprint(self) -> str:
        """Hash of the weights and what is written beside them."""
        path = self.path / "policy.safetensors" if self.path.is_dir() else self.path
        return hashlib.sha256(path.read_bytes()).hexdigest()


Candidate = NamedPolicy | SavedPolicy
"""A policy that a script can make in any process."""


def _load(path: Path) -> Any:
    # Imported late: a worker that runs baselines needs no torch.
    from driftrec.meta import load

    return load(path)
