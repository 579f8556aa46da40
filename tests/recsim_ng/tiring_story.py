"""Which classes play the story; nothing of recsim-ng is imported before it is run."""

from driftrec.envs.recsim_ng import Story

STORY = Story(
    name="Tiring",
    user="tiring:TiringUser",
    documents="tiring:Shelf",
    metrics="tiring:Ratings",
    config={"num_topics": 3, "num_docs": 20, "slate_size": 2},
    horizon=30,
)
