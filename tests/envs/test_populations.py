"""Names: what is registered or plugged in is found, and every mistake says what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from driftrec.envs import (
    DriftingUser,
    Population,
    feed_population,
    make_population,
    population_names,
    population_of,
    populations,
    register_population,
    register_user_model,
    resolve_population,
)

Announce = Callable[..., None]


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registrations of a test end with it."""
    monkeypatch.setattr(populations, "_populations", dict(populations._populations))
    monkeypatch.setattr(populations, "_user_models", dict(populations._user_models))


@pytest.fixture
def announce(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Announce:
    """Installs packages that announce entry points, for the length of a test."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(package: str, name: str, value: str, code: str = "") -> None:
        (tmp_path / f"{package}.py").write_text(code)
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0")
        (metadata / "entry_points.txt").write_text(
            f"[driftrec.user_models]\n{name} = {package}:{value}\n"
        )

    return install


def test_a_registered_population_is_made_anew_from_its_factory(registries: None) -> None:
    made: list[Population] = []

    def factory() -> Population:
        made.append(feed_population())
        return made[-1]

    register_population("mine", factory)
    assert made == []
    assert make_population("mine") is made[0]
    assert "mine" in population_names()


def test_a_registered_user_model_becomes_a_population_of_its_own_catalogue(
    registries: None,
) -> None:
    register_user_model("calm", lambda: DriftingUser(mood_sd=0.0))
    population = make_population("calm")
    assert population.name == "calm"
    assert population.model.mood_sd == 0.0
    assert len(population.catalogue) == len(population.model.default_catalogue())


@pytest.mark.parametrize("name", ["Feed", "Slate"])
def test_a_name_is_registered_once(registries: None, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}.*registered already: choose another"):
        register_population(name, feed_population)
    with pytest.raises(ValueError, match=f"{name}.*registered already: choose another"):
        register_user_model(name, DriftingUser)


def test_the_two_registries_share_their_names(registries: None) -> None:
    register_user_model("calm", DriftingUser)
    with pytest.raises(ValueError, match=r"calm.*registered already"):
        register_population("calm", feed_population)


def test_an_unknown_name_is_answered_with_the_known_ones(announce: Announce) -> None:
    announce("third_party_known", "elsewhere", "Users")
    with pytest.raises(ValueError, match=r"must be one of .*; got 'nowhere'") as caught:
        make_population("nowhere")
    assert {"Feed", "Slate", "elsewhere"} <= set(population_names())
    assert all(name in str(caught.value) for name in population_names())


def test_a_plug_in_is_found_by_name(announce: Announce) -> None:
    code = "from driftrec.envs import DriftingUser\nclass Users(DriftingUser): pass\n"
    announce("third_party_good", "good", "Users", code)
    population = make_population("good")
    assert (population.name, type(population.model).__module__) == ("good", "third_party_good")


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ("Users", "class Users: pass", "'bad' must be a driftrec UserModel, got Users"),
        ("users", "users = 3", "'bad' must name a UserModel that needs .*users"),
        ("Users", "class Users:\n def __init__(self, x): pass", "needs no arguments.*TypeError"),
        ("Missing", "", "'bad' must name a UserModel.*AttributeError"),
        ("Users", "import no_such_module", "'bad' must name.*ModuleNotFoundError.*no_such_module"),
    ],
    ids=["another class", "no class", "arguments", "missing", "import error"],
)
def test_a_plug_in_that_makes_no_user_model_is_named(
    announce: Announce, value: str, code: str, message: str, request: pytest.FixtureRequest
) -> None:
    package = f"third_party_bad_{request.node.callspec.id.replace(' ', '_')}"
    announce(package, "bad", value, code)
    with pytest.raises(ValueError, match=message):
        make_population("bad")


def test_a_name_that_two_packages_announce_is_nobodys(announce: Announce) -> None:
    announce("third_party_one", "twice", "Users")
    announce("third_party_two", "twice", "Users")
    with pytest.raises(ValueError, match=r"'twice'.*third_party_one:Users") as caught:
        make_population("twice")
    assert "third_party_two:Users" in str(caught.value)


def test_a_plug_in_does_not_take_a_built_in_name(announce: Announce) -> None:
    announce("third_party_feed", "Feed", "Users")
    with pytest.raises(ValueError, match=r"'Feed'.*'third_party_feed:Users'.*rename or uninstall"):
        make_population("Feed")


def test_population_of_wants_a_user_model() -> None:
    with pytest.raises(ValueError, match=r"'users' must be a driftrec UserModel, got str"):
        population_of("DriftingUser", "users")  # type: ignore[arg-type]


def test_parameters_reach_a_population_given_by_name_or_as_itself() -> None:
    by_name = resolve_population("Feed", {"mood_sd": 0.1})
    assert by_name.model.mood_sd == 0.1
    assert resolve_population(by_name) is by_name
    assert resolve_population(by_name, {"mood_sd": 0.2}).model.mood_sd == 0.2
