"""Many networks at once do what each does alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import functional_call

from driftrec.envs import RecommendationVectorEnv, feed_population
from driftrec.meta.evolution.stacked import StackedNetwork, stackable
from driftrec.meta.network import ActorCritic, feature_scale
from driftrec.meta.track import NetworkShape

NETWORKS, EACH, REQUESTS = 3, 4, 5


def observations(population):
    env = RecommendationVectorEnv(population, NETWORKS * EACH, autoreset_mode="Disabled")
    rng = np.random.default_rng(0)
    observation, _ = env.reset(seed=0)
    seen = [observation]
    for _ in range(REQUESTS - 1):
        slate = rng.integers(len(population.catalogue), size=(NETWORKS * EACH, 1))
        seen.append(env.step(slate)[0])
    return seen


@pytest.mark.parametrize(
    ("kind", "head", "belief"),
    [
        ({"memory": "gru"}, "linear", False),
        ({"memory": "gru", "timed": True}, "hypernetwork", True),
        ({"memory": "lstm"}, "linear", True),
        ({"memory": "transformer", "window": 4}, "linear", False),
        ({"filter": True}, "linear", True),
    ],
    ids=["gru", "hypernetwork", "lstm", "transformer", "filter"],
)
@torch.no_grad()
def test_stacked_networks_know_and_query_as_each_does_alone(kind, head, belief):
    population = feed_population()
    table = torch.from_numpy(np.array(population.catalogue.table))
    torch.manual_seed(0)
    shape = NetworkShape.of(population, hidden=8, **kind)
    network = ActorCritic(shape, feature_scale(table), belief=belief, head=head)
    weights = {
        name: parameter + 0.1 * torch.randn(NETWORKS, *parameter.shape)
        for name, parameter in network.named_parameters()
    }
    stacked = StackedNetwork(stackable(network), weights)
    seen, track = observations(population), stacked.start(NETWORKS * EACH)
    together = []
    for observation in seen:
        _, known, track = stacked.know(observation, track)
        together.append(stacked.queries(known))
    for number in range(NETWORKS):
        own = {name: stack[number] for name, stack in weights.items()}
        network.load_state_dict(own, strict=False)
        rows = slice(number * EACH, (number + 1) * EACH)
        alone = network.start(EACH)
        for observation, queries in zip(seen, together, strict=True):
            part = {name: values[rows] for name, values in observation.items()}
            _, known, alone = network.know(part, alone)
            assert torch.allclose(network.queries(known), queries[rows], atol=1e-5)
        assert torch.allclose(alone.memory, track.memory[rows], atol=1e-5)


def leaves(outputs, state):
    return (outputs, *state) if isinstance(state, tuple) else (outputs, state)


@pytest.mark.parametrize("cell", [torch.nn.GRU, torch.nn.LSTM])
def test_a_looped_cell_is_the_cell_outputs_state_and_gradients(cell):
    torch.manual_seed(1)
    original = torch.nn.ModuleDict({"cell": cell(5, 5)})
    looped = stackable(original)
    inputs, state = torch.randn(7, 3, 5), torch.randn(1, 3, 5)
    state = (state, torch.randn(1, 3, 5)) if cell is torch.nn.LSTM else state
    results = [module["cell"](inputs, state) for module in (original, looped)]
    for ours, theirs in zip(*(leaves(*one) for one in results), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    names = dict(original.named_parameters())
    assert names.keys() == dict(looped.named_parameters()).keys()
    slopes = [
        torch.autograd.grad(outputs.sum(), module.parameters())
        for (outputs, _), module in zip(results, (original, looped), strict=True)
    ]
    for ours, theirs in zip(*slopes, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    # The copy has weights of its own.
    with torch.no_grad():
        looped["cell"].bias_hh_l0.add_(1)
    assert not torch.equal(original["cell"].bias_hh_l0, looped["cell"].bias_hh_l0)


def test_functional_call_reaches_the_looped_cells_weights():
    looped = stackable(torch.nn.ModuleDict({"cell": torch.nn.GRU(2, 2)}))["cell"]
    zeros = {name: torch.zeros_like(weight) for name, weight in looped.named_parameters()}
    outputs, _ = functional_call(looped, zeros, (torch.ones(1, 1, 2), torch.ones(1, 1, 2)))
    # Both gates at 1/2, new memory 0: half of what was there is kept.
    assert outputs.flatten().tolist() == [0.5, 0.5]
