"""Text in checkpoints, which hold tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def tensor_of(text: str) -> Tensor:
    """The bytes of a text in UTF-8, uint8 `(bytes,)`."""
    return torch.from_numpy(np.frombuffer(text.encode(), np.uint8).copy())


def text_of(tensor: Tensor) -> str:
    """The text that `tensor_of` was given."""
    return bytes(tensor.numpy().tobytes()).decode()
