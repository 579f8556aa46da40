"""Environments of other packages as populations: no user model is needed."""

from driftrec.envs.foreign.population import foreign_population
from driftrec.envs.foreign.users import ForeignState, ForeignUsers

__all__ = ["ForeignState", "ForeignUsers", "foreign_population"]
