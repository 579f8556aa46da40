"""What fitting a log gives: parameters with their intervals, and the users they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from driftrec.envs.catalogue import Catalogue
from driftrec.envs.drifting_user import DriftingUser, default_personas
from driftrec.envs.fitting.estimate import Estimate
from driftrec.envs.fitting.logit_normal import LogitNormal
from driftrec.envs.fitting.simulate import Observation

PERSONAS = 12
_NAMES = {item.name for item in fields(DriftingUser)}


@dataclass(frozen=True, eq=False)
class FittedUsers:
    """Users fitted to one part of a log.

    Attributes:
        parameters: by name; those of `DriftingUser`, and others that say how the log sees them.
        scale: law of the logit of a click.
        observation: how the log's users were shown items, and seen.
    """

    parameters: Mapping[str, Estimate]
    scale: LogitNormal
    observation: Observation

    def model(self, catalogue: Catalogue) -> DriftingUser:
        """Users with these parameters, not yet calibrated."""
        known: dict[str, Any] = {
            name: max(one.value, 0.0) for name, one in self.parameters.items() if name in _NAMES
        }
        return DriftingUser(
            personas=default_personas(PERSONAS, catalogue.dimension),
            topics=catalogue.topics.shape[1],
            **known,
        )
