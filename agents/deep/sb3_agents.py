"""Agents of Stable-Baselines3 in our environments, and what their networks are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv

from driftrec.agents.deep.bridge import RecommendationVecEnv
from driftrec.agents.deep.dqn import AllowedDQN
from driftrec.agents.deep.policies import (
    QueryActorCritic,
    QueryDQNPolicy,
    RecurrentQueryActorCritic,
)
from driftrec.agents.deep.reading import Reader
from driftrec.agents.deep.training import (
    LOOKS,
    STEPS,
    Best,
    alone,
    described,
    linear_layers,
    reader_of,
    scaled_table,
)
from driftrec.agents.deep.training_env import QueryVecEnv, ReadVecEnv
from driftrec.agents.method import Size
from driftrec.envs import Population
from driftrec.envs.arrays import Array

AGENTS: dict[str, tuple[type[BaseAlgorithm], type[Any] | str]] = {
    "ppo": (PPO, QueryActorCritic),
    "a2c": (A2C, QueryActorCritic),
    "recurrent-ppo": (RecurrentPPO, RecurrentQueryActorCritic),
    "dqn": (AllowedDQN, QueryDQNPolicy),
    "sac": (SAC, "MlpPolicy"),
}
"""Algorithm and policy by name."""


def train(
    algorithm: str,
    population: Population,
    *,
    users: int,
    steps: int,
    options: Mapping[str, Any],
    seed: int,
    size: Size,
) -> Best:
    """Train an agent on the `train` users.

    Args:
        algorithm: name in `AGENTS`.
        population: whose users are learnt from.
        users: simulated at once.
        steps: of the environment, in the standard size.
        options: of the algorithm's class.
        seed: reproduces the training.
        size: how long to train.
    """
    with alone(seed):
        env, reader = environment(algorithm, population, users)
        agent = make_agent(algorithm, env, reader, population, options, seed)
        best = Best(population, about(algorithm, population, reader), size)
        total = max(int(steps * STEPS[size]), users)
        looks = _Looks(best, lambda: arrays_of(algorithm, agent, reader), total // LOOKS[size])
        agent.learn(total, callback=looks)
        if best.steps < agent.num_timesteps:
            looks.look()
        env.close()
    return best


def environment(algorithm: str, population: Population, users: int) -> tuple[VecEnv, Reader]:
    """The training users as the algorithm's network reads them."""
    reader = reader_of(population, summarised=algorithm != "recurrent-ppo")
    bridge = RecommendationVecEnv(population, users, by_number=True)
    env = ReadVecEnv(bridge, reader)
    if algorithm != "sac":
        return env, reader
    return QueryVecEnv(env, scaled_table(population, reader), population.slate), reader


def make_agent(
    algorithm: str,
    env: VecEnv,
    reader: Reader,
    population: Population,
    options: Mapping[str, Any],
    seed: int,
) -> BaseAlgorithm:
    """The agent before training; see `train` and `environment`."""
    kind, policy = AGENTS[algorithm]
    chosen = dict(options)
    own: dict[str, Any] = dict(chosen.pop("policy_kwargs", {}))
    if algorithm != "sac":
        own["table"] = torch.as_tensor(scaled_table(population, reader))
    if algorithm not in ("sac", "dqn"):
        own["slate"] = reader.slate
    make: Any = kind
    agent: BaseAlgorithm = make(policy, env, seed=seed, device="cpu", policy_kwargs=own, **chosen)
    # Its own logger would leave an empty folder among the temporary files for every training.
    agent.set_logger(Logger(folder=None, output_formats=[]))
    return agent


def about(algorithm: str, population: Population, reader: Reader) -> dict[str, Any]:
    """What the acting network is, as JSON."""
    value_based = algorithm in ("dqn", "sac")
    return described(
        population, reader, kind="query", algorithm=algorithm, summarised=reader.summarised,
        between="relu" if value_based else "tanh", last="tanh" if algorithm == "sac" else "none",
    )  # fmt: skip


def arrays_of(algorithm: str, agent: Any, reader: Reader) -> dict[str, Array]:
    """The part of an agent's network that acts."""
    policy = agent.policy
    scale = {"scale": reader.scale}
    if algorithm == "dqn":
        return scale | linear_layers(policy.q_net.q_net, policy.q_net.head)
    if algorithm == "sac":
        return scale | linear_layers(policy.actor.latent_pi, policy.actor.mu)
    layers = linear_layers(policy.mlp_extractor.policy_net, policy.action_net)
    if algorithm == "recurrent-ppo":
        layers |= _lstm(policy.lstm_actor)
    return scale | layers


def _lstm(lstm: torch.nn.LSTM) -> dict[str, Array]:
    names: dict[str, Any] = {
        "input.weight": lstm.weight_ih_l0,
        "input.bias": lstm.bias_ih_l0,
        "hidden.weight": lstm.weight_hh_l0,
        "hidden.bias": lstm.bias_hh_l0,
    }
    return {f"lstm.{name}": weight.detach().numpy().copy() for name, weight in names.items()}


class _Looks(BaseCallback):
    """Meets the validation users every so many environment steps.

    Args:
        best: keeps the best network.
        arrays: gives the network as it is.
        every: environment steps.
    """

    def __init__(self, best: Best, arrays: Callable[[], dict[str, Array]], every: int) -> None:
        super().__init__()
        self._best, self._arrays = best, arrays
        self._every = max(every, 1)
        self._next = self._every

    def look(self) -> None:
        """Meet them now."""
        self._best.look(self._arrays(), self.num_timesteps)

    def _on_step(self) -> bool:
        if self.num_timesteps >= self._next:
            self.look()
            self._next += self._every
        return True
