"""A learned policy is read whole or not at all, and takes in no feedback that is no number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from driftrec.envs import RecommendationVectorEnv
from driftrec.meta import CheckpointError, learner_type, load
from driftrec.meta.checkpoint import checkpoint_kind, read_checkpoint, write_checkpoint
from driftrec.meta.testing import small_population

LEARNERS = ("rl2", "amortised", "dpt", "maml", "trees")
SMALL = {"iterations": 1, "users": 16, "validate_every": 1, "validation_users": 8}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the training of each learner, by name."""
    root = tmp_path_factory.mktemp("trained")
    for name in LEARNERS:
        kind = learner_type(name)
        config = kind.config_type(**{**kind.config_type.smoke, **SMALL})
        kind(config).fit(small_population(), root / name)
    return root


def without(name):
    return lambda values: values.pop(name)


def as_said(name, key, value):
    return lambda description: description[name].__setitem__(key, value)


def poisoned(name):
    return lambda tensors: tensors[name].fill_(float("nan"))


def untouched(_):
    pass


DAMAGES = {
    "no shape": ("rl2", without("shape"), untouched),
    "an unknown field": ("amortised", as_said("shape", "depth", 3), untouched),
    "a shape that cannot be": ("dpt", as_said("shape", "hidden", -4), untouched),
    "no options of the network": ("maml", without("network"), untouched),
    "no table": ("rl2", untouched, without("table")),
    "no settings": ("trees", without("settings"), untouched),
    "an unknown setting": ("trees", as_said("settings", "depth", 3), untouched),
    "no quality": ("trees", untouched, without("quality")),
    "no ranker": ("trees", untouched, without("ranker")),
    "features that are no numbers": ("trees", untouched, poisoned("features")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_policy_that_lacks_something_is_called_damaged(damage, trained, tmp_path):
    learner, describe, change = DAMAGES[damage]
    path = trained / learner / "policy.safetensors"
    kind = checkpoint_kind(path)
    tensors, description = read_checkpoint(path, kind)
    describe(description)
    change(tensors)
    write_checkpoint(tmp_path / "policy.safetensors", kind, tensors, description)
    with pytest.raises(CheckpointError, match=r"is damaged: expected .* of a policy"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["table", "network.trunk.encoder.weight"])
def test_weights_and_items_that_are_no_numbers_are_refused(name, trained, tmp_path):
    tensors, description = read_checkpoint(trained / "rl2" / "policy.safetensors", "rl2-policy")
    poisoned(name)(tensors)
    write_checkpoint(tmp_path / "policy.safetensors", "rl2-policy", tensors, description)
    with pytest.raises(CheckpointError, match="holds NaN or infinity in"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("describe", "change"),
    [
        (without("config"), untouched),
        (without("iteration"), untouched),
        (untouched, poisoned("best.sharpness")),
        (untouched, poisoned("network.sharpness")),
        (untouched, lambda tensors: tensors.update({"unknown.a": torch.zeros(1)})),
    ],
)
def test_a_training_that_is_damaged_is_not_gone_on_with(describe, change, trained, tmp_path):
    learner = learner_type("rl2")
    path = trained / "rl2" / "training.safetensors"
    tensors, standing = read_checkpoint(path, "rl2-training")
    config = learner.config_type(**{**learner.config_type.smoke, **SMALL})
    describe(standing)
    change(tensors)
    write_checkpoint(tmp_path / "training.safetensors", "rl2-training", tensors, standing)
    with pytest.raises(CheckpointError, match=r"is damaged: expected weights|holds NaN or infin"):
        learner(config).fit(small_population(), tmp_path, resume=True)


@pytest.mark.parametrize("learner", ["rl2", "maml", "dpt", "trees"])
@pytest.mark.parametrize("name", ["feedback", "log_elapsed"])
def test_feedback_and_times_that_are_no_numbers_are_refused(name, learner, trained):
    policy, users = load(trained / learner), 9
    env = RecommendationVectorEnv(small_population(), users, split="test")
    observation, _ = env.reset(seed=0)
    slate, state = policy.act(observation, policy.start(users))
    observation, *_ = env.step(slate)
    bad = {**observation, name: np.array(observation[name])}
    bad[name][[1, 4]] = [[np.nan], [np.inf]]
    with pytest.raises(ValueError, match=rf"{name} must be finite, .* in row\(s\) \[1, 4\]$"):
        policy.act(bad, state)
    bad[name][:] = np.nan
    with pytest.raises(ValueError, match=r"in row\(s\) \[0, 1, 2, 3, 4\] and 4 more"):
        policy.act(bad, state)
    policy.act(observation, state)


def test_a_training_of_trees_without_its_trees_is_called_damaged(trained, tmp_path):
    learner = learner_type("trees")
    path = trained / "trees" / "training.safetensors"
    tensors, standing = read_checkpoint(path, checkpoint_kind(path))
    tensors.pop(next(name for name in tensors if name.startswith("network.")))
    write_checkpoint(tmp_path / "training.safetensors", checkpoint_kind(path), tensors, standing)
    config = learner.config_type(**{**learner.config_type.smoke, **SMALL})
    with pytest.raises(CheckpointError, match="is damaged: expected the texts of trees"):
        learner(config).fit(small_population(), tmp_path, resume=True)


def test_a_curriculum_whose_regrets_are_damaged_is_not_gone_on_with(tmp_path):
    learner = learner_type("curriculum")
    config = learner.config_type(**{**learner.config_type.smoke, **SMALL})
    learner(config).fit(small_population(), tmp_path)
    [path] = tmp_path.glob("regret-*.safetensors")
    write_checkpoint(path, checkpoint_kind(path), {"first": torch.zeros(2)}, {})
    with pytest.raises(CheckpointError, match="is damaged: expected regrets by number"):
        learner(config).fit(small_population(), tmp_path, resume=True)
