"""The part of a MAML network that reads a trial: it remembers by gradient steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from driftrec.envs.observation import Observation
from driftrec.meta.maml.rule import InnerRule, RuleConfig
from driftrec.meta.maml.taste import CONTEXT, TasteNetwork
from driftrec.meta.track import CLOCK_INPUTS, NetworkShape, Track
from driftrec.meta.trunk import RECENT_SCALE, Trunk

DAY = 86400.0


class GradientTrunk(Trunk):
    """Turns observations into a belief about each user, under the user's own weights.

    What it remembers of a user is, in numbers: how far the weights are from the start, a ring of
    the inputs of the current round, and two counts. That is `size` float32 a user, however long
    the trial.

    Args:
        shape: sizes.
        table: unscaled features of the catalogue trained on, `(items, width)`.
        scale: multiplies each item feature, `(width,)`.
        rule: how the weights follow the user.
        sharpness: of the policy at the start.

    Attributes:
        known: numbers known of a user: the belief and the hidden layer.
        size: numbers remembered of a user.
        adapts: whether steps are taken; if not, all users keep the weights of the start.
    """

    def __init__(
        self,
        shape: NetworkShape,
        table: Tensor,
        scale: Tensor,
        rule: RuleConfig,
        sharpness: float = 4.0,
    ) -> None:
        # Nothing of the recurrent trunk is wanted but its face.
        nn.Module.__init__(self)
        self.shape = shape
        self.filter = None
        self.register_buffer("scale", scale)
        self.public = 3 * shape.width + shape.slate + CLOCK_INPUTS + 2 * shape.context
        self.read_width = self.public + shape.slate * shape.width
        context = CONTEXT if rule.adapted == "context" else 0
        self.taste = TasteNetwork(
            shape, self.public, scale, table, sharpness=sharpness, context=context
        )
        self.rule = InnerRule(self.taste, rule)
        self.every = rule.every
        self.known = shape.width + 1 + shape.hidden
        self.size = sum(self.rule.sizes) + rule.every * self.read_width + 2
        self.adapts = True

    def start(self, users: int) -> Track:
        """What is remembered of users of whom nothing is known: nothing changed yet."""
        like = self.scale
        return Track(
            memory=like.new_zeros(users, self.size),
            request=like.new_zeros(users),
            recent=like.new_zeros(users, self.shape.width),
            mean=like.new_zeros(users, 0),
            covariance=like.new_zeros(users, 0, 0),
            context=like.new_zeros(users, self.shape.context),
        )

    @torch.no_grad()
    def read(self, observation: Observation, track: Track) -> tuple[Tensor, Track]:
        """Inputs: those of all learners, then the features of the last slate, one by one."""
        inputs, track = super().read(observation, track)
        slate = torch.as_tensor(observation["slate"], device=inputs.device)
        return torch.cat([inputs, slate.flatten(1)], 1), track

    def remember(self, inputs: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        """Go through requests one by one, each user in a round of their own.

        Args:
            inputs: `(requests, users, inputs)`, features unscaled.
            memory: `(users, size)`, or None for new users.
        """
        if memory is None:
            memory = self.start(inputs.shape[1]).memory
        known = []
        for one in inputs:
            belief, memory = self._request(one, memory)
            known.append(belief)
        return torch.stack(known), memory

    def relive(self, inputs: Tensor) -> Tensor:
        """The same for whole trials that began together: a round at a time, with gradients."""
        requests, users, _ = inputs.shape
        change = inputs.new_zeros(users, sum(self.rule.sizes))
        known = []
        for number, first in enumerate(range(0, requests, self.every)):
            chunk = inputs[first : first + self.every + 1].transpose(0, 1)
            known.append(self._belief(chunk[:, : self.every], change).transpose(0, 1))
            if self.adapts and chunk.shape[1] > self.every:
                change = self._advance(change, chunk, chunk.new_full((users,), float(number)))
        return torch.cat(known)

    @torch.no_grad()
    def follow(self, inputs: Tensor, alive: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where whole trials lead, without gradients.

        A user learns from the rounds all of whose requests took place.

        Args:
            inputs: one more than there are requests, `(T + 1, users, inputs)`.
            alive: whether the request took place, booleans `(T, users)`.

        Returns:
            Each user's change of weights at the end, the mean over rounds of the gradients before
            each step, `(users, adapted)` both, and the mean loss, `(users,)`; 0 without a round.
        """
        requests, users = alive.shape
        change = inputs.new_zeros(users, sum(self.rule.sizes))
        slopes, losses = torch.zeros_like(change), inputs.new_zeros(users)
        rounds = requests // self.every
        whole = alive[: rounds * self.every].unflatten(0, (rounds, self.every)).all(1)
        count = whole.sum(0).clamp(min=1)
        for number in range(rounds):
            first = number * self.every
            chunk = inputs[first : first + self.every + 1].transpose(0, 1)
            read, shown, feedback, _ = self._round(chunk)
            # Of data that the weights have not met yet.
            slope = self.rule.slope(self.taste, change, read, shown, feedback) / count[:, None]
            loss = self.rule.losses(self.taste, change, read, shown, feedback) / count
            after = self._advance(change, chunk, chunk.new_full((users,), float(number)))
            now = whole[number]
            slopes += torch.where(now[:, None], slope, 0.0)
            losses += torch.where(now, loss, 0.0)
            change = torch.where(now[:, None], after, change)
        return change, slopes, losses

    def _request(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        ring_size = self.every * self.read_width
        change, ring, counts = memory.split([sum(self.rule.sizes), ring_size, 2], 1)
        ring = ring.unflatten(1, (self.every, self.read_width)).clone()
        change, counts = change.clone(), counts.clone()
        full = (counts[:, 0] >= self.every).nonzero()[:, 0]
        if len(full):
            if self.adapts:
                chunk = torch.cat([ring[full], inputs[full, None]], 1)
                change[full] = self._advance(change[full], chunk, counts[full, 1])
            counts[full, 0] = 0
            counts[full, 1] += 1
        rows = torch.arange(len(inputs), device=inputs.device)
        ring[rows, counts[:, 0].long()] = inputs
        counts[:, 0] += 1
        known = self._belief(inputs[:, None], change)[:, 0]
        return known, torch.cat([change, ring.flatten(1), counts], 1)

    def _belief(self, inputs: Tensor, change: Tensor) -> Tensor:
        """Belief and hidden layer before requests `(users, requests, inputs)`."""
        own = set(self.rule.names)
        shared = {name: one for name, one in self.taste.named_parameters() if name not in own}

        def one(weights: dict[str, Tensor], read: Tensor) -> tuple[Tensor, Tensor]:
            answer: tuple[Tensor, Tensor] = functional_call(
                self.taste, {**shared, **weights}, (read,)
            )
            return answer

        weights = self.rule.weights(self.taste, change)
        return torch.cat(vmap(one)(weights, self._scaled(inputs)), -1)

    def _advance(self, change: Tensor, chunk: Tensor, rounds: Tensor) -> Tensor:
        """The change after a round, of its inputs and those that followed the last request."""
        return self.rule.advance(self.taste, change, *self._round(chunk), rounds)

    def _round(self, chunk: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What was read, shown and given as feedback, and the days it took."""
        before, after = chunk[:, :-1], chunk[:, 1:]
        width, slate = self.shape.width, self.shape.slate
        shown = after[..., self.public :].unflatten(-1, (slate, width))
        feedback = after[..., 3 * width : 3 * width + slate]
        elapsed = 10 * after[..., 3 * width + slate + 2]
        days = torch.expm1(elapsed).sum(1) / DAY
        return self._scaled(before), self.with_one(shown), feedback, days

    def _scaled(self, inputs: Tensor) -> Tensor:
        width = self.shape.width
        scale = torch.cat([self.scale, self.scale, RECENT_SCALE * self.scale])
        return torch.cat(
            [inputs[..., : 3 * width] * scale, inputs[..., 3 * width : self.public]], -1
        )
