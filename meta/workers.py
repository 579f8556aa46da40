"""Data-parallel training: the same program on several cores or GPUs, gradients averaged."""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn


class Worker:
    """One of the processes of a run, number `rank` of `count`.

    Attributes:
        device: where the run learns.
    """

    def __init__(self, rank: int = 0, count: int = 1, device: str = "cpu") -> None:
        self.rank = rank
        self.count = count
        self.device = device

    def average_gradients(self, module: nn.Module) -> None:
        """Replace each gradient by its mean over the workers.

        Of losses that are means over requests, that is the gradient of one worker with all users,
        where each has as many requests.
        """
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
        total: Tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        averaged: list[float] = (total / self.count).tolist()
        return averaged

    def mean_and_spread(self, values: Tensor) -> tuple[float, float]:
        """Mean and standard deviation of the values of all workers together."""
        if self.count == 1:
            spread, centre = torch.std_mean(values)
            return float(centre), float(spread)
        values = values.double()
        sums = [len(values), float(values.sum()), float(values.square().sum())]
        number, total, squares = (self.count * mean for mean in self.average(*sums))
        variance = (squares - total**2 / number) / max(number - 1, 1)
        return total / number, float(max(variance, 0.0) ** 0.5)


def run_workers(
    count: int, work: Callable[..., Any], *arguments: Any, lead: Any = None, device: str = "cpu"
) -> Any:
    """Run `work(worker, *arguments, lead)` in `count` processes of one thread each.

    This process is the first of them; the others are spawned and get None for `lead`. `work` and
    the other arguments must pickle. Under `torchrun` (where RANK and WORLD_SIZE are set) nothing is
    spawned: the processes that it started are the workers, and the first of them gets `lead`.

    They meet by NCCL where they learn on GPUs, each on one of its own, and by gloo else.

    Returns:
        What the first worker returns; under `torchrun`, what this one does.

    Raises:
        ValueError: if `count` is below 1, or not the number that `torchrun` started.
    """
    if count < 1:
        raise ValueError(f"workers must be at least 1, got {count}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if launched():
            worker = _launched(count, device)
            return work(worker, *arguments, None if worker.rank else lead)
        if count == 1:
            return work(Worker(device=device), *arguments, lead)
        return _spawn(count, device, work, arguments, lead)
    finally:
        torch.set_num_threads(threads)


def launched() -> bool:
    """Whether a launcher such as `torchrun` started this process among others."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def is_lead() -> bool:
    """Whether this process is the one that reports: the first, where a launcher started several."""
    return not launched() or os.environ["RANK"] == "0"


def _launched(count: int, device: str) -> Worker:
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if count != world:
        raise ValueError(f"torchrun started {world} process(es): set workers={world}, not {count}")
    if not dist.is_initialized():
        _use_gpu(device, int(os.environ.get("LOCAL_RANK", rank)))
        dist.init_process_group(_backend(device), rank=rank, world_size=world)
        # The group stays for the next run of this process.
        atexit.register(dist.destroy_process_group)
    return Worker(rank, world, device)


def _spawn(count: int, device: str, work: Any, arguments: Any, lead: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        meeting = os.path.join(folder, "meeting")
        others = spawn(
            _spawned, (count, device, meeting, work, arguments), nprocs=count - 1, join=False
        )
        try:
            result = _joined(0, count, device, meeting, work, (*arguments, lead))
        except BaseException:
            for process in others.processes:
                process.terminate()
            raise
        others.join()
        return result


def _spawned(number: int, count: int, device: str, meeting: str, work: Any, arguments: Any) -> None:
    torch.set_num_threads(1)
    _joined(number + 1, count, device, meeting, work, (*arguments, None))
    # All is done. Finished workers were seen to abort now and then ("terminate called without an
    # active exception"), presumably as the interpreter took a thread of gloo's down.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _joined(rank: int, count: int, device: str, meeting: str, work: Any, arguments: Any) -> Any:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    _use_gpu(device, rank)
    dist.init_process_group(
        _backend(device), init_method=f"file://{meeting}", rank=rank, world_size=count
    )
    try:
        result = work(Worker(rank, count, device), *arguments)
        # Who leaves while another still waits for an answer takes gloo's threads down in use.
        dist.barrier()
        return result
    finally:
        dist.destroy_process_group()


def _backend(device: str) -> str:
    return "nccl" if device.startswith("cuda") else "gloo"


def _use_gpu(device: str, number: int) -> None:
    """Make "cuda" mean a GPU of this process's own."""
    if device == "cuda":
        torch.cuda.set_device(number)
