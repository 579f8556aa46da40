"""Data-parallel training: the same program on several cores, gradients averaged."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn


class Worker:
    """One of the processes of a run, number `rank` of `count`."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank = rank
        self.count = count

    def average_gradients(self, module: nn.Module) -> None:
        """Replace each gradient by its mean over the workers."""
        if self.count == 1:
            return
        gradients = [weight.grad for weight in module.parameters() if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        for gradient, part in zip(
            gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True
        ):
            gradient.copy_(part.view_as(gradient))

    def average(self, *values: float) -> list[float]:
        """Mean of each value over the workers."""
        if self.count == 1:
            return list(values)
        total: Tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        averaged: list[float] = (total / self.count).tolist()
        return averaged


def run_workers(count: int, work: Callable[..., Any], *arguments: Any, lead: Any = None) -> Any:
    """Run `work(worker, *arguments, lead)` in `count` processes of one thread each.

    This process is the first of them; the others are spawned and get None for `lead`. `work` and
    the other arguments must pickle.

    Returns:
        What the first worker returns.

    Raises:
        ValueError: if `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"workers must be at least 1, got {count}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if count == 1:
            return work(Worker(), *arguments, lead)
        with tempfile.TemporaryDirectory() as folder:
            meeting = os.path.join(folder, "meeting")
            others = spawn(
                _spawned, (count, meeting, work, arguments), nprocs=count - 1, join=False
            )
            try:
                result = _joined(0, count, meeting, work, (*arguments, lead))
            except BaseException:
                for process in others.processes:
                    process.terminate()
                raise
            others.join()
            return result
    finally:
        torch.set_num_threads(threads)


def _spawned(number: int, count: int, meeting: str, work: Any, arguments: Any) -> None:
    torch.set_num_threads(1)
    _joined(number + 1, count, meeting, work, (*arguments, None))


def _joined(rank: int, count: int, meeting: str, work: Any, arguments: Any) -> Any:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    try:
        return work(Worker(rank, count), *arguments)
    finally:
        dist.destroy_process_group()
