"""Processes that share the work."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
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


def interrupted(tasks: list[Future[None]]) -> None:
    """Interrupt a pool that is at a task of an hour, which is added to `tasks`."""
    with worker_pool(2) as pool:
        assert pool is not None
        pool.submit(time.sleep, 0).result()
        tasks.append(pool.submit(time.sleep, 3600))
        raise KeyboardInterrupt


def test_an_interrupt_does_not_wait_for_what_the_workers_are_at():
    """The task would take an hour: it is broken off, and no process stays behind."""
    tasks: list[Future[None]] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(tasks)
    (task,) = tasks
    assert task.cancelled() or isinstance(task.exception(), BrokenProcessPool)
    assert not multiprocessing.active_children()


def test_an_interrupt_leaves_other_processes_of_the_program_alone():
    bystander = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(3600,))
    bystander.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted([])
        bystander.join(1)  # As long as a signal could take.
        assert bystander.is_alive()
    finally:
        bystander.kill()
        bystander.join()


PARENT = """
import os, time
from driftrec.agents.workers import worker_pool
if __name__ == "__main__":
    with worker_pool(2) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 3600).result()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on Windows")
def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        parent.kill()
    for _ in range(600):
        if not is_running(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("a minute after its parent the worker was still there")


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match="at least 1"), worker_pool(0):
        pass
