"""Checkpoints as a method of a benchmark."""

import pickle

import numpy as np
import pytest
import torch

from driftrec.agents import evaluate
from driftrec.envs import feed_population
from driftrec.meta import CheckpointError, RL2Policy, load
from driftrec.meta.network import ActorCritic
from driftrec.meta.saved_method import SavedMethod
from driftrec.meta.track import NetworkShape

FEED = feed_population()


@pytest.fixture
def paths(tmp_path):
    table = torch.from_numpy(np.array(FEED.catalogue.table))
    shape = NetworkShape(slate=1, width=table.shape[1], hidden=4, horizon=120)
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        folder = tmp_path / str(seed)
        RL2Policy(ActorCritic(shape, torch.ones(table.shape[1])), table).save(
            folder / "policy.safetensors"
        )
        found.append(str(folder))
    return tuple(found)


def test_each_checkpoint_acts_as_it_was_saved_whatever_becomes_of_the_original(paths, tmp_path):
    method = SavedMethod("mine", paths=paths)
    assert method.runs(7) == 2
    items = []
    for seed, path in enumerate(paths):
        folder = tmp_path / f"kept-{seed}"
        folder.mkdir()
        method.fit(FEED, folder, seed=seed, size="smoke")
        factory = pickle.loads(pickle.dumps(method.policy(folder)))
        own = load(path)
        mine, expected = (
            evaluate(make, FEED, users=5, batch=5) for make in (factory, lambda env, own=own: own)
        )
        np.testing.assert_array_equal(mine.items, expected.items)
        items.append(mine.items)
    assert (items[0] != items[1]).any()


def test_what_it_is_follows_from_the_weights_and_not_from_where_they_lie(paths, tmp_path):
    before = SavedMethod("mine", paths=paths).settings
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes((tmp_path / "0" / "policy.safetensors").read_bytes())
    assert SavedMethod("mine", paths=(str(moved), paths[1])).settings == before
    assert SavedMethod("mine", paths=paths[::-1]).settings != before


def test_what_cannot_be_read_is_refused_at_once(paths, tmp_path):
    with pytest.raises(ValueError, match="at least one checkpoint"):
        SavedMethod("mine")
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        SavedMethod("mine", paths=("/nowhere",))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="damaged"):
        SavedMethod("mine", paths=(str(damaged),))
