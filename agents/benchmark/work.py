"""What a worker does with a cell: train or meet, and say what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from driftrec.agents.benchmark.cells import Cell, Meeting, Supplies, Training
from driftrec.agents.benchmark.clock import Clock, lasting_clock
from driftrec.agents.benchmark.record import Record
from driftrec.agents.benchmark.store import Store
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate


def perform(cell: Cell, supplies: Supplies, store: Store) -> Record:
    """Do what a cell asks for and write the result; whatever a method raises is in the record.

    Only a result that is done is recorded in the store: who handed out the cell decides whether
    a failure is final.
    """
    try:
        if isinstance(cell, Training):
            return _train(cell, supplies, store)
        return _meet(cell, supplies, store)
    except (Exception, SystemExit) as error:
        record = Record.of_error(error)
        kept = record.state == "full" or isinstance(error, OSError | MemoryError)
        if isinstance(cell, Training) and not kept:
            # What fit left may be the reason, and is not gone on with after a change of the code.
            with suppress(OSError), store.alone(cell):
                store.clear(cell)
        return record


def _train(cell: Training, supplies: Supplies, store: Store) -> Record:
    method, population = supplies.methods[cell.method], supplies.populations[cell.population]
    with store.alone(cell) as folder:
        known = store.record(cell)
        if known is not None and known.state == "done":
            return known
        if store.damaged(cell):
            store.clear(cell)
        with lasting_clock(store.spent(cell)) as clock:
            counted = method.fit(population, folder, seed=cell.seed, size=cell.size)
        record = store.finish(cell, clock.spent | _numbers(counted))
        store.spent(cell).unlink(missing_ok=True)
        return record


def _meet(cell: Meeting, supplies: Supplies, store: Store) -> Record:
    method, population = supplies.methods[cell.method], supplies.populations[cell.population]
    folder = store.path(cell.training) if cell.training else store.root
    clock = Clock()
    evaluation = evaluate(
        method.policy(folder),
        population,
        name=cell.name,
        split=cell.split,
        users=cell.users,
        batch=cell.batch,
        seed=cell.seed,
        # What users known by what they do alone would have done cannot be asked.
        regret=not population.split(cell.split).model.observed_only,
    )
    _check(evaluation)
    evaluation.save(store.path(cell))
    return store.finish(cell, clock.spent)


def _numbers(counted: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in counted.items()}


def _check(evaluation: Evaluation) -> None:
    for name in ("feedback", "reward", "expected", "best"):
        values = getattr(evaluation, name)
        if values is not None and not np.isfinite(values[evaluation.active]).all():
            raise ValueError(f"{name} of an evaluation must be finite, got NaN or infinity")
