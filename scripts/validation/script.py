"""The scripts that prove things: they list cells, run those that are missing, and write a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from common import console

from driftrec.agents.workers import worker_pool
from driftrec.envs.files import write_text
from validation.cells import Cell, Plan, Size, forget, record_of, run_cell, unique
from validation.kept import drop, keep, restore, section_of


@dataclass(frozen=True)
class Options:
    """What to measure, and where the results go."""

    size: Size = "standard"
    """smoke shows in seconds that all works; full trains longer than standard."""
    seeds: int = 3
    """Trainings of each learner."""
    only: str = ""
    """Run or list only cells whose name holds this text."""
    workers: int = 2
    """Processes, one thread each; each runs one cell at a time."""
    list: bool = False
    """Show the cells and which are done, and stop."""
    write: bool = False
    """Compose the page of the cells that are done, and stop."""
    fresh: bool = False
    """Measure anew what is done already, and train from the start."""
    out: Path = Path("runs/validation")
    """Folder of the results."""
    page: Path | None = None
    """Where the page goes; if left out in docs, and for smoke in OUT."""


@dataclass(frozen=True)
class Script:
    """A page and what it is made of.

    Attributes:
        name: of the script and its file, without suffix.
        page: where the page is in a clone.
        title: of the page.
        about: its first sentences.
        sections: parts by name, each a module with `TITLE`, `cells` and `page`.
        kept: file of the records that are kept with the code.
    """

    name: str
    page: Path
    title: str
    about: str
    sections: Mapping[str, Any]
    kept: Path

    def run(self, options: Options, sections: Sequence[str]) -> None:
        """Measure what is missing, or list it, or write the page.

        Args:
            options: what to do.
            sections: parts to run or to list; the page always has all.

        Raises:
            ValueError: if nothing is chosen, or a cell failed.
        """
        if options.seeds < 1:
            raise ValueError(f"seeds must be at least 1, got {options.seeds}")
        plan = Plan(options.size, options.seeds)
        chosen = self._chosen(options, sections, plan)
        if plan.size != "smoke":
            if options.fresh and not (options.list or options.write):
                drop(self.kept, chosen, options.out)
            restore(self.kept, options.out)
        if options.list:
            show(chosen, options.out)
        elif options.write:
            smoke = options.out / self.page.name
            path = options.page or (smoke if plan.size == "smoke" else self.page)
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            write_text(path, self._compose(plan, options.out, path.parent / "_static", before))
            if plan.size != "smoke":
                keep(self.kept, self._cells(plan), options.out)
            console().print(f"written: {path}", soft_wrap=True)
        else:
            measure(options, chosen)

    def _chosen(self, options: Options, sections: Sequence[str], plan: Plan) -> list[Cell]:
        cells = unique([cell for name in sections for cell in self.sections[name].cells(plan)])
        chosen = [cell for cell in cells if options.only.lower() in cell.name.lower()]
        if not chosen:
            raise ValueError(
                f"no cell's name holds {options.only!r}: `--list` shows the {len(cells)} names"
            )
        return chosen

    def _cells(self, plan: Plan) -> list[Cell]:
        return unique([cell for part in self.sections.values() for cell in part.cells(plan)])

    def _compose(self, plan: Plan, out: Path, static: Path, before: str) -> str:
        """The page, of the cells that are done.

        A section for which more cells of the same command were done on another machine stays as it
        was `before`.
        """
        parts, done, spent = [], 0, 0
        for name, part in self.sections.items():
            command = f"{self._command(plan)} --sections {name}"
            text, cells, seconds = section_of(before, part.TITLE, command)
            mine = self._records(unique(part.cells(plan)), out)
            if len(mine) >= cells:
                cells, seconds = len(mine), _seconds(mine)
                footer = self._footer(name, plan, out)
                text = f"## {part.TITLE}\n\n{part.page(plan, out, static)}\n\n{footer}"
            parts.append(text)
            done, spent = done + cells, spent + seconds
        header = self._header(plan, out, before, done, spent)
        return "\n\n".join([f"# {self.title}", header, *parts]) + "\n"

    def _header(self, plan: Plan, out: Path, before: str, done: int, spent: int) -> str:
        records = self._records(self._cells(plan), out)
        machines = {record["machine"] for record in records} | set(_machines(before))
        return f"""\
{self.about} All of this page is written by

```console
$ {self._command(plan)}
$ {self._command(plan)} --write
```

{done} of {len(self._cells(plan))} cells were run, in {spent:,} CPU-seconds; where a number is
missing, its cell was not. Times are CPU-seconds of one thread. The settings of every training are
in `scripts/validation`.
Hardware: {"; ".join(sorted(machines)) or "none yet"}."""

    def _records(self, cells: Sequence[Cell], out: Path) -> list[dict[str, Any]]:
        return [record for cell in cells if (record := record_of(cell, out)) is not None]

    def _footer(self, name: str, plan: Plan, out: Path) -> str:
        cells = unique(self.sections[name].cells(plan))
        records = self._records(cells, out)
        return (
            f"`{self._command(plan)} --sections {name}`: {len(records)} of {len(cells)} cells, "
            f"{_seconds(records):,} CPU-seconds."
        )

    def _command(self, plan: Plan) -> str:
        return f"python scripts/{self.name}.py --size {plan.size} --seeds {plan.seeds}"


def _seconds(records: Sequence[dict[str, Any]]) -> int:
    return round(sum(record["cpu_seconds"] for record in records))


def _machines(page: str) -> list[str]:
    """Those that the header of a page names."""
    named = re.search(r"^Hardware: (.+)\.$", page, re.MULTILINE)
    return named[1].split("; ") if named and named[1] != "none yet" else []


def show(cells: Sequence[Cell], out: Path) -> None:
    """Print the cells, and the CPU-seconds of those that are done."""
    screen = console()
    for cell in cells:
        record = record_of(cell, out)
        state = f"done, {record['cpu_seconds']:.0f} CPU-s" if record else "to do"
        screen.print(f"{cell.section:12}{cell.name:64}{state}", markup=False, highlight=False)


def measure(options: Options, cells: Sequence[Cell]) -> None:
    """Run the cells that are not done.

    Raises:
        ValueError: at the end, if some failed, with the first reason.
    """
    if options.fresh:
        for cell in cells:
            forget(cell, options.out)
    waiting = [cell for cell in cells if record_of(cell, options.out) is None]
    screen, failures = console(), []
    screen.print(f"{len(cells)} cells, {len(cells) - len(waiting)} of them done before")
    for done, (cell, spent, error) in enumerate(_run_all(waiting, options), start=1):
        if error is not None:
            failures.append(f"{cell.name}: {error}")
        state = f"{spent:.1f} CPU-s" if error is None else f"failed: {error}"
        screen.print(
            f"{done}/{len(waiting)} {cell.section}: {cell.name}, {state}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    if failures:
        raise ValueError(f"{len(failures)} cell(s) failed, the first: {failures[0]}")


def _run_all(cells: Sequence[Cell], options: Options) -> Iterator[tuple[Cell, float, str | None]]:
    """Each cell as it ends, with its CPU-seconds, or the error that it raised."""
    with worker_pool(options.workers) as pool:
        if pool is None:
            for cell in cells:
                yield _outcome(cell, partial(run_cell, cell, options.out))
            return
        jobs = {pool.submit(run_cell, cell, options.out): cell for cell in cells}
        for job in as_completed(jobs):
            yield _outcome(jobs[job], job.result)


def _outcome(cell: Cell, result: Callable[[], float]) -> tuple[Cell, float, str | None]:
    # One cell that fails must not take the others with it: it is named at the end.
    try:
        return cell, result(), None
    except Exception as error:
        return cell, 0.0, f"{type(error).__name__}: {' '.join(str(error).split())}"
