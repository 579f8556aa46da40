"""Memories read step by step as they read whole, and forget only what is out of their window."""

from __future__ import annotations

import pytest
import torch

from driftrec.meta.memories import TransformerMemory, make_memory


def memory_of(name, window=128):
    torch.manual_seed(0)
    return make_memory(name, 8, window=window).double()


@pytest.mark.parametrize("name", ["gru", "lstm", "transformer"])
def test_step_by_step_equals_the_whole_sequence(name):
    memory = memory_of(name)
    inputs = torch.randn(9, 3, 8, dtype=torch.float64)
    whole, last = memory(inputs, None)
    state = torch.zeros(3, memory.size, dtype=torch.float64)
    for request in range(9):
        output, state = memory(inputs[request : request + 1], state)
        torch.testing.assert_close(output[0], whole[request])
    torch.testing.assert_close(state, last)


@pytest.mark.parametrize("name", ["gru", "lstm", "transformer"])
def test_the_future_does_not_reach_the_past(name):
    memory = memory_of(name)
    inputs = torch.randn(9, 3, 8, dtype=torch.float64)
    before, _ = memory(inputs, None)
    changed = inputs.clone()
    changed[5] += 1
    after, _ = memory(changed, None)
    assert torch.equal(before[:5], after[:5])
    assert not torch.allclose(before[5:], after[5:])


def test_transformer_of_one_layer_forgets_what_left_its_window():
    torch.manual_seed(0)
    memory = TransformerMemory(8, layers=1, heads=2, window=3).double()
    inputs = torch.randn(8, 2, 8, dtype=torch.float64)
    changed = inputs.clone()
    changed[2] = torch.randn(2, 8, dtype=torch.float64)
    before, _ = memory(inputs, None)
    after, _ = memory(changed, None)
    assert not torch.allclose(before[4], after[4])
    assert torch.equal(before[5:], after[5:])


@pytest.mark.parametrize("window", [1, 3])
def test_transformer_in_steps_keeps_to_a_short_window(window):
    memory = memory_of("transformer", window)
    inputs = torch.randn(7, 2, 8, dtype=torch.float64)
    whole, _ = memory(inputs, None)
    state, outputs = torch.zeros(2, memory.size, dtype=torch.float64), []
    for step in inputs:
        output, state = memory(step[None], state)
        outputs.append(output[0])
    torch.testing.assert_close(torch.stack(outputs), whole)


def test_users_of_one_batch_may_have_histories_of_different_length():
    memory = memory_of("transformer", 4)
    inputs = torch.randn(6, 2, 8, dtype=torch.float64)
    state = torch.zeros(2, memory.size, dtype=torch.float64)
    for request in range(6):
        if request == 3:
            state[1] = 0
        output, state = memory(inputs[request : request + 1], state)
    late, _ = memory(inputs[3:, 1:], None)
    torch.testing.assert_close(output[0, 1], late[-1, 0])


def test_unknown_memory_and_heads_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="memory must be gru, lstm or transformer, got 'rnn'"):
        make_memory("rnn", 8)
    with pytest.raises(ValueError, match="must be a multiple of the 4 heads"):
        make_memory("transformer", 10)
