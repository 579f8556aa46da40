"""Recommender users whose taste goes round with the tide: a plug-in for driftrec."""

from __future__ import annotations

from driftrec_tides.population import tides_population
from driftrec_tides.users import Tides, TidesState

__all__ = ["Tides", "TidesState", "tides_population"]
