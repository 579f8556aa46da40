"""Runs a grid in two processes, into the folder that is named: to be killed."""

import sys

import grid_methods

from driftrec.agents.benchmark.grid import run_grid

METHODS = {
    method.name: method
    for method in (
        grid_methods.Trained("learns", "bandit", steps=5, pause=0.03),
        grid_methods.Trained("learns more", "bandit", steps=9, pause=0.01),
        grid_methods.Untrained("stands", "bandit", 7),
    )
}


def scenarios():
    """Three, with users of two populations."""
    small, other = grid_methods.population(), grid_methods.population("Other", requests=9)
    return [
        grid_methods.scenario("near", METHODS, small),
        grid_methods.scenario("far", METHODS, other, small, users=7),
        grid_methods.scenario("again", METHODS, other, seed=3),
    ]


if __name__ == "__main__":

    def say(status):
        print(status.done, flush=True)

    run_grid(scenarios(), METHODS, sys.argv[1], size="smoke", progress=say, workers=2)
