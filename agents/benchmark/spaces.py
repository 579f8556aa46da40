"""Search spaces: which options of a method are tuned, and between which bounds.

A method names its own in an attribute `space`, a mapping of options to dimensions; those of this
package that have none are here by name. An option is a field of the method, or a path into a field:
"options.learning_rate" is the entry "learning_rate" of the field `options`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import Any

from driftrec.agents.method import Method

Dimension = tuple[float, float, bool] | list[Any]
"""(lowest, highest, whether on a logarithmic scale), whole numbers where both bounds are; or the
choices."""

Space = Mapping[str, Dimension]

RIDGE: Dimension = (1.0, 300.0, True)

WIDTH: Dimension = (0.01, 1.0, True)

RATE: Dimension = (1e-4, 1e-2, True)

ACTOR: Space = {
    "options.learning_rate": RATE,
    "options.gamma": (0.0, 0.99, False),
    "options.gae_lambda": (0.5, 1.0, False),
}

CRITIC: Space = {"options.learning_rate": RATE, "options.gamma": (0.0, 0.99, False)}

CONTENT: Space = {"popularity": (0.1, 30.0, True), "skips": (0.0, 2.0, False)}

NETWORK: Space = {"always.learning_rate": (1e-3, 2e-2, True)}

BONUS: Space = {"bonus": (0.01, 2.0, True)}

UPPER: Space = {"alpha": WIDTH, "ridge": RIDGE}

SPACES: Mapping[str, Space] = {
    "epsilon-greedy": {"epsilon": (1e-3, 0.3, True), "ridge": RIDGE},
    "linucb": UPPER,
    "discounted-linucb": {**UPPER, "discount": (0.9, 1.0, False)},
    "window-linucb": {**UPPER, "window": (10, 120, True)},
    "lin-ts": {"width": WIDTH, "ridge": RIDGE},
    "kalman-ts": {
        "width": WIDTH,
        "ridge": RIDGE,
        "taste_days": (1.0, 1000.0, True),
        "whim_hours": (0.05, 24.0, True),
    },
    "logistic-ts": {"variance": (0.01, 1.0, True), "width": WIDTH},
    "hybrid-linucb": UPPER,
    "hierarchical-static": BONUS,
    "hierarchical-bayes": BONUS,
    "neural-linear": {"width": WIDTH, "ridge": RIDGE},
    "user-knn": {"training": (500, 2000, True)},
    "item-knn": {"neighbours": (10, 500, True)},
    "als": {"factors": (4, 64, True), "ridge": (1.0, 1000.0, True), "weight": (1.0, 100.0, True)},
    "bpr": {
        "factors": (4, 64, True),
        "ridge": (1e-3, 1.0, True),
        "rate": (0.01, 0.2, True),
        "online_rate": (0.01, 1.0, True),
    },
    "content-attributes": CONTENT,
    "content-keywords": CONTENT,
    "weighted-hybrid": {"collaborative.factors": (4, 64, True), "content.skips": (0.0, 2.0, False)},
    "mixed-collaborative": {"second.neighbours": (10, 500, True)},
    "mixed-content": {"first.factors": (4, 64, True), "second.skips": (0.0, 2.0, False)},
    "gru4rec": {"width": [16, 32, 64], "rate": (1e-3, 3e-2, True), "decay": (1.0, 30.0, True)},
    "ppo": ACTOR,
    "a2c": ACTOR,
    "recurrent-ppo": ACTOR,
    "dqn": CRITIC,
    "sac": CRITIC,
    "slateq": CRITIC,
    "rl2": {**NETWORK, "always.own_rate": (1e-3, 1.0, True)},
    "amortised": {**NETWORK, "always.explore": (0.0, 0.3, False)},
    "dpt": {**NETWORK, "always.explore": (0.0, 0.3, False)},
    "trees": {
        "always.learning_rate": (0.02, 0.3, True),
        "always.leaves": (7, 63, True),
        "always.candidates": (10, 100, True),
    },
    "maml": {**NETWORK, "always.rule_rate": (0.5, 10.0, True)},
    "reptile": {"always.learning_rate": (0.1, 1.0, True)},
    "gradient-aggregation": NETWORK,
    "es": {"always.learning_rate": (3e-3, 0.1, True), "always.noise": (0.01, 0.2, True)},
    "curriculum": NETWORK,
    "rl2-retention": {"always.learning_rate": (3e-4, 5e-3, True), "always.own_rate": WIDTH},
}
"""By the name of the method."""


def space_of(method: Method) -> Space:
    """Which options of a method are tuned.

    Raises:
        ValueError: if none are known.
    """
    space: Space = getattr(method, "space", None) or SPACES.get(method.name, {})
    if not space:
        raise ValueError(
            f"{method.name} has no options to tune: give its class an attribute `space` that maps "
            "options to (lowest, highest, whether logarithmic) or to a list of choices"
        )
    return space


def with_options(method: Method, options: Mapping[str, Any]) -> Method:
    """The method with other options, given by their paths.

    Raises:
        ValueError: if it has no such option.
    """
    for path, value in options.items():
        method = _with(method, path.split("."), value, path)
    return method


def _with(whole: Any, path: list[str], value: Any, name: str) -> Any:
    first, *rest = path
    if isinstance(whole, Mapping):
        if rest and first not in whole:
            raise ValueError(f"there is no option {name!r}: {first!r} is none of {list(whole)}")
        inner = _with(whole[first], rest, value, name) if rest else value
        return {**whole, first: inner}
    if not (is_dataclass(whole) and hasattr(whole, first)):
        raise ValueError(f"{type(whole).__name__} has no option {name!r}")
    inner = _with(getattr(whole, first), rest, value, name) if rest else value
    return replace(whole, **{first: inner})  # type: ignore[type-var]  # an instance


def option_of(method: Method, path: str) -> Any:
    """The value of an option; None where it is left to what the method learns by."""
    found: Any = method
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
    return found
