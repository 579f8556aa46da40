"""recsim-ng is imported when it is needed, and leaves the world as it was."""

import json
import os
import subprocess
import sys
import warnings
from types import ModuleType

import gymnasium
import numpy as np
import pytest

import driftrec.envs
from driftrec.envs.recsim_ng import MissingExtraError, compatible, library, missing

ID = "DriftRec/RecSimNG-v0"
BEFORE_AND_AFTER = """
import json, os, sys, warnings
import gymnasium, numpy
import driftrec.envs

def world():
    watched = ("gym", "gym.spaces", "edward2.numpy")
    return {
        "environment": dict(os.environ),
        "numpy": hasattr(numpy, "Inf"),
        "modules": [name for name in watched if name in sys.modules],
        "filters": repr(warnings.filters),
        "path": sys.path,
    }

assert "tensorflow" not in sys.modules
before = world()
env = gymnasium.make("DriftRec/RecSimNG-v0")
env.reset(seed=0)
env.step(env.action_space.sample())
assert "tensorflow" in sys.modules
print(json.dumps([before, world()]))
"""

installed = pytest.mark.skipif(bool(missing()), reason="the extra recsim-ng is not installed")
absent = pytest.mark.skipif(not missing(), reason="the extra recsim-ng is installed")


@installed
def test_making_an_environment_leaves_the_world_as_it_was():
    child = subprocess.run(
        [sys.executable, "-c", BEFORE_AND_AFTER], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    before, after = json.loads(child.stdout)
    assert before == after
    assert before["modules"] == []
    assert not before["numpy"]
    assert child.stderr == ""


def test_what_was_there_before_is_there_again():
    mine, environment = ModuleType("gym"), dict(os.environ)
    sys.modules["gym"] = mine
    try:
        with compatible():
            assert sys.modules["gym"] is not mine
            assert vars(np)["Inf"] == np.inf
        assert sys.modules["gym"] is mine
    finally:
        del sys.modules["gym"]
    assert dict(os.environ) == environment
    assert "gym.spaces" not in sys.modules
    assert "edward2.numpy" not in sys.modules
    assert not hasattr(np, "Inf")


def test_modules_written_for_gym_keep_infinity_and_others_do_not(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "of_gym.py").write_text(
        "import numpy as np\nfrom gym import spaces\n"
        "def box(): return spaces.Box(low=-np.Inf, high=np.Inf, shape=(3,))\n"
    )
    (tmp_path / "of_numpy.py").write_text("import numpy as np\n")
    with compatible():
        import of_gym
        import of_numpy
    assert of_gym.box().low == -np.inf
    assert of_gym.np.zeros(2).shape == (2,)
    assert of_numpy.np is np
    assert "gym" not in sys.modules


def test_a_missing_part_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setattr(library, "missing", lambda: ["tf_keras", "recsim_ng"])
    with pytest.raises(MissingExtraError, match=r"tf_keras, recsim_ng cannot be imported: pip"):
        library.library.__wrapped__()


@absent
def test_without_the_extra_the_id_is_not_listed_and_says_what_to_install():
    assert ID not in driftrec.envs.list()
    assert ID in gymnasium.registry
    with pytest.raises(MissingExtraError, match=r"pip install 'driftrec\[recsim-ng\]'"):
        gymnasium.make(ID)
    with pytest.raises(MissingExtraError, match=r"pip install 'driftrec\[recsim-ng\]'"):
        gymnasium.make_vec(ID, num_envs=4)
    with pytest.raises(MissingExtraError, match=r"docs/guide/recsim-ng\.md"):
        driftrec.envs.make_population("RecSimNG")


@installed
def test_with_the_extra_the_id_is_listed():
    assert ID in driftrec.envs.list()


def test_warnings_are_errors_again_afterwards():
    with compatible():
        warnings.warn("not now", UserWarning, stacklevel=1)
    with pytest.raises(UserWarning, match="now"):
        warnings.warn("now", UserWarning, stacklevel=1)
