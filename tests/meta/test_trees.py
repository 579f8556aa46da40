"""Trees: statistics are right and public, fits recover what is there, policies come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftrec.agents.harness import evaluate
from driftrec.agents.registry import POLICIES
from driftrec.envs import RecommendationVectorEnv, make_population, recsim_population
from driftrec.envs.bernoulli_bandit import bernoulli_population
from driftrec.envs.gaussian_bandit import gaussian_population
from driftrec.meta import CheckpointError, learning_curve, load
from driftrec.meta.testing import check_learner, check_policy, small_population
from driftrec.meta.trees import StatisticsConfig, Trees, TreesConfig, TreesPolicy, trials
from driftrec.meta.trees.fitting import Rows, fit_ranker, held_out_error, least_squares
from driftrec.meta.trees.history import COUNTS
from driftrec.meta.trees.ranker import Ranker
from driftrec.meta.trees.statistics import Statistics
from driftrec.meta.trees.trials import collect

SMALL = TreesConfig(
    iterations=3, users=24, trees=8, min_rows=20, validation_users=16, candidates=10
)


def by_quality(population, **options):
    settings = options.get("settings", StatisticsConfig())
    names = Statistics(settings, population.catalogue).names
    quality = f"item_{population.catalogue.table.shape[1] - 1}"
    linear = np.array([name == quality for name in names], np.float32)
    return TreesPolicy(Ranker(linear), population.catalogue, population.slate, **options)


def environment(population, users, split="train"):
    return RecommendationVectorEnv(
        population, users, split=split, autoreset_mode="Disabled", by_number=True
    )


def play(policy, population, users, seed=1):
    """Slates, observations, histories and click probabilities of one trial of test users."""
    env = environment(population, users, "test")
    observation, _ = env.reset(seed=seed)
    state, records = policy.start(users), []
    while not env.simulation.trials.over.all():
        chance = np.asarray(env.simulation.click_probability())
        slate, state = policy.act(observation, state)
        records.append((slate, observation, state, chance))
        observation, *_ = env.step(slate)
    return [list(column) for column in zip(*records, strict=True)]


@pytest.mark.parametrize("slate", [1, 2])
def test_sums_kept_step_by_step_are_those_of_the_whole_history(slate):
    population = small_population(slate)
    policy = by_quality(population, settings=StatisticsConfig(hours=(1.0,)))
    slates, observations, states, _ = play(policy, population, 6)
    days = [np.expm1(o["log_elapsed"][:, 0].astype(np.float64)) / 86400 for o in observations]
    inputs = np.concatenate([population.catalogue.table, np.ones((30, 1), np.float32)], 1)
    exposures, clicks = np.zeros((6, 2, 9)), np.zeros(6)
    for past in range(len(slates) - 1):
        elapsed = np.sum(days[past + 1 :], axis=0)
        kept = np.stack([np.exp(-elapsed * 24), np.ones(6)], 1)
        exposures += kept[:, :, None] * inputs[slates[past]].sum(1)[:, None]
        clicks += observations[past + 1]["feedback"].sum(1)
    assert np.allclose(states[-1].exposures, exposures, atol=1e-4)
    counts = dict(zip(COUNTS, states[-1].counts.T, strict=True))
    assert np.array_equal(counts["clicks"], clicks)
    assert np.all(counts["requests"] == len(slates) - 1)
    assert np.allclose(counts["days"], np.sum(days, axis=0), rtol=1e-4)


def test_regression_without_forgetting_adds_up_information():
    # Without drift the filter's covariance is (I / sd^2 + sum v x x')^-1 (Woodbury), and its mean
    # moves by covariance x (click - p): reckoned here in information form.
    population = small_population()
    policy = by_quality(population, settings=StatisticsConfig(hours=(), prior_sd=0.7))
    slates, observations, states, _ = play(policy, population, 1)
    table = population.catalogue.table.astype(np.float64)
    information, mean = np.eye(9) / 0.49, np.zeros(9)
    for past in range(len(slates) - 1):
        item = slates[past][0, 0]
        x = np.append(table[item], 1)
        chance = 1 / (1 + np.exp(-table[item, -1] - x @ mean))
        information += chance * (1 - chance) * np.outer(x, x)
        click = observations[past + 1]["feedback"][0, 0]
        mean += np.linalg.solve(information, x) * (click - chance)
    assert np.allclose(states[-1].weights[0], mean, atol=1e-5)
    assert np.allclose(states[-1].covariance[0], np.linalg.inv(information), atol=1e-5)


def test_regression_forgets_what_is_long_past():
    population = small_population()
    statistics = Statistics(StatisticsConfig(hours=(1.0,), prior_sd=0.5), population.catalogue)
    _, observations, states, _ = play(by_quality(population), population, 4)
    history = statistics.start(4)
    for observation in observations[:4]:
        history = statistics.after(observation, history)
        history.memory = states[0].memory
    later = {name: values.copy() for name, values in observations[4].items()}
    later["log_elapsed"][:] = np.log1p(100 * 3600)
    history = statistics.after(later, history)
    fast, never = history.weights[:, :9], history.weights[:, 9:]
    assert np.allclose(fast, 0, atol=1e-6)
    assert np.abs(never).max() > 0.01
    assert np.allclose(history.covariance[:, :9, :9], 0.25 * np.eye(9), atol=1e-6)


OFFERED = replace(recsim_population("InterestExploration", documents=20), max_requests=6)


@pytest.mark.parametrize("population", [small_population(), OFFERED], ids=["all", "offered"])
def test_rows_worked_out_from_records_are_those_that_the_policy_saw(population):
    policy, seen = by_quality(population), []
    rows = policy.statistics.rows

    def watched(users, both, items):
        everything = np.tile(np.arange(both.shape[2]), (len(items), 1))
        seen.append(rows(users, both, everything))
        return rows(users, both, items)

    policy.statistics.rows = watched
    collected, _ = collect(environment(population, 5), policy, SMALL, seed=3, share=0.0)
    policy.statistics.rows = rows
    columns, labels = collected.rows(policy.statistics)
    own = np.take_along_axis(np.stack(seen), collected.items[..., None], axis=2)[collected.alive]
    assert np.array_equal(columns, own)
    noted = population.slate + SMALL.others
    assert columns.shape[:2] == labels.shape == (collected.alive.sum(), noted)
    # What is offered may have been shown before; of the whole catalogue only new items are noted.
    assert columns[..., -1].any() == (population.candidates > 0)


def test_labels_are_true_logits_and_nothing_else_depends_on_hidden_state(monkeypatch):
    population = small_population()
    policy, env = by_quality(population), environment(population, 6)
    truth, step = [], env.step

    def watched(slate):
        truth.append(np.asarray(env.simulation.click_probability()))
        return step(slate)

    monkeypatch.setattr(env, "step", watched)
    collected, _ = collect(env, policy, SMALL, seed=5, share=0.5)
    chance = np.take_along_axis(np.stack(truth), collected.items, axis=2)
    assert np.allclose(collected.labels, np.log(chance / (1 - chance)), atol=1e-4)
    assert np.ptp(collected.labels) > 1
    monkeypatch.setattr(trials, "_true_logits", lambda env, items: np.zeros(items.shape, "f4"))
    blind, _ = collect(environment(population, 6), policy, SMALL, seed=5, share=0.5)
    assert np.array_equal(blind.slates, collected.slates)
    columns = [part.rows(policy.statistics)[0] for part in (blind, collected)]
    assert np.array_equal(*columns)


def test_choice_follows_from_history_whatever_the_user_is():
    population = small_population()
    policy = Trees(replace(SMALL, iterations=1)).fit(population)
    env = environment(population, 8, "test")
    observation, _ = env.reset(seed=2)
    state = policy.start(8)
    for _ in range(3):
        slate, state = policy.act(observation, state)
        observation, *_ = env.step(slate)
    before, _ = policy.act(observation, state)
    chances = env.simulation.click_probability()
    env.simulation.state.core[:] *= -1
    assert not np.allclose(env.simulation.click_probability(), chances)
    after, _ = policy.act(observation, state)
    assert np.array_equal(before, after)


def test_clicks_can_be_the_labels():
    population = small_population(2)
    config = replace(SMALL, labels="clicks", members=2, bonus=0.5, iterations=1)
    policy = by_quality(population)
    collected, _ = collect(environment(population, 5), policy, config, seed=3, share=0.5)
    assert np.array_equal(collected.items, collected.slates)
    both = collected.alive[1:]
    assert np.array_equal(collected.labels[:-1][both], collected.feedback[1:][both])
    trained = Trees(config).fit(population)
    assert len(trained.ranker.members) == 2
    check_policy(trained, population)


def synthetic(rng, requests, nonlinear=False):
    """Rows with an intercept of each request, far larger than what is to be learnt."""
    columns = rng.standard_normal((requests, 4, 3), dtype=np.float32)
    columns[:, :, 2] = columns[:, :1, 2]
    signal = 0.5 * columns[..., 0] - columns[..., 1]
    if nonlinear:
        signal = signal + 2 * np.sign(columns[..., 0] * columns[..., 1])
    noise = 0.3 * rng.standard_normal(signal.shape)
    return Rows(columns, (signal + noise + 10 * columns[..., 2]).astype(np.float32))


def test_least_squares_sees_differences_within_a_request_alone():
    weights = least_squares(synthetic(np.random.default_rng(0), 4000))
    assert np.allclose(weights, [0.5, -1.0, 0.0], atol=0.02)


def test_trees_learn_what_a_linear_fit_cannot_and_come_back_from_text():
    rng = np.random.default_rng(0)
    rows, held_out, fresh = (synthetic(rng, 3000, nonlinear=True) for _ in range(3))
    config = TreesConfig(trees=80, leaves=8, min_rows=50)
    ranker = fit_ranker(rows, held_out, config, 0.2, 1)
    # The sign that is added has sd 2, of which a mean over four items takes a quarter of the
    # variance.
    assert held_out_error(Ranker(ranker.linear), fresh) > 0.95 * 2 * np.sqrt(3 / 4)
    assert held_out_error(ranker, fresh) < 0.6
    again = Ranker.from_text(ranker.text())
    for bonus in (0.0, 1.0):
        assert np.array_equal(again.scores(fresh.flat, bonus), ranker.scores(fresh.flat, bonus))
    error = fresh.unexplained(ranker.scores(fresh.flat))
    upper = ranker.scores(fresh.flat, 1.0) - ranker.scores(fresh.flat)
    assert abs((error < upper).mean() - config.quantile) < 0.03
    assert fit_ranker(rows, held_out, config, 0.2, 1).text() == ranker.text()


def test_members_are_averaged_and_their_spread_is_the_width():
    rng = np.random.default_rng(1)
    rows, held_out = synthetic(rng, 500, True), synthetic(rng, 300, True)
    config = TreesConfig(trees=10, leaves=8, min_rows=50, members=3)
    ranker = fit_ranker(rows, held_out, config, 0.2, 1)
    alone = [replace(ranker, members=(text,)).scores(rows.flat) for text in ranker.members]
    assert np.allclose(ranker.scores(rows.flat), np.mean(alone, 0), atol=1e-5)
    widened = ranker.scores(rows.flat, 2.0) - ranker.scores(rows.flat)
    assert np.allclose(widened, 2 * np.std(alone, 0), atol=1e-5)
    assert widened.max() > 0.01


def test_candidates_of_the_linear_fit_hold_its_best_items():
    population = small_population(2)
    names = Statistics(StatisticsConfig(), population.catalogue).names
    linear = np.random.default_rng(0).standard_normal(len(names)).astype(np.float32)
    few, all_ = (
        TreesPolicy(Ranker(linear), population.catalogue, 2, candidates=count) for count in (1, 30)
    )
    assert np.array_equal(play(few, population, 20)[0], play(all_, population, 20)[0])


def test_items_are_shown_again_only_when_none_is_left():
    population = replace(small_population(items=6), max_requests=9)
    policy = Trees(replace(SMALL, iterations=1)).fit(population)
    slates = np.stack(play(policy, population, 30)[0])[:, :, 0]
    assert all(len(set(slates[:6, user])) == 6 for user in range(30))


def test_trees_learn_to_pull_the_arms_of_a_bandit():
    # 5 arms, 10 pulls: chance gives 5, the exact optimum is 6.660.
    population = bernoulli_population(arms=5, pulls=10)
    config = TreesConfig(
        iterations=2, users=1000, validation_users=1000, unseen_only=False, trees=40, explore=0.3,
        quantile=0, others=3, statistics=StatisticsConfig(hours=(), prior_sd=2.0),
    )  # fmt: skip
    policy = Trees(config).fit(population)
    slates, _, _, chances = play(policy, population, 5000)
    pulled = [np.take_along_axis(c, s, 1)[:, 0] for s, c in zip(slates, chances, strict=True)]
    reward = np.sum(pulled, axis=0)
    assert 6.3 < reward.mean() < 6.660 + 3 * reward.std() / np.sqrt(5000)


def test_conforms_acts_alone_as_in_a_batch_and_comes_back():
    check_learner(Trees, replace(SMALL, iterations=2))


def test_resumed_run_ends_as_one_that_was_never_cut(tmp_path):
    population = small_population()
    whole = Trees(SMALL).fit(population, tmp_path / "whole")

    class KilledError(Exception):
        pass

    def kill_after_two(iteration, *_):
        if iteration == 2:
            raise KilledError

    with pytest.raises(KilledError):
        Trees(SMALL).fit(population, tmp_path / "cut", progress=kill_after_two)
    resumed = Trees(SMALL).fit(population, tmp_path / "cut", resume=True)
    assert resumed.ranker.text() == whole.ranker.text()
    assert learning_curve(tmp_path / "whole") == learning_curve(tmp_path / "cut")
    with pytest.raises(CheckpointError, match="another leaves"):
        Trees(replace(SMALL, leaves=5)).fit(population, tmp_path / "cut", resume=True)
    (tmp_path / "cut" / "trials.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no checkpoint"):
        Trees(SMALL).fit(population, tmp_path / "cut", resume=True)


def test_a_bonus_can_be_given_when_loading_if_a_width_was_fitted(tmp_path):
    population = small_population()
    Trees(replace(SMALL, iterations=1)).fit(population, tmp_path / "a")
    assert load(tmp_path / "a", bonus=2.0).bonus == 2.0
    Trees(replace(SMALL, iterations=1, quantile=0.0)).fit(population, tmp_path / "b")
    with pytest.raises(ValueError, match="needs trees trained with a quantile"):
        load(tmp_path / "b", bonus=2.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": "retention"}, "reward must be 'clicks'"),
        ({"workers": 2}, "workers must be 1"),
        ({"arrays": "torch"}, "arrays must be 'numpy'"),
        ({"schedule": "adaptive"}, "needs a divergence"),
        ({"learning_rate": 1.5}, r"must lie in \(0, 1\]"),
        ({"trees": 0}, "trees must be at least 1"),
        ({"leaves": 1}, "leaves must be at least 2"),
        ({"others": -1}, "others must not be negative"),
        ({"bonus": float("nan")}, "bonus must not be negative"),
        ({"explore": 1.2}, "explore must lie in"),
        ({"labels": "stars"}, "labels must be"),
        ({"quantile": 1.0}, "quantile must lie in"),
        ({"labels": "clicks", "bonus": 1.0}, "a bonus needs"),
    ],
)
def test_bad_config_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TreesConfig(**change)


@pytest.mark.parametrize("change", [{"hours": (0.0,)}, {"prior_sd": 0.0}])
def test_bad_statistics_are_refused(change):
    with pytest.raises(ValueError, match="must be positive and finite"):
        StatisticsConfig(**change)


def test_feedback_that_is_no_click_is_refused():
    with pytest.raises(ValueError, match="choose another learner"):
        Trees(SMALL).fit(gaussian_population())


@pytest.mark.slow
def test_on_the_feed_trees_do_better_than_linucb():
    population = make_population("Feed")
    policy = Trees(
        TreesConfig(iterations=2, users=200, validation_users=200, trees=60, quantile=0)
    ).fit(population)
    first, second = (
        evaluate(make, population, split="validation", users=1000, regret=True)
        for make in (lambda env: policy, POLICIES["linucb"])
    )
    gain = first.expected.sum(1) / first.active.sum(1) - second.expected.sum(1) / second.active.sum(
        1
    )
    assert gain.mean() > 0.005 > 3 * gain.std() / np.sqrt(1000)
