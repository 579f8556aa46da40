"""Training on torch's arrays is training on numpy's: the path that a GPU takes, on the CPU.

The CPU's streams of luck are the same for both libraries, so that users and clicks agree, and
weights up to rounding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from driftrec.envs import DriftingUser, Population, synthetic_catalogue
from driftrec.envs.bernoulli_bandit import bernoulli_population
from driftrec.meta import RL2, PPOConfig, RL2Config
from driftrec.meta.amortised import Amortised, AmortisedConfig, AmortisedRun
from driftrec.meta.dpt import DPT, DPTConfig
from driftrec.meta.evolution import ES, ESConfig
from driftrec.meta.maml.config import MAMLConfig
from driftrec.meta.maml.maml import MAML
from driftrec.meta.rl2_run import RL2Run
from driftrec.meta.workers import Worker

SMALL = {
    "iterations": 2, "users": 16, "hidden": 8, "probes": 4, "validate_every": 2,
    "validation_users": 8,
}  # fmt: skip
PPO = PPOConfig(epochs=1, minibatches=2)


def small_population(items=30):
    catalogue = synthetic_catalogue(items, np.random.default_rng(0), dimension=4, topics=3)
    personas = np.random.default_rng(1).standard_normal((3, 4))
    model = DriftingUser(personas=personas, topics=3, churn=0.3, session_requests=3.0)
    return Population("Small", model, catalogue, slate=2, max_requests=8)


@pytest.mark.parametrize(
    ("learner", "config"),
    [
        (RL2, RL2Config(**SMALL, ppo=PPO)),
        (RL2, RL2Config(**SMALL, ppo=PPO, filter=True, expected_rewards=False)),
        (Amortised, AmortisedConfig(**SMALL, minibatches=2, acting="ucb")),
        (DPT, DPTConfig(**SMALL, minibatches=2, acting="sample")),
        (MAML, MAMLConfig(**SMALL, ppo=PPO)),
    ],
)
# Items of a catalogue that is probed whole, and of one of which a few are looked up.
@pytest.mark.parametrize("items", [30, 100])
def test_both_libraries_train_the_same_policy(learner, config, items):
    population = small_population(items)
    numpy_policy = learner(config).fit(population)
    torch_policy = learner(replace(config, arrays="torch")).fit(population)
    moved = 0.0
    start = learner.run_type(Worker(), config, population).network.state_dict()
    for name, tensor in numpy_policy.network.state_dict().items():
        other = torch_policy.network.state_dict()[name]
        torch.testing.assert_close(other, tensor, atol=2e-4, rtol=1e-3, msg=name)
        moved = max(moved, float((tensor - start[name]).abs().max()))
    assert moved > 1e-3
    assert torch_policy.about["validation"] == numpy_policy.about["validation"]


@pytest.mark.parametrize(
    ("run", "config"),
    [(RL2Run, RL2Config(**SMALL, ppo=PPO)), (AmortisedRun, AmortisedConfig(**SMALL))],
)
def test_nothing_is_copied_between_libraries_while_it_trains(run, config, monkeypatch):
    # Users without sessions: the luck of a new session of a drifting user is made by numpy.
    trained = run(Worker(), replace(config, arrays="torch"), bernoulli_population(30, 8))
    trained.update(1, 1e-3)

    def refuse(self, *args, **kwargs):
        raise AssertionError("a tensor of training was made a numpy array")

    for way in ("numpy", "__array__"):
        monkeypatch.setattr(torch.Tensor, way, refuse)
    observed = []
    step = trained.env.step

    def watched(actions):
        observed.append(type(actions))
        answer = step(actions)
        observed.extend(type(array) for array in [*answer[0].values(), *answer[1:4]])
        return answer

    trained.env.step = watched
    trained.update(2, 1e-3)
    assert set(observed) == {torch.Tensor}


def test_devices_and_libraries_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="device 'cuda' needs arrays='torch', got 'numpy'"):
        RL2Config(device="cuda")
    with pytest.raises(ValueError, match="arrays must be one of"):
        RL2Config(arrays="jax")
    with pytest.raises(ValueError, match="trains on arrays of numpy, not of torch"):
        ES(ESConfig(iterations=1, users=16, pairs=2, arrays="torch")).fit(small_population())
