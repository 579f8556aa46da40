"""Policies of Stable-Baselines3 whose logits or values of items are products with a query.

A layer with an output for each of 500 items learns each of them for itself, and knows no other
catalogue. Here the network says what it looks for, a vector over item features, and an item's logit
(or value) is its product with that vector.
"""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from torch import Tensor, nn

from driftrec.agents.deep.slates import BANNED, SlateDistribution


class Inputs(BaseFeaturesExtractor):
    """Passes the inputs on, and keeps which items were banned in the batch that it saw last.

    The networks of Stable-Baselines3 hand features alone from layer to layer, and each pass begins
    by extracting them: what their last layer finds here is of the same batch.

    Args:
        observation_space: of `ReadVecEnv`.
    """

    banned: Tensor

    def __init__(self, observation_space: spaces.Dict) -> None:
        shape = observation_space["inputs"].shape
        assert shape is not None
        super().__init__(observation_space, shape[0])

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """The inputs, `(users, inputs)`."""
        self.banned = observations["banned"]
        return observations["inputs"]


class QueryHead(nn.Module):
    """A linear layer to a query, and the query's product with each item.

    Args:
        known: size of what it reads.
        table: scaled features, `(items, width)`.
        sharpness: of the query on quality, the last feature, at the start.
    """

    table: Tensor

    def __init__(self, known: int, table: Tensor, sharpness: float) -> None:
        super().__init__()
        self.query = nn.Linear(known, table.shape[1])
        nn.init.orthogonal_(self.query.weight, 0.01)
        nn.init.zeros_(self.query.bias)
        self.query.bias.data[-1] = sharpness
        self.register_buffer("table", table, persistent=False)

    def forward(self, known: Tensor) -> Tensor:
        """Products, `(users, items)`."""
        products: Tensor = self.query(known) @ self.table.T
        return products


class QueryingActor(ActorCriticPolicy):
    """An actor that draws slates of unbanned items by softmax of their products with its query.

    Args:
        table: scaled features, `(items, width)`.
        slate: items in a request.
        sharpness: it starts by drawing items by softmax(sharpness * scaled quality).
    """

    def __init__(
        self, *args: Any, table: Tensor, slate: int, sharpness: float, **kwargs: Any
    ) -> None:
        self._table, self._slate, self._sharpness = table, slate, sharpness
        super().__init__(*args, **kwargs | {"features_extractor_class": Inputs})

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        known = self.mlp_extractor.latent_dim_pi
        self.action_net = QueryHead(known, self._table, self._sharpness)
        # The one made before held the layer that this one replaces.
        self.optimizer = self.optimizer_class(
            self.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]  # every optimiser has it
            **self.optimizer_kwargs,
        )

    def _get_action_dist_from_latent(self, latent_pi: Tensor) -> Any:
        # No subclass of SB3's Distribution, of which only what this has is asked for.
        extractor = self.features_extractor
        assert isinstance(extractor, Inputs)
        logits = self.action_net(latent_pi) - BANNED * extractor.banned
        return SlateDistribution(logits, self._slate)


class QueryActorCritic(QueryingActor):
    """Of PPO and A2C; see `QueryingActor`."""


class RecurrentQueryActorCritic(QueryingActor, RecurrentActorCriticPolicy):
    """Of RecurrentPPO; see `QueryingActor`."""


class QueryQNetwork(QNetwork):
    """Values of items: a product with a query, plus a value of the situation.

    Args:
        table: scaled features, `(items, width)`.
    """

    features_extractor: Inputs

    def __init__(self, *args: Any, table: Tensor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        layers = list(self.q_net)[:-1]
        known = next(layer.out_features for layer in layers[::-1] if isinstance(layer, nn.Linear))
        self.q_net = nn.Sequential(*layers)
        self.head = QueryHead(known, table, 0.1)
        self.value = nn.Linear(known, 1)

    def forward(self, obs: Any) -> Tensor:
        """Values of items, `(users, items)`, those of banned ones far below all others."""
        known = self.q_net(self.extract_features(obs, self.features_extractor))
        worth: Tensor = self.value(known) + self.head(known)
        return worth - BANNED * self.features_extractor.banned


class QueryDQNPolicy(DQNPolicy):
    """Of DQN, with a `QueryQNetwork` for each of its two networks.

    Args:
        table: scaled features, `(items, width)`.
    """

    def __init__(self, *args: Any, table: Tensor, **kwargs: Any) -> None:
        self._table = table
        super().__init__(*args, **kwargs | {"features_extractor_class": Inputs})

    def make_q_net(self) -> QNetwork:
        """A network of values."""
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return QueryQNetwork(table=self._table, **arguments).to(self.device)
