"""Recommenders as methods of the benchmark, by name."""

from __future__ import annotations

from driftrec.agents.method import Method
from driftrec.agents.recommenders.collaborative import ALS, BPR, ItemKNN, UserKNN
from driftrec.agents.recommenders.content_based import ContentAttributes, ContentKeywords
from driftrec.agents.recommenders.hybrids import MixedHybrid, WeightedHybrid
from driftrec.agents.recommenders.sequential import GRU4Rec

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        UserKNN(),
        ItemKNN(),
        ALS(),
        BPR(),
        ContentAttributes(),
        ContentKeywords(),
        WeightedHybrid(),
        MixedHybrid("mixed-collaborative"),
        MixedHybrid("mixed-content", first=ALS(), second=ContentAttributes()),
        GRU4Rec(),
    )
}
"""Recommenders by name."""
