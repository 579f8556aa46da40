"""Learners by name, those of other packages included, and policies read back by their kind."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from driftrec.meta.checkpoint import CheckpointError, checkpoint_kind
from driftrec.meta.learner import AnyLearner, LearnedPolicy

ENTRY_POINTS = "driftrec.learners"
"""Entry-point group in which other packages name their learners."""

LEARNERS: dict[str, str] = {
    "rl2": "driftrec.meta.rl2:RL2",
    "amortised": "driftrec.meta.amortised:Amortised",
    "dpt": "driftrec.meta.dpt:DPT",
    "es": "driftrec.meta.evolution:ES",
    "curriculum": "driftrec.meta.generation:Curriculum",
    "trees": "driftrec.meta.trees:Trees",
    "maml": "driftrec.meta.maml:MAML",
    "reptile": "driftrec.meta.maml:Reptile",
    "gradient-aggregation": "driftrec.meta.maml:GradientAggregation",
}
"""Built-in learners by name, as "module:class"; they are imported when they are asked for."""

LOADERS: dict[str, str] = {
    "rl2-policy": "driftrec.meta.rl2_policy:load",
    "amortised-policy": "driftrec.meta.amortised:load",
    "dpt-policy": "driftrec.meta.dpt:load",
    "trees-policy": "driftrec.meta.trees:load",
    "maml-policy": "driftrec.meta.maml.policy:load",
}
"""What reads a policy of each kind of checkpoint, as "module:function"."""


PRETRAINED = "pretrained:"
"""Marks the name of a checkpoint that comes with the package, where a path could stand."""


def learner_names() -> list[str]:
    """Names that `learner_type` knows, those of installed plug-ins included."""
    plugins = {point.name for point in entry_points(group=ENTRY_POINTS)}
    return [*LEARNERS, *sorted(plugins - set(LEARNERS))]


def learner_type(name: str) -> type[AnyLearner]:
    """The learner called `name`.

    Raises:
        ValueError: if there is none or more than one of that name, or a plug-in cannot be
            imported or is no learner.
    """
    plugins = list(entry_points(group=ENTRY_POINTS, name=name))
    if len(plugins) + (name in LEARNERS) > 1:
        values = ", ".join(repr(point.value) for point in plugins)
        raise ValueError(
            f"the learner {name!r} must stand for one thing, but it is taken more than once, "
            f"by plug-ins {values}: rename or uninstall one"
        )
    if name in LEARNERS:
        found: type[AnyLearner] = _named(LEARNERS[name])
        return found
    if not plugins:
        raise ValueError(f"learner must be one of {', '.join(learner_names())}; got {name!r}")
    return _plugged_in(plugins[0])


def _plugged_in(point: Any) -> type[AnyLearner]:
    try:
        found: type[AnyLearner] = point.load()
    except Exception as error:
        raise ValueError(
            f"the plug-in {point.name!r} must name a learner, and {point.value!r} raised "
            f"{type(error).__name__}: {error}"
        ) from error
    if not (isinstance(found, type) and hasattr(found, "fit") and hasattr(found, "config_type")):
        raise ValueError(
            f"the plug-in {point.name!r} must name a class with `config_type` and `fit` (see "
            f"driftrec.meta.learner), got {found!r}"
        )
    return found


def load(path: str | Path, **options: Any) -> LearnedPolicy:
    """Read a learned policy of any kind, on the catalogue it was trained with.

    "pretrained:NAME" in the place of a path is a checkpoint that comes with the package.

    Policies of other packages are read by their learner's `load`, where the kind of the checkpoint
    is "<name of the learner>-policy".

    Args:
        path: of a file that a policy's `save` wrote, or of the folder of a training run.
        options: how it acts; which there are depends on the kind.

    Raises:
        CheckpointError: if the file is missing, damaged, or of no kind of policy.
    """
    path = policy_file(path)
    kind = checkpoint_kind(path)
    if kind in LOADERS:
        policy: LearnedPolicy = _named(LOADERS[kind])(path, **options)
        return policy
    name = kind.removesuffix("-policy")
    if name != kind and name in learner_names():
        loader: Any = learner_type(name)
        plugged: LearnedPolicy = loader.load(path, **options)
        return plugged
    raise CheckpointError(f"{path} holds a {kind!r} checkpoint, expected that of a policy")


def policy_file(path: str | Path) -> Path:
    """The file that `load` reads: of a folder, the policy that training left there."""
    if str(path).startswith(PRETRAINED):
        from driftrec.meta.pretrained import find_by_name

        return find_by_name(str(path).removeprefix(PRETRAINED)).path
    return Path(path) / "policy.safetensors" if Path(path).is_dir() else Path(path)


def _named(reference: str) -> Any:
    module, name = reference.split(":")
    return getattr(import_module(module), name)
