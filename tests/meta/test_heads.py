"""What heads can and cannot express, and what they read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from driftrec.meta import RL2, RL2Config, load
from driftrec.meta.dpt import DPT, BestItemNetwork, DPTConfig
from driftrec.meta.heads import HINTS, BeliefHead, QueryHead, ValueHead
from driftrec.meta.network import ActorCritic
from driftrec.meta.testing import check_policy, small_population
from driftrec.meta.track import NetworkShape
from driftrec.meta.trunk import Trunk


def trunk_of(**options):
    torch.manual_seed(0)
    return Trunk(NetworkShape(slate=1, width=4, hidden=6, **options), torch.ones(4))


def loss_after_fitting(head, trunk, steps=400):
    """Squared error of a query that is a product of memory and situation."""
    rng = torch.Generator().manual_seed(1)
    known = torch.randn(512, trunk.known, generator=rng)
    wanted = (known[:, 0] * known[:, trunk.shape.hidden])[:, None].expand(-1, 4)
    optimiser = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(steps):
        loss = (head(known) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def test_a_hypernetwork_lets_memory_decide_how_the_situation_is_read_and_a_linear_head_cannot():
    trunk = trunk_of()
    assert loss_after_fitting(QueryHead(trunk, "linear"), trunk) > 0.5
    assert loss_after_fitting(QueryHead(trunk, "hypernetwork"), trunk) < 0.1


@pytest.mark.parametrize(("towers", "least"), [(0, np.log(3)), (16, np.log(2))])
def test_towers_name_the_ends_of_a_line_and_a_linear_score_can_only_guess(towers, least):
    torch.manual_seed(0)
    network = BestItemNetwork(NetworkShape(slate=1, width=1, hidden=6), torch.ones(1), towers)
    line = torch.tensor([[-1.0], [0.0], [1.0]])
    known, best = torch.zeros(2, network.trunk.known), torch.tensor([0, 2])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(400):
        loss = torch.nn.functional.cross_entropy(network.logits(known, line), best)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() == pytest.approx(least, abs=0.01)


@pytest.mark.parametrize("privileged", [True, False])
def test_the_critic_reads_the_hint_only_where_it_is_privileged(privileged):
    trunk = trunk_of()
    head = ValueHead(trunk, privileged)
    known = torch.randn(5, trunk.known)
    one, other = (head(known, hint) for hint in (torch.zeros(5, HINTS), torch.ones(5, HINTS)))
    assert torch.equal(one, other) != privileged


def test_no_policy_gradient_reaches_the_belief():
    torch.manual_seed(0)
    network = ActorCritic(NetworkShape(slate=1, width=4, hidden=6), torch.ones(4))
    known = torch.randn(5, network.trunk.known)
    network.queries(known).square().sum().backward()
    assert all(weight.grad is None for weight in network.belief.parameters())
    assert network.sharpness.grad is not None


def test_a_belief_starts_from_the_filter_and_its_variance():
    trunk = trunk_of(filter=True)
    head = BeliefHead(trunk)
    with torch.no_grad():
        head.mean.weight.zero_()
        head.log_variance.weight.zero_()
        mean, covariance = trunk.filter.start(3)
        known = torch.cat(
            [torch.randn(3, trunk.known - 15), trunk._belief_inputs(mean, covariance)], 1
        )
        items = trunk.with_one(torch.randn(7, 4))
        filtered = trunk.filter.variance(covariance, items)
        half = trunk.filter.size // 2
        torch.testing.assert_close(head.means(trunk, known), mean[:, :half] + mean[:, half:])
        rest = torch.exp(head.log_variance.bias[1])
        torch.testing.assert_close(head.variances(known, items, filtered), filtered + rest)


def test_an_unknown_head_is_refused():
    with pytest.raises(ValueError, match="head must be linear or hypernetwork, got 'deep'"):
        QueryHead(trunk_of(), "deep")


@pytest.mark.parametrize(
    "options",
    [
        {"memory": "lstm"},
        {"memory": "transformer", "window": 4},
        {"head": "hypernetwork", "privileged_critic": False},
        {"filter": False, "belief": False},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_every_kind_of_rl2_network_conforms_and_comes_back_from_its_file(options, tmp_path):
    config = RL2Config(iterations=1, users=8, hidden=8, probes=3, validation_users=4, **options)
    population = small_population()
    policy = RL2(config).fit(population, tmp_path)
    check_policy(policy, population)
    loaded = load(tmp_path)
    for name, tensor in policy.network.state_dict().items():
        assert np.array_equal(tensor, loaded.network.state_dict()[name]), name


def test_a_dpt_with_towers_conforms_and_comes_back_from_its_file(tmp_path):
    config = DPTConfig(
        iterations=1, users=8, hidden=8, probes=3, validation_users=4, memory="gru", towers=5
    )
    population = small_population()
    policy = DPT(config).fit(population, tmp_path)
    check_policy(policy, population)
    loaded = load(tmp_path)
    assert "towers.item.0.weight" in policy.network.state_dict()
    for name, tensor in policy.network.state_dict().items():
        assert np.array_equal(tensor, loaded.network.state_dict()[name]), name
