"""The part of a network that reads a trial: inputs, an optional filter, and a memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from driftrec.envs.observation import Observation
from driftrec.meta.learned_filter import LearnedFilter
from driftrec.meta.memories import make_memory
from driftrec.meta.track import CLOCK_INPUTS, NetworkShape, Track, public_inputs, recently_shown

RECENT_SCALE = 0.1
"""Brings sums over some ten recent items to the size of one."""


class Trunk(nn.Module):
    """Turns observations into what is known of each user before a request.

    What is known is the memory's normalised output, what was shown recently, clock and context, and
    the filter's belief where there is one: slow and fast part of each weight's mean, and the
    logarithm of its standard deviation.

    Args:
        shape: sizes.
        scale: multiplies each item feature, `(width,)`, so that features have unit variance.

    Attributes:
        known: numbers known of a user.
    """

    scale: Tensor

    def __init__(self, shape: NetworkShape, scale: Tensor) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("scale", scale)
        quality = float(1 / scale[-1]) if shape.clicks else 0.0
        self.filter = (
            LearnedFilter(shape.width, shape.clicks, quality, shape.context)
            if shape.filter
            else None
        )
        beliefs = 3 * (shape.width + 1) if shape.filter else 0
        public = 3 * shape.width + shape.slate + CLOCK_INPUTS + 2 * shape.context
        self.public = public
        situation = CLOCK_INPUTS + 2 * shape.context
        self.known = shape.hidden + shape.width + situation + beliefs
        self.encoder = nn.Linear(public + beliefs, shape.hidden)
        self.memory = make_memory(
            shape.memory, shape.hidden, layers=shape.layers, window=shape.window
        )
        self.norm = nn.LayerNorm(shape.hidden)
        nn.init.orthogonal_(self.encoder.weight)
        nn.init.zeros_(self.encoder.bias)

    def start(self, users: int) -> Track:
        """What is remembered of users of whom nothing is known."""
        like = self.encoder.weight
        mean, covariance = like.new_zeros(users, 0), like.new_zeros(users, 0, 0)
        if self.filter is not None:
            mean, covariance = (part.detach() for part in self.filter.start(users))
        return Track(
            memory=like.new_zeros(users, self.memory.size),
            request=like.new_zeros(users),
            recent=like.new_zeros(users, self.shape.width),
            mean=mean,
            covariance=covariance,
            context=like.new_zeros(users, self.shape.context),
        )

    @torch.no_grad()
    def read(self, observation: Observation, track: Track) -> tuple[Tensor, Track]:
        """Read a batch of observations.

        Returns:
            The network's inputs, `(users, inputs)`, and the track with all but its memory brought
            up to date. No gradient flows into the filter from here: see `filtered`.
        """
        recent = recently_shown(observation, track.recent)
        inputs = public_inputs(observation, track, recent, self.shape)
        mean, covariance = track.mean, track.covariance
        if self.filter is not None:
            slate, feedback, elapsed, new = (
                torch.as_tensor(observation[key], device=recent.device)
                for key in ("slate", "feedback", "log_elapsed", "new_user")
            )
            mean, covariance = self.filtered(
                mean, covariance, slate, feedback, elapsed[:, 0], 1 - new[:, 0], track.context
            )
        context = track.context
        if self.shape.context:
            context = torch.as_tensor(observation["context"], device=recent.device)
        if self.filter is not None:
            belief = self.filter.in_context(mean, covariance, context)
            inputs = torch.cat([inputs, self._belief_inputs(*belief)], 1)
        request = track.request + 1
        return inputs, Track(track.memory, request, recent, mean, covariance, context)

    def filtered(
        self, mean: Tensor, covariance: Tensor, slate: Tensor, feedback: Tensor, elapsed: Tensor,
        weight: Tensor, context: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The filter's belief after the feedback on a slate and the time since, with gradients.

        Args:
            mean: `(users, D)`.
            covariance: `(users, D, D)`.
            slate: unscaled features of what was shown, `(users, slate, width)`.
            feedback: on it, `(users, slate)`.
            elapsed: log(1 + seconds) since, `(users,)`.
            weight: 0 where nothing was shown yet, else 1, `(users,)`.
            context: in which it was shown, `(users, contexts)`.
        """
        assert self.filter is not None
        for slot in range(self.shape.slate):
            item = self.with_one(slate[:, slot])
            mean, covariance = self.filter.absorb(
                mean, covariance, item, feedback[:, slot], weight, context
            )
        return self.filter.pass_time(mean, covariance, elapsed)

    def with_one(self, items: Tensor) -> Tensor:
        """Scaled item features and a 1, `(..., width + 1)`."""
        one = torch.ones_like(items[..., :1])
        return torch.cat([items * self.scale, one], -1)

    def _belief_inputs(self, mean: Tensor, covariance: Tensor) -> Tensor:
        half = mean.shape[-1] // 2
        variance = covariance.diagonal(dim1=-2, dim2=-1)
        cross = covariance[:, :half, half:].diagonal(dim1=-2, dim2=-1)
        whole = (variance[:, :half] + variance[:, half:] + 2 * cross).clamp(min=1e-6)
        return torch.cat([mean, 0.5 * whole.log()], 1)

    def filter_variance(self, track: Track, items: Tensor) -> Tensor:
        """The filter's variance of the logits of items now, `(users, items)`.

        Args:
            track: brought up to date.
            items: scaled features and a 1, `(items, width + 1)`.
        """
        assert self.filter is not None
        belief = self.filter.in_context(track.mean, track.covariance, track.context)
        return self.filter.variance(belief[1], items)

    def contexts(self, inputs: Tensor) -> Tensor:
        """The context at each request, as the inputs hold it, `(..., contexts)`."""
        return inputs[..., self.public - self.shape.context : self.public]

    def filter_mean(self, known: Tensor) -> Tensor:
        """The filter's mean weights of scaled features and the constant, `(..., width + 1)`."""
        parts = self.shape.width + 1
        beliefs = known[..., -3 * parts :]
        return beliefs[..., :parts] + beliefs[..., parts : 2 * parts]

    def filter_sd(self, known: Tensor) -> Tensor:
        """Standard deviations of those weights, `(..., width + 1)`."""
        return known[..., -(self.shape.width + 1) :].exp()

    def remember(self, inputs: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run the memory over requests.

        Args:
            inputs: `(requests, users, inputs)`, features unscaled.
            memory: `(users, size)`, or None for new users.

        Returns:
            What is known before each request, `(requests, users, known)`, and the last memory.
        """
        width = self.shape.width
        scale = torch.cat([self.scale, self.scale, RECENT_SCALE * self.scale])
        features = inputs[..., : 3 * width] * scale
        scaled = torch.cat([features, inputs[..., 3 * width :]], -1)
        outputs, last = self.memory(nn.functional.silu(self.encoder(scaled)), memory)
        # Clock and context, then the filter's belief: what needs no memory.
        situation = inputs[..., self.public - CLOCK_INPUTS - 2 * self.shape.context :]
        return torch.cat([self.norm(outputs), features[..., 2 * width :], situation], -1), last
