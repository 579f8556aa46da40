"""Trust-region steps: the natural gradient, within the bound."""

from __future__ import annotations

import pytest
import torch

from driftrec.meta.maml.families import Categorical
from driftrec.meta.trust_region import TRPOConfig, conjugate_gradients, trpo_step


def test_conjugate_gradients_solve_a_positive_definite_system():
    torch.manual_seed(0)
    root = torch.randn(6, 6, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(6, dtype=torch.float64)
    right = torch.randn(6, dtype=torch.float64)
    found = conjugate_gradients(lambda vector: matrix @ vector, right, 20)
    torch.testing.assert_close(found, torch.linalg.solve(matrix, right))


def bandit(logits: torch.Tensor):
    """Expected reward of a softmax policy over four arms, and its divergence from the start."""
    old, worth = logits.detach().clone(), torch.tensor([0.1, 0.4, 0.9, 0.2], dtype=logits.dtype)
    return lambda: (
        -(logits.softmax(0) * worth).sum(),
        Categorical().divergence(old, logits),
    )


@pytest.mark.parametrize("bound", [1e-4, 1e-2, 0.1])
def test_a_step_uses_the_trust_region_and_stays_in_it(bound):
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    measure = bandit(logits)
    found = trpo_step([logits], measure, TRPOConfig(max_divergence=bound, damping=1e-4))
    assert found["after"] < found["before"]
    assert 0.2 * bound < found["divergence"] <= bound
    loss, divergence = measure()
    assert loss.item() == pytest.approx(found["after"])
    assert divergence.item() == pytest.approx(found["divergence"])


def test_a_small_step_goes_along_the_natural_gradient():
    # For a softmax policy it is the advantage of each arm (Kakade 2001), up to a constant.
    logits = torch.tensor([0.5, -0.3, 0.0, 0.2], dtype=torch.float64, requires_grad=True)
    start = logits.detach().clone()
    trpo_step([logits], bandit(logits), TRPOConfig(max_divergence=1e-8, damping=1e-9))
    moved = logits.detach() - start
    worth = torch.tensor([0.1, 0.4, 0.9, 0.2], dtype=torch.float64)
    moved, worth = moved - moved.mean(), worth - worth.mean()
    assert torch.cosine_similarity(moved, worth, 0).item() == pytest.approx(1.0, abs=1e-4)


def test_where_no_step_helps_the_parameters_stay():
    weight = torch.zeros(2, requires_grad=True)
    found = trpo_step(
        [weight], lambda: (weight.abs().sum() + weight.sum() * 1e-3, weight.square().sum() * 1e6)
    )
    assert found["share"] == 0
    assert (weight == 0).all()
