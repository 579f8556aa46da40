"""What each worker measured, known to all."""

from __future__ import annotations

import numpy as np

from driftrec.meta.workers import Worker


def gather(worker: Worker, values: np.ndarray) -> np.ndarray:
    """The arrays of all workers one after another along the first axis, float64, on each worker.

    Args:
        worker: which of them this is.
        values: of one shape on all of them.
    """
    # A mean over workers is all that they have: each is the only one with numbers in its place.
    places = np.zeros((worker.count, *values.shape))
    places[worker.rank] = worker.count * values
    everyones = np.array(worker.average(*places.ravel().tolist()))
    return everyones.reshape(-1, *values.shape[1:])
