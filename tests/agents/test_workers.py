"""Processes that share the work."""

import multiprocessing
import os
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from driftrec.agents.workers import ONE_THREAD, worker_pool


def test_workers_run_on_one_thread_and_leave_the_environment_as_it_was(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with worker_pool(2) as pool:
        assert [pool.submit(os.getenv, name).result() for name in ONE_THREAD] == ["1"] * 3
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_one_worker_is_no_pool():
    with worker_pool(1) as pool:
        assert pool is None


def test_an_interrupt_does_not_wait_for_what_the_workers_are_at():
    """The task would take an hour: it is broken off, and no process stays behind."""
    tasks = []

    def interrupted() -> None:
        with worker_pool(2) as pool:
            pool.submit(time.sleep, 0).result()
            tasks.append(pool.submit(time.sleep, 3600))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (task,) = tasks
    assert task.cancelled() or isinstance(task.exception(), BrokenProcessPool)
    assert not multiprocessing.active_children()


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match="at least 1"), worker_pool(0):
        pass
