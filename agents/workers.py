"""Processes that share the work, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def worker_pool(workers: int) -> Iterator[Executor | None]:
    """A pool of spawned processes, or None where one worker is asked for.

    Each process runs its numerics on one thread: libraries read the variables that say so when
    they are first imported, so they are set for as long as the pool may start processes. An
    exception ends the processes at once; so does the end of this one, however it comes.

    Raises:
        ValueError: if `workers` is below 1.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if workers == 1:
        yield None
        return
    context = multiprocessing.get_context("spawn")
    strangers = set(multiprocessing.active_children())
    with one_thread():
        pool = ProcessPoolExecutor(workers, context, initializer=depend_on_parent)
        try:
            yield pool
        except BaseException:
            # What they are at is of no more use, and could take minutes.
            for process in set(multiprocessing.active_children()) - strangers:
                process.terminate()
            if sys.version_info < (3, 11, 7):
                # Here a pool waits for ever to send the dead what they have not read
                # (python/cpython#94777), unless nobody can read it any more.
                pool._call_queue._reader.close()  # type: ignore[attr-defined]  # stubs lack it
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes that are started meanwhile run their numerics on one thread.

    Libraries read the variables that say so when they are first imported.
    """
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def depend_on_parent() -> None:
    """Leave interrupts to the parent, and end with it even if it was killed.

    A worker that outlived it would go on writing where the next run writes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
