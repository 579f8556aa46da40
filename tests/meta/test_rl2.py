"""RL² learns what is known to be learnable, carries its memory, and resumes to the bit."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from driftrec.envs import DriftingUser, Population, RecommendationVectorEnv, synthetic_catalogue
from driftrec.envs.bernoulli_bandit import bernoulli_population
from driftrec.meta import RL2, CheckpointError, PPOConfig, RL2Config, learning_curve, load, ppo
from driftrec.meta.belief_loss import filter_loss
from driftrec.meta.checkpoint import FORMAT, read_checkpoint
from driftrec.meta.rl2_run import RL2Run
from driftrec.meta.workers import Worker

NAN = float("nan")
BANDIT = RL2Config(
    iterations=30,
    hidden=64,
    unseen_only=False,
    continuing=False,
    probes=0,
    filter=False,
    validate_every=30,
    ppo=PPOConfig(epochs=4, entropy=0.005, gamma=1.0),
)
SMALL = RL2Config(
    iterations=4,
    users=16,
    hidden=8,
    probes=4,
    validate_every=2,
    validation_users=8,
    ppo=PPOConfig(epochs=1, minibatches=2),
)


class KilledError(Exception):
    pass


def kill_after_three(iteration, *_):
    if iteration == 3:
        raise KilledError


def small_population(**options):
    catalogue = synthetic_catalogue(30, np.random.default_rng(0), dimension=4, topics=3)
    personas = np.random.default_rng(1).standard_normal((3, 4))
    model = DriftingUser(personas=personas, topics=3)
    return Population("Small", model, catalogue, **{"max_requests": 6, **options})


def play(policy, population, users, seed=1):
    """Slates, observations and mean pulled-arm probability of greedy trials on test users."""
    env = RecommendationVectorEnv(population, users, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=seed)
    state = policy.start(users)
    slates, reward = [], np.zeros(users)
    for _ in range(population.max_requests):
        slate, state = policy.act(observation, state)
        chance = env.simulation.click_probability()
        reward += np.take_along_axis(np.asarray(chance), slate, 1)[:, 0]
        slates.append(slate)
        observation, *_ = env.step(slate)
    return np.stack(slates), reward


@pytest.fixture(scope="module")
def bandit_policy():
    return RL2(BANDIT).fit(bernoulli_population(arms=5, pulls=10))


def test_memory_solves_the_bandit_close_to_the_exact_optimum_and_never_above_it(bandit_policy):
    # Bernoulli, 5 arms, 10 pulls: the Bayes-adaptive optimum is 6.660 by dynamic programming.
    _, reward = play(bandit_policy, bernoulli_population(arms=5, pulls=10), 50_000)
    error = reward.std() / np.sqrt(len(reward))
    assert reward.mean() > 6.60
    assert reward.mean() < 6.660 + 3 * error


def test_without_its_memory_the_bandit_policy_does_no_better_than_chance(bandit_policy):
    population = bernoulli_population(arms=5, pulls=10)
    env = RecommendationVectorEnv(population, 20_000, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=2)
    first, _ = bandit_policy.act(observation, bandit_policy.start(20_000))
    assert len(np.unique(first)) == 1
    chance = np.take_along_axis(np.asarray(env.simulation.click_probability()), first, 1)
    assert abs(chance.mean() - 0.5) < 4 * chance.std() / np.sqrt(20_000)


def test_resumed_run_ends_with_the_weights_of_one_that_was_never_cut(tmp_path):
    population = small_population()
    whole = RL2(SMALL).fit(population, tmp_path / "whole")

    with pytest.raises(KilledError):
        RL2(SMALL).fit(population, tmp_path / "cut", progress=kill_after_three)
    resumed = RL2(SMALL).fit(population, tmp_path / "cut", resume=True)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    assert learning_curve(tmp_path / "whole") == learning_curve(tmp_path / "cut")


def test_two_workers_train_one_policy_and_reproduce(tmp_path):
    population = small_population()
    config = replace(SMALL, workers=2)
    first = RL2(config).fit(population, tmp_path)
    second = RL2(config).fit(population)
    for name, tensor in first.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name])
    assert json.loads((tmp_path / "config.json").read_text())["workers"] == 2


def test_saved_policy_acts_as_before_and_on_another_catalogue(tmp_path):
    population = small_population(slate=2)
    policy = RL2(replace(SMALL, iterations=1)).fit(population, tmp_path)
    loaded = load(tmp_path)
    slates, _ = play(policy, population, 5)
    again, _ = play(loaded, population, 5)
    assert np.array_equal(slates, again)
    other = synthetic_catalogue(50, np.random.default_rng(5), dimension=4, topics=3)
    slate, _ = loaded.on(other, 2).act(*_first(population, loaded.on(other), 5))
    assert slate.max() < 50
    wider = synthetic_catalogue(50, np.random.default_rng(5), dimension=9, topics=3)
    with pytest.raises(ValueError, match="trained on items of 8 features"):
        loaded.on(wider)
    with pytest.raises(ValueError, match=r"trained to show 2 item\(s\) a request, not 3"):
        loaded.on(other, 3)


def _first(population, policy, users):
    env = RecommendationVectorEnv(population, users, split="test")
    observation, _ = env.reset(seed=0)
    return observation, policy.start(users)


def test_batch_of_one_equals_the_row_of_a_batch_and_no_item_is_shown_twice():
    population = small_population()
    policy = RL2(replace(SMALL, iterations=1)).fit(population)
    env = RecommendationVectorEnv(population, 4, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=3)
    state, single = policy.start(4), policy.start(1)
    shown = []
    for _ in range(6):
        alone, single = policy.act({key: value[2:3] for key, value in observation.items()}, single)
        slate, state = policy.act(observation, state)
        assert np.array_equal(alone[0], slate[2])
        shown.append(slate)
        observation, *_ = env.step(slate)
    for user in range(4):
        assert len({int(slate[user, 0]) for slate in shown}) == 6


def test_items_are_shown_again_where_the_population_lets_them():
    policy = RL2(replace(SMALL, iterations=1)).fit(small_population(repeats=True))
    assert not policy.unseen_only
    slates, _ = play(policy, small_population(repeats=True), 20)
    assert min(len(set(slates[:, user, 0])) for user in range(20)) < 6


def test_when_all_items_were_shown_the_best_are_shown_again():
    population = small_population(max_requests=40)
    policy = RL2(replace(SMALL, iterations=1)).fit(population)
    slates, _ = play(policy, population, 20)
    for user in range(20):
        assert len(set(slates[:30, user, 0])) == 30
    quality = population.catalogue.quality
    assert quality[slates[30:, :, 0]].mean() > quality.mean() + quality.std()


def test_a_policy_that_draws_does_so_by_the_softmax_of_its_scores(tmp_path):
    drawing = replace(SMALL, acting="sample", unseen_only=False, sharpness=1.0, iterations=2)
    policy = RL2(drawing).fit(small_population(), tmp_path)
    assert policy.acting == "sample"
    users = 4000
    env = RecommendationVectorEnv(small_population(), users, split="test")
    observation, _ = env.reset(seed=0)
    slate, _ = policy.act(observation, policy.start(users))
    network = policy.network
    with torch.no_grad():
        _, known, _ = network.know(observation, network.start(users))
        chance = (network.queries(known) @ policy.table.T).softmax(-1)[0].numpy()
    shares = np.bincount(slate[:, 0], minlength=len(chance)) / users
    assert chance.max() < 0.5
    assert np.abs(shares - chance).max() < 4 * np.sqrt(chance.max() / users)


def test_optimism_is_a_bonus_of_the_filters_standard_deviations_and_is_kept_with_the_weights(
    tmp_path,
):
    config = replace(SMALL, filter=True, iterations=1, optimism=1.5)
    policy = RL2(config).fit(small_population(), tmp_path)
    calm = load(tmp_path)
    assert calm.network.optimism == 1.5
    calm.network.optimism = 0.0
    env = RecommendationVectorEnv(small_population(), 5, split="test", autoreset_mode="Disabled")
    observation, _ = env.reset(seed=0)
    state = policy.start(5)
    for _ in range(4):
        slate, state = policy.act(observation, state)
        observation, *_ = env.step(slate)
    network = policy.network
    track = network.start(5)
    with torch.no_grad():
        _, known, track = network.know(observation, track)
        bonus = network.queries(known) - calm.network.queries(known)
        sd = network.trunk.filter_variance(track, torch.eye(network.shape.width + 1)).sqrt()
    expected = 1.5 * network.sharpness * sd[:, :-1] * network.trunk.scale
    assert torch.allclose(bonus, expected, rtol=1e-4)


def test_patience_stops_early_and_keeps_the_best(tmp_path):
    config = replace(SMALL, iterations=50, validate_every=1, patience=2)
    policy = RL2(config).fit(small_population(), tmp_path)
    scores = [line["validation"] for line in learning_curve(tmp_path)]
    assert len(scores) < 50
    assert policy.about["validation"] == max(scores)
    assert np.argmax(scores) == len(scores) - 3


def test_converged_gradient_stops_the_run(tmp_path):
    config = replace(SMALL, iterations=50, gradient_tolerance=1e9)
    RL2(config).fit(small_population(), tmp_path)
    assert len(learning_curve(tmp_path)) == 1


def test_a_run_that_converged_stays_so_when_it_is_resumed(tmp_path):
    config = replace(SMALL, iterations=50, gradient_tolerance=1e9)
    RL2(config).fit(small_population(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.*")}
    for _ in range(2):
        RL2(config).fit(small_population(), tmp_path, resume=True)
        assert {path.name: path.read_bytes() for path in tmp_path.glob("*.*")} == before


def test_a_run_that_began_from_a_policy_is_resumed_with_the_same_one(tmp_path):
    population, source, warm = small_population(), tmp_path / "source", tmp_path / "warm"
    RL2(replace(SMALL, iterations=1)).fit(population, source)
    RL2(replace(SMALL, iterations=1, seed=1)).fit(population, tmp_path / "other")
    RL2(SMALL).fit(population, warm, initial=source)
    for initial in (None, tmp_path / "other"):
        with pytest.raises(CheckpointError, match="resume with the same `initial`"):
            RL2(SMALL).fit(population, warm, resume=True, initial=initial)
    RL2(SMALL).fit(population, warm, resume=True, initial=source)
    RL2(SMALL).fit(population, tmp_path / "cold")
    with pytest.raises(CheckpointError, match="began from no policy, this one from the policy of"):
        RL2(SMALL).fit(population, tmp_path / "cold", resume=True, initial=source)


def test_a_training_of_an_earlier_version_resumes(tmp_path):
    population = small_population()
    whole = RL2(SMALL).fit(population, tmp_path / "whole")
    with pytest.raises(KilledError):
        RL2(SMALL).fit(population, tmp_path, progress=kill_after_three)
    path = tmp_path / "training.safetensors"
    tensors, standing = read_checkpoint(path, RL2Run.kind)
    for name in ("converged", "initial"):
        del standing[name]
    content = {"kind": RL2Run.kind, "description": standing}
    save_file(tensors, path, {FORMAT: json.dumps(content)})
    resumed = RL2(SMALL).fit(population, tmp_path, resume=True)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name


def test_a_filter_that_breaks_stops_the_run_and_is_not_saved(tmp_path, monkeypatch):
    steps = itertools.count()

    def broken(network, *rest):
        # Four thorough lessons of 16 steps each: the last iteration breaks it.
        return filter_loss(network, *rest) * (NAN if next(steps) >= 3 * 16 else 1.0)

    monkeypatch.setattr(ppo, "filter_loss", broken)
    with pytest.raises(FloatingPointError, match=r"iteration 3: the weight 'trunk\.filter"):
        RL2(SMALL).fit(small_population(), tmp_path)
    run = RL2Run(Worker(), SMALL, small_population())
    run.restore(tmp_path / "training.safetensors")
    assert run.iteration == 2


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path):
    population = small_population()
    RL2(SMALL).fit(population, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.*")}
    with pytest.raises(ValueError, match="holds a training run already: give --resume"):
        RL2(SMALL).fit(population, tmp_path)
    with pytest.raises(CheckpointError, match="another seed"):
        RL2(replace(SMALL, seed=1)).fit(population, tmp_path, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.*")} == before


def test_resuming_with_another_config_or_from_a_damaged_file_is_refused(tmp_path):
    population = small_population()
    RL2(SMALL).fit(population, tmp_path)
    with pytest.raises(CheckpointError, match="another hidden"):
        RL2(replace(SMALL, hidden=9)).fit(population, tmp_path, resume=True)
    other = replace(population, name="Other")
    with pytest.raises(CheckpointError, match="trained on 'Small', not 'Other'"):
        RL2(SMALL).fit(other, tmp_path, resume=True)
    path = tmp_path / "training.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match="no readable safetensors"):
        RL2(SMALL).fit(population, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": 0}, "iterations must be at least 1"),
        ({"users": 5, "workers": 2}, "must divide among 2 workers"),
        ({"reward": "likes"}, "reward must be made of"),
        ({"probes": -1}, "probes must not be negative"),
        ({"acting": "boldly"}, "acting must be one of greedy, sample; got .boldly."),
        ({"ppo": PPOConfig(gamma=1.0)}, "gamma must be below 1"),
        ({"optimism": -1.0}, "optimism must not be negative"),
        ({"optimism": 1.0, "belief": False}, "optimism needs a filter, and a policy"),
        ({"sharpness": NAN}, "sharpness must not be negative, got nan"),
        ({"gradient_tolerance": NAN}, "gradient_tolerance must not be negative, got nan"),
        ({"target_kl": 0.0}, "target_kl must be positive"),
        ({"window": 0}, "window must be at least 1"),
        ({"layers": 0}, "layers must be at least 1"),
        ({"memory": "foo"}, "memory must be one of .*, got 'foo'"),
        ({"head": "foo"}, "head must be one of .*, got 'foo'"),
    ],
)
def test_bad_config_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        RL2Config(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": "foo"}, "objective must be one of .*, got 'foo'"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"minibatches": 0}, "minibatches must be at least 1"),
        ({"clip": -1.0}, "clip must be positive, got -1.0"),
        ({"clip": NAN}, "clip must be positive, got nan"),
        ({"gradient_clip": -1.0}, "gradient_clip must be positive"),
        ({"max_divergence": NAN}, "max_divergence must be positive"),
        ({"gamma": 1.1}, r"gamma must lie in \[0, 1\]"),
        ({"lam": NAN}, r"lam must lie in \[0, 1\]"),
        ({"entropy": -0.1}, "entropy must not be negative"),
        ({"belief_weight": NAN}, "belief_weight must not be negative"),
    ],
)
def test_bad_config_of_an_update_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        PPOConfig(**change)
