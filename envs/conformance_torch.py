"""The part of the conformance kit that needs torch."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class NoNumpy(TorchFunctionMode):
    """Where numpy's functions take no tensors, as they take none of a GPU's."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Refuse to turn what numpy has made of a tensor back into one."""
        if func is torch.Tensor.__array_wrap__:
            raise TypeError(
                "numpy's functions take no tensors: use those of namespace(array), from "
                "driftrec.envs.arrays"
            )
        return func(*args, **(kwargs or {}))
