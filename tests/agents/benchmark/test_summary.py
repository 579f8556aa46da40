import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from driftrec.agents.benchmark.comparing import compare
from driftrec.agents.benchmark.leaderboard import leaderboard
from driftrec.agents.benchmark.overall import overall, scenario_scores
from driftrec.agents.benchmark.results import MethodResult, ScenarioResult
from driftrec.agents.benchmark.suite import Scenario
from driftrec.agents.benchmark.summary import read_summary, summarise, trimmed
from driftrec.agents.benchmark.user_table import user_table, write_users
from driftrec.agents.comparison import Comparison
from driftrec.agents.evaluation import Evaluation
from driftrec.agents.harness import evaluate
from driftrec.agents.method import Method
from driftrec.agents.metrics import METRICS, user_ctr
from driftrec.agents.policy import PolicyFactory
from driftrec.agents.predictions import PREDICTION_SCORES
from driftrec.agents.registry import POLICIES
from driftrec.envs import feed_population
from driftrec.envs.files import write_json

USERS = 80
POPULATION = feed_population()


@dataclass(frozen=True)
class Named(Method):
    """A policy of the registry as a method."""

    trains = False

    def policy(self, folder: Path) -> PolicyFactory:
        """The policy of that name."""
        return POLICIES[self.name]


def evaluated(name: str, seed: int = 0) -> Evaluation:
    options = {"users": USERS, "batch": USERS, "regret": True}
    return evaluate(POLICIES[name], POPULATION, name=name, seed=seed, **options)


def result(name: str, family: Any, runs: list[Evaluation]) -> MethodResult:
    costs = tuple({"cpu_seconds": 2.0 + seed, "user_steps": 100.0} for seed in range(len(runs)))
    return MethodResult(Named(name, family), tuple(runs), tuple(range(len(runs))), costs)


def halfway(one: Evaluation, other: Evaluation, request: int) -> Evaluation:
    """Trials that are the one's until a request and then the other's: a method in between."""
    first = np.arange(one.requests) < request
    return replace(one, feedback=np.where(first, one.feedback, other.feedback * one.active))


@pytest.fixture(scope="module")
def results() -> list[ScenarioResult]:
    scenarios = []
    for number, name in enumerate(("calm", "jumping")):
        runs = {each: evaluated(each, number) for each in ("random", "most-popular", "filter-ucb")}
        low, high = runs["most-popular"], runs["filter-ucb"]
        chance = np.clip(high.expected[:, :, None], 0, 1)
        methods = {
            "random": result("random", "reference", [runs["random"]]),
            "most-popular": result("most-popular", "reference", [low]),
            "filter-ucb": result("filter-ucb", "reference", [replace(high, predicted=chance)]),
            "learner": result("learner", "meta", [halfway(low, high, at) for at in (30, 60, 90)]),
            "broken": MethodResult(Named("broken", "bandit"), failures={0: "ValueError: no"}),
        }
        scenario = Scenario(
            name=name, question="Who?", population=POPULATION, trained_on=POPULATION,
            split="test", users=USERS, methods=tuple(methods), seed=number, seeds=3,
            jump=60 * number,
        )  # fmt: skip
        scenarios.append(ScenarioResult(scenario, methods))
    return scenarios


OPTIONS: dict[str, Any] = {"draws": 300, "detail_draws": 100, "machine": "two cores"}


@pytest.fixture(scope="module")
def summary(results: list[ScenarioResult]) -> dict[str, Any]:
    return summarise("made-up-v1", "Made up", "What?", "smoke", iter(results), **OPTIONS)


def rows(content: list[dict[str, Any]], key: str = "name") -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in content}


def intervals(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if set(value) == {"value", "low", "high"}:
            yield value
        for item in value.values():
            yield from intervals(item)
    elif isinstance(value, list):
        for item in value:
            yield from intervals(item)


def test_it_is_json_and_has_all_that_the_schema_names(summary: dict[str, Any]) -> None:
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert list(summary) == [
        "format", "driftrec", "machine", "command", "seconds", "suite", "title", "question",
        "size", "level", "draws", "detail_draws", "methods", "overall", "profiles", "scenarios",
    ]  # fmt: skip
    assert summary["format"] == "driftrec-summary-1"
    scenario = summary["scenarios"][0]
    assert set(scenario) == {
        "name", "question", "population", "trained_on", "split", "users", "requests", "slate",
        "baseline", "reference", "jump", "unsuited", "days", "methods", "window", "comparisons",
            "trials",
    }  # fmt: skip
    assert set(scenario["methods"][0]) == {
        "name", "family", "runs", "failed", "cost", "score", "metrics", "adaptation", "survival",
        "predictions", "groups",
    }  # fmt: skip
    method = rows(scenario["methods"])["filter-ucb"]
    assert list(method["metrics"]) == list(METRICS)
    assert list(method["predictions"]) == [*PREDICTION_SCORES, "bins"]
    assert len(method["adaptation"]["value"]) == scenario["requests"] == 120
    assert len(method["survival"]["low"]) == len(scenario["days"])


def test_every_interval_holds_its_value(summary: dict[str, Any]) -> None:
    held = total = 0
    for interval in intervals(summary):
        for value, low, high in zip(*map(np.atleast_1d, interval.values()), strict=True):
            if None not in (value, low, high):
                assert low <= high
                total += 1
                held += low - 1e-5 * abs(low) <= value <= high + 1e-5 * abs(high)
    assert total > 1000
    # Quantities that are a minimum, a quantile or an absolute value are biased in draws.
    assert held > 0.98 * total


def test_scores_are_those_of_the_comparison(results, summary: dict[str, Any]) -> None:
    for result_, content in zip(results, summary["scenarios"], strict=True):
        runs = {name: each.evaluations for name, each in result_.methods.items() if each.seeds}
        comparison = Comparison(runs, draws=10)
        found = rows(content["methods"])
        for name in runs:
            assert found[name]["score"]["value"] == pytest.approx(
                comparison.score(name).value, abs=1e-5
            )
        assert found["most-popular"]["score"] == {"value": 0, "low": 0, "high": 0}
        assert found["filter-ucb"]["score"]["value"] == 1
        assert found["learner"]["runs"] == 3
        assert found["learner"]["cost"] == {"cpu_seconds": 3, "user_steps": 100}


def test_who_failed_is_reported_and_has_no_numbers(summary: dict[str, Any]) -> None:
    broken = rows(summary["scenarios"][0]["methods"])["broken"]
    assert broken["failed"] == [{"seed": 0, "error": "ValueError: no"}]
    assert broken["runs"] == 0
    assert broken["score"] == {"value": None, "low": None, "high": None}
    assert summary["overall"][-1]["method"] == "broken"
    assert summary["overall"][-1]["rank"] is None


def test_overall_is_the_mean_over_scenarios_and_in_order(summary: dict[str, Any]) -> None:
    overall = rows(summary["overall"], "method")
    for name in ("random", "learner", "filter-ucb"):
        scores = [rows(each["methods"])[name]["score"]["value"] for each in summary["scenarios"]]
        assert overall[name]["score"]["value"] == pytest.approx(np.mean(scores), abs=1e-4)
        assert overall[name]["median"]["value"] == pytest.approx(np.median(scores), abs=1e-4)
        assert overall[name]["scenarios"] == 2
    assert [row["method"] for row in summary["overall"]] == [
        "filter-ucb", "learner", "most-popular", "random", "broken",
    ]  # fmt: skip
    assert [row["rank"] for row in summary["overall"]] == [1, 2, 3, 4, None]
    # Every block of users gets from the baseline what it gets from the baseline.
    zero = {"value": 0, "low": 0, "high": 0}
    assert overall["most-popular"]["iqm"] == zero


def test_profiles_fall_and_begin_and_end_where_the_runs_do(summary: dict[str, Any]) -> None:
    at = np.array(summary["profiles"]["at"])
    curves = summary["profiles"]["methods"]
    assert "broken" not in curves
    for curve in curves.values():
        assert (np.diff(curve["value"]) <= 0).all()
    np.testing.assert_array_equal(curves["most-popular"]["value"], (at < 0).astype(float))
    assert curves["random"]["value"][0] < 0.5
    assert curves["filter-ucb"]["value"][int(np.flatnonzero(at == 0)[0])] > 0.9


def test_recovery_is_measured_where_tastes_jump(summary: dict[str, Any]) -> None:
    calm, jumping = (rows(each["methods"])["learner"]["metrics"] for each in summary["scenarios"])
    assert calm["recovery"]["value"] is None
    assert 1 <= jumping["recovery"]["value"] <= 61
    assert calm["coverage"]["value"] > 0


def test_groups_are_all_users_the_fewest_first(summary: dict[str, Any]) -> None:
    for method in summary["scenarios"][0]["methods"][:4]:
        sizes = [group["users"] for group in method["groups"]]
        assert sum(sizes) == USERS
        assert sizes == sorted(sizes)
        shares = [group["users"] * group["ctr"]["value"] for group in method["groups"]]
        assert sum(shares) / USERS == pytest.approx(method["metrics"]["ctr"]["value"], abs=1e-4)


def test_each_pair_is_compared_once(summary: dict[str, Any]) -> None:
    pairs = {(pair["a"], pair["b"]): pair for pair in summary["scenarios"][0]["comparisons"]}
    assert len(pairs) == 6
    popular = pairs["most-popular", "filter-ucb"]
    assert popular["difference"]["high"] < 0
    assert popular["improvement"]["high"] < 0.5
    assert popular["p"] <= popular["adjusted"] < 0.05


def test_trials_show_what_happened_to_a_few_users(results, summary: dict[str, Any]) -> None:
    trials = summary["scenarios"][1]["trials"]
    assert len(trials) == 3
    runs = results[1].methods
    gain = user_ctr(runs["filter-ucb"].evaluations[0]) - user_ctr(
        runs["most-popular"].evaluations[0]
    )
    found = [gain[trial["user"]] for trial in trials]
    assert found == sorted(found)
    assert found[1] == np.sort(gain)[USERS // 2]
    for trial in trials:
        assert list(trial["methods"]) == ["most-popular", "filter-ucb", "learner"]
        assert trial["group"].startswith("persona ")
        evaluation = runs["filter-ucb"].evaluations[0]
        requests = trial["methods"]["filter-ucb"]
        assert len(requests) == evaluation.active[trial["user"]].sum()
        assert sum(each["clicks"] for each in requests) == evaluation.feedback[trial["user"]].sum()
        assert requests[0]["request"] == requests[0]["session"] == 1
        assert requests[0]["predicted"] == pytest.approx(requests[0]["expected"], abs=1e-5)
        assert requests[0]["titles"] == [f"item {requests[0]['items'][0]}"]
        assert trial["methods"]["learner"][0]["predicted"] is None


def test_the_same_results_give_the_same_summary(results, summary: dict[str, Any]) -> None:
    again = summarise("made-up-v1", "Made up", "What?", "smoke", results, **OPTIONS)
    assert again == summary


def test_what_is_written_is_read(summary: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "summary.json", summary)
    assert read_summary(tmp_path / "summary.json") == summary
    for wrong in ("", "[1]", '{"format": "driftrec-summary-0"}'):
        (tmp_path / "wrong.json").write_text(wrong)
        with pytest.raises(ValueError, match=r"wrong.json must be a summary.*driftrec-summary-1"):
            read_summary(tmp_path / "wrong.json")


def test_trimmed_it_makes_the_same_leaderboard_and_comparisons(summary: dict[str, Any]) -> None:
    short = trimmed(summary)
    assert len(json.dumps(short)) < len(json.dumps(summary)) / 2
    assert leaderboard([short]) == leaderboard([summary])
    for pair in (("learner", "random"), ("random", "filter-ucb")):
        assert compare([short], *pair) == compare([summary], *pair)


def test_who_cannot_take_part_is_named_with_the_reason(results) -> None:
    told = replace(results[0], unsuited={"numbers": "knows items by number"})
    (scenario,) = summarise("made-up-v1", "", "", "smoke", [told], **OPTIONS)["scenarios"]
    assert scenario["unsuited"] == [{"method": "numbers", "reason": "knows items by number"}]


def test_where_the_reference_is_no_better_there_is_no_overall_score(results) -> None:
    low = results[0].methods["most-popular"]
    same = MethodResult(Named("filter-ucb", "reference"), *_parts(low))
    no_room = ScenarioResult(results[0].scenario, {"most-popular": low, "filter-ucb": same})
    got = summarise("a", "b", "c", "smoke", [no_room], draws=50)
    assert [row["scenarios"] for row in got["overall"]] == [0, 0]
    assert [row["rank"] for row in got["overall"]] == [1.5, 1.5]
    assert got["overall"][0]["score"]["value"] is None
    assert got["profiles"]["methods"] == {}


def test_a_scenario_in_which_everything_failed_is_still_there(results) -> None:
    broken = {"broken": results[0].methods["broken"]}
    got = summarise("a", "b", "c", "smoke", [ScenarioResult(results[0].scenario, broken)], draws=9)
    assert got["scenarios"][0]["methods"][0]["failed"]
    assert got["scenarios"][0]["comparisons"] == got["scenarios"][0]["trials"] == []


@pytest.mark.slow
def test_the_interval_of_the_overall_score_holds_the_truth() -> None:
    """Users who gain .1 on average from the reference and .05 from a method trained four times."""
    any_one = evaluate(POLICIES["random"], POPULATION, users=1)
    held = {"score": 0, "iqm": 0}
    for seed in range(300):
        rng = np.random.default_rng(seed)
        scores = []
        for number in range(3):
            base = rng.beta(2, 4, 60)
            gain = {"low": [0.0], "high": [0.1], "m": 0.05 + 0.01 * rng.normal(size=4)}
            runs = {
                name: [_clicking(any_one, base + by + 0.05 * rng.normal(size=60)) for by in several]
                for name, several in gain.items()
            }
            comparison = Comparison(
                runs, draws=300, seed=[seed, number], baseline="low", reference="high"
            )
            scores.append(scenario_scores(comparison, [seed, number]))
        row = overall([("m", "meta", 0.0)], scores, 0.95)[0]
        for name in held:
            held[name] += row[name]["low"] <= 0.5 <= row[name]["high"]
    # Binomial: 95% of 300 is 285, standard deviation 3.8. The pigeonhole bootstrap is a little
    # too wide, and a block of six users is few.
    assert min(held.values()) >= 274


def _clicking(any_one: Evaluation, rate: np.ndarray) -> Evaluation:
    """Users with a known CTR."""
    active = np.ones((len(rate), 2), bool)
    feedback = np.repeat(rate[:, None], 2, axis=1)
    return replace(any_one, feedback=feedback, active=active, stratum=np.zeros(len(rate), np.int32))


def test_runs_seeds_and_costs_belong_together(results) -> None:
    run = results[0].methods["random"].evaluations[0]
    with pytest.raises(ValueError, match="as many, got 1, 0 and 0"):
        MethodResult(Named("random", "reference"), (run,))


def test_the_table_has_a_row_for_each_user_and_training(results, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    write_users(user_table(results), tmp_path / "results.parquet")
    table = polars.read_parquet(tmp_path / "results.parquet")
    assert len(table) == 2 * 6 * USERS
    assert table.columns == [
        "scenario", "method", "seed", "user", "group", "clicks", "impressions", "ctr", "requests",
        "sessions", "days", "churned", "reward", "regret", "log_loss",
    ]  # fmt: skip
    chosen = table.filter(scenario="calm", method="learner", seed=1)
    run = results[0].methods["learner"].evaluations[1]
    np.testing.assert_allclose(chosen["ctr"].to_numpy(), user_ctr(run), rtol=1e-6)
    assert chosen["log_loss"].null_count() == USERS
    known = table.filter(method="filter-ucb", scenario="calm")
    # The truth as a prediction: the loss is the entropy of a click.
    assert 0.3 < known["log_loss"].mean() < 0.7
    assert known["group"].n_unique() > 5
    assert len(user_table([])) == 0


def _parts(found: MethodResult) -> tuple[Any, Any, Any]:
    return found.evaluations, found.seeds, found.costs
