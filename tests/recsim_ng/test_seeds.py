"""The same seed brings the same trials, wherever and however they run; a snapshot goes on."""

import hashlib
import os
import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from driftrec.envs.recsim_ng import RecSimNGVectorEnv, StoryUsers, story_population
from driftrec.envs.recsim_ng.draws import draws, refuse_hidden_draws
from driftrec.envs.recsim_ng.library import library

pytest.importorskip("recsim_ng")

ANOTHER_PROCESS = """
import runpy, sys
print(runpy.run_path(sys.argv[1])["digest"](3))
"""


def digest(seed):
    """A digest of documents, trials and hidden states."""
    env = RecSimNGVectorEnv(16)
    found = hashlib.sha256(env.population.catalogue.table.tobytes())
    env.reset(seed=seed)
    for request in range(120):
        slate = np.tile([request % 100, (request + 7) % 100], (16, 1))
        found.update(env.step(slate)[1].tobytes())
        found.update(env.simulation.state.numbers.tobytes())
    return found.hexdigest()


def test_a_seed_brings_the_same_digest_in_another_process_and_another_seed_does_not():
    child = subprocess.run(
        [sys.executable, "-c", ANOTHER_PROCESS, __file__],
        # In which sets are ordered in another way.
        env=os.environ | {"PYTHONHASHSEED": "1234"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip() == digest(3)
    assert digest(4) != digest(3)


def trial(env, seed, slates):
    env.reset(seed=seed)
    found = [env.step(items) for items in slates]
    return [step[0]["feedback"] for step in found], [step[4]["response"] for step in found]


def same(one, other):
    return all(
        np.array_equal(a, b)
        for first, second in zip(one[1], other[1], strict=True)
        for a, b in zip(first.values(), second.values(), strict=True)
    )


def test_a_seed_reproduces_trials_and_another_brings_others(slates):
    env, items = RecSimNGVectorEnv(16), slates(0, 16, 20)
    first = trial(env, 5, items)
    assert same(first, trial(env, 5, items))
    assert same(first, trial(RecSimNGVectorEnv(16), 5, items))
    assert not same(first, trial(env, 6, items))


def test_line_by_line_is_as_compiled(slates):
    items = slates(1, 16, 5)
    compiled = RecSimNGVectorEnv(16)
    eager = RecSimNGVectorEnv(16, compiled=False)
    one, other = trial(compiled, 5, items), trial(eager, 5, items)
    for first, second in zip(one[1], other[1], strict=True):
        np.testing.assert_array_equal(first["choice"], second["choice"])
        np.testing.assert_allclose(first["consumed_time"], second["consumed_time"], rtol=1e-6)
    np.testing.assert_allclose(
        compiled.simulation.state.numbers, eager.simulation.state.numbers, rtol=1e-5, atol=1e-6
    )


def drawn(seed, name, number, before=0):
    """A draw of a variable, after some draws of another one."""
    tf, ed = library().tf, library().ed
    seed = tf.constant([seed, 0])
    with draws(seed, "another"):
        _ = [ed.Normal(tf.zeros(3), 1.0) for _ in range(before)]
    with draws(seed, name):
        values = [ed.Normal(tf.zeros(3), 1.0) for _ in range(number + 1)]
    return values[number].value.numpy().tolist()


def test_a_draw_depends_on_seed_variable_and_number_alone():
    first = drawn(1, "user state", 0)
    assert first == drawn(1, "user state", 0, before=4)
    others = [drawn(2, "user state", 0), drawn(1, "user response", 0), drawn(1, "user state", 1)]
    assert all(first != other for other in others)


def test_draws_have_the_law_of_their_distribution():
    tf, ed = library().tf, library().ed
    with draws(tf.constant([0, 1]), "any"):
        normal = ed.Normal(tf.zeros(40_000) + 2.0, 3.0).value.numpy()
        sampled = ed.Normal(0.0, 1.0, sample_shape=[7]).value.numpy()
        fixed = ed.Normal(0.0, 1.0, value=5.0).value.numpy()
    assert normal.mean() == pytest.approx(2, abs=0.05)
    assert normal.std() == pytest.approx(3, abs=0.05)
    assert sampled.shape == (7,)
    assert fixed == 5


def test_draws_that_no_seed_reaches_are_refused():
    tf = library().tf
    graph = tf.function(lambda: tf.random.normal((3,))).get_concrete_function().graph
    with pytest.raises(ValueError, match=r"draws by \['RandomStandardNormal'\]"):
        refuse_hidden_draws(graph)


def test_two_policies_meet_the_same_luck_where_they_act_alike(slates):
    items = slates(2, 16, 1)[0]
    env = RecSimNGVectorEnv(16)
    env.reset(seed=1)
    first = env.step(items)[1]
    env.reset(seed=1)
    other = items.copy()
    other[8:] = (other[8:] + 1) % 100
    np.testing.assert_array_equal(env.step(other)[1][:8], first[:8])


def test_a_snapshot_is_gone_on_from_as_often_as_one_likes(slates):
    env = RecSimNGVectorEnv(16)
    env.reset(seed=2)
    # Over the end of the trial, so that the new users are those that would have come.
    before, after = slates(3, 16, 95), slates(4, 16, 20)
    for items in before:
        env.step(items)
    snapshot = env.snapshot()
    first = [env.step(items) for items in after]
    env.restore(snapshot)
    second = [env.step(items) for items in after]
    other = RecSimNGVectorEnv(16)
    other.restore(snapshot)
    third = [other.step(items) for items in after]
    for one, two, three in zip(first, second, third, strict=True):
        for again in (two, three):
            np.testing.assert_array_equal(one[1], again[1])
            for key, values in one[0].items():
                np.testing.assert_array_equal(values, again[0][key])


def test_a_snapshot_of_one_user_is_gone_on_from(slates):
    env = gymnasium.make("DriftRec/RecSimNG-v0").unwrapped
    env.reset(seed=2)
    snapshot = env.snapshot()
    rewards = [env.step(items[0])[1] for items in slates(5, 1, 10)]
    env.restore(snapshot)
    assert [env.step(items[0])[1] for items in slates(5, 1, 10)] == rewards
    with pytest.raises(ValueError, match="a snapshot of 16 users was expected, got one of 1"):
        RecSimNGVectorEnv(16).restore(snapshot)


def test_each_function_is_traced_once(slates):
    model = StoryUsers(story_population().model.story)
    population = story_population()
    env = RecSimNGVectorEnv(16)
    env.simulation.model = model
    for seed in range(3):
        env.reset(seed=seed)
        for items in slates(seed, 16, 110):
            env.step(items)
    model.click_probability(env.simulation.state, population.catalogue)
    assert list(model._programs) == [(16, 2), (1600, 1)]
    assert model.program(16, 2).traces == {"start": 1, "step": 1}
    assert model.program(1600, 1).traces == {"start": 1, "outlook": 1}


def test_memory_is_flat_over_thousands_of_steps(slates):
    env = RecSimNGVectorEnv(16)
    env.reset(seed=0)
    items = slates(0, 16, 500)

    def run(rounds):
        for _ in range(rounds):
            for slate in items:
                env.step(slate)
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = run(2)
    assert run(6) - before < 2**20


def test_a_copy_of_the_users_compiles_anew():
    model = StoryUsers(story_population().model.story, seed=7)
    table = model.default_catalogue().table
    copy = pickle.loads(pickle.dumps(model))
    assert "_sketch" not in vars(copy)
    assert hashlib.sha256(copy.default_catalogue().table).digest() == (
        hashlib.sha256(table).digest()
    )
