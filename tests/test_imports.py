"""Importing and using `driftrec.envs` stays light: no learning stack, little CPU time."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

HEAVY = ("torch", "tensorflow", "pandas", "polars", "sklearn", "matplotlib", "scipy")
CPU_LIMIT_S = 0.5

REPORT = f"""
import json, sys
heavy = sorted({{name.partition(".")[0] for name in sys.modules}} & set({HEAVY!r}))
print(json.dumps({{"cpu": cpu, "heavy": heavy}}))
"""
IMPORT_ENVS = """
import time
start = time.process_time()
import driftrec.envs
cpu = time.process_time() - start
"""
USE_EVERY_ID = """
cpu = None
import gymnasium, driftrec.envs
ids = driftrec.envs.list()
assert "DriftRec/Feed-v0" in ids, ids
for name in ids:
    env = gymnasium.make(name)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()
"""


def run_child(code: str) -> dict[str, Any]:
    """Runs `code` and then the report in a fresh interpreter with one thread a library."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code + REPORT], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("code", [IMPORT_ENVS, USE_EVERY_ID], ids=["import", "use"])
def test_envs_need_no_learning_stack(code: str) -> None:
    assert run_child(code)["heavy"] == []


def test_the_report_sees_a_heavy_import() -> None:
    assert run_child("cpu = None\nimport scipy.special\n")["heavy"] == ["scipy"]


def test_import_costs_under_half_a_cpu_second() -> None:
    best = min(run_child(IMPORT_ENVS)["cpu"] for _ in range(3))
    assert best < CPU_LIMIT_S
