"""What a user likes, given the situation: the network whose weights become the user's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from driftrec.meta.track import NetworkShape

CONTEXT = 16
"""Length of the context vector, where that is what adapts."""


class TasteNetwork(nn.Module):
    """From what is read before a request to weights of item features.

    Their product with an item is the believed logit of a click, or the mean of other feedback.

    Args:
        shape: sizes.
        inputs: numbers read.
        scale: multiplies each item feature, `(width,)`.
        table: unscaled features of the catalogue trained on, `(items, width)`.
        sharpness: of the policy at the start.
        context: length of the context vector; 0 for none.
    """

    items: Tensor

    def __init__(
        self,
        shape: NetworkShape,
        inputs: int,
        scale: Tensor,
        table: Tensor,
        *,
        sharpness: float,
        context: int = 0,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("items", table * scale, persistent=False)
        self.encoder = nn.Linear(inputs + context, shape.hidden)
        self.head = nn.Linear(shape.hidden, shape.width + 1)
        self.baseline = nn.Linear(shape.hidden, 1)
        self.context = nn.Parameter(torch.zeros(context)) if context else None
        self.sharpness = nn.Parameter(torch.full((shape.width,), sharpness))
        nn.init.orthogonal_(self.encoder.weight)
        nn.init.orthogonal_(self.head.weight, 0.01)
        nn.init.zeros_(self.baseline.weight)
        for layer in (self.encoder, self.head, self.baseline):
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            # An item's quality is its logit, until more is known.
            self.head.bias[shape.width - 1] = float(1 / scale[-1]) if shape.clicks else 0.0

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Weights of scaled features and the constant, and the hidden layer."""
        if self.context is not None:
            inputs = torch.cat([inputs, self.context.expand(*inputs.shape[:-1], -1)], -1)
        hidden = nn.functional.silu(self.encoder(inputs))
        return self.head(hidden), hidden

    def expected(self, hidden: Tensor, shown: Tensor) -> Tensor:
        """Learned baseline of the feedback on what was shown, `(..., slate)`."""
        quality = shown[..., -2] * self.head.bias[-2].detach()
        logit = self.baseline(hidden) + quality
        return torch.sigmoid(logit) if self.shape.clicks else logit
