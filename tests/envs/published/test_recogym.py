"""RecoGym's shoppers view and click as its program says, and as often as its notebooks report."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftrec.envs import Catalogue, RecommendationVectorEnv, Stream
from driftrec.envs.arrays import take
from driftrec.envs.published.recogym import RecoGymV0, RecoGymV1, recogym_population
from driftrec.envs.testing import check_user_model

PUBLISHED_CTR = {
    "random": (10, 0, "random", (0.010143, 0.011613)),
    "random, 1 flip": (10, 1, "random", (0.011094, 0.011560)),
    "by views": (10, 0, "views", (0.012895, 0.014556)),
    "random of 100": (100, 0, "random", (0.010070, 0.011512)),
}
"""Products, flips and policy of the notebooks, all with seed 42, and their 95% intervals."""

PUBLISHED_CLICKS = [924, 732, 1038, 626, 1187, 1129, 609, 709, 840, 1136]
PUBLISHED_VIEWS = [19273, 5141, 858, 15776, 63187, 31339, 2996, 12900, 6980, 58392]
PUBLISHED_RECOMMENDATIONS = 1_005_241 - sum(PUBLISHED_VIEWS)
"""Of 10,000 users with 10 products and 1 flip, by product; the log has so many lines in all."""

CTR = sum(PUBLISHED_CLICKS) / PUBLISHED_RECOMMENDATIONS

VIEWS = 1 / 0.26
"""Mean views of an organic session."""

LOST = 0.01 / 0.26
"""Chance that it ends with the user leaving."""


@dataclass(frozen=True, eq=False)
class ProductsOfSeed42(RecoGymV1):
    """The products that the program draws from its seed, in its order."""

    @property
    def _catalogue(self):
        rng = np.random.RandomState(42)
        features = rng.normal(size=(self.products, 5))
        popularity = rng.normal(0, 3, size=self.products)
        return Catalogue(features, np.ones((self.products, 1)), popularity)


def lives(model, users, seed, clicked):
    """What happens to some users until all have left: a state before each recommendation.

    `clicked` gives the chance of a click of each user, from a state.
    """
    state = model.sample(users, np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 1)
    stream = Stream(np.random.SeedSequence(seed))
    found = []
    while len(state.viewed):
        found.append(state)
        clicks = rng.random(len(state.viewed)) < clicked(state)
        state = model.react(state, None, np.float32(clicks)[:, None])
        stays = np.flatnonzero(rng.random(len(clicks)) >= model.leave(state))
        state = model.drift(take(state, stays), np.zeros(len(stays), np.float32), stream)
    return found


@pytest.mark.parametrize(
    "model",
    [RecoGymV0(), RecoGymV0(products=12, clusters=3), RecoGymV1(), RecoGymV1(20, flips=5)],
    ids=["v0", "v0 of 3 clusters", "v1", "v1 of 20 with flips"],
)
def test_the_users_keep_the_contract(model):
    check_user_model(model)


def visits(click):
    """Views and recommendations of a user of the original, by the chain's fundamental matrix."""
    view = [0.74, 0.25]
    recommendation = [(1 - click) * 0.05 + click, (1 - click) * 0.94]
    return np.linalg.inv(np.eye(2) - np.array([view, recommendation]))[0]


def test_events_are_as_many_as_those_of_the_absorbing_chain():
    users, click = 4000, 0.1
    views, recommendations = visits(click)
    found = lives(RecoGymV0(), users, 0, lambda state: click)
    requests = sum(len(state.viewed) for state in found)
    seen = sum(state.views.sum() for state in found)
    # A share `LOST` of the original's users is not shown anything, and so not met here; and as
    # large a share of its views are in sessions that end with the user leaving, and are not seen.
    assert requests / users == pytest.approx(recommendations / (1 - LOST), rel=0.06)
    assert seen / users == pytest.approx(views, rel=0.06)
    shares = views * (1 - LOST), recommendations
    assert seen / (seen + requests) == pytest.approx(shares[0] / sum(shares), abs=0.01)


def test_an_organic_session_follows_each_click_and_few_other_recommendations():
    users, model = 40_000, RecoGymV0()
    state = model.sample(users, np.random.default_rng(0))
    stream = Stream(np.random.SeedSequence(0))
    for clicked in (0, 1):
        state = replace(state, clicked=np.full(users, clicked, np.float32))
        leave = LOST if clicked else 0.01 + 0.05 * LOST
        assert model.leave(state) == pytest.approx(leave, abs=1e-6)
        after = model.drift(state, np.zeros(users, np.float32), stream)
        organic = 1 if clicked else 0.05 * (1 - LOST) / (1 - leave)
        assert (after.views > 0).mean() == pytest.approx(organic, abs=0.005)
        views = after.views[after.views > 0]
        assert views.mean() == pytest.approx(VIEWS, rel=0.06)
        assert (views == 1).mean() == pytest.approx(0.26, abs=0.035)
        assert (views > 4).mean() == pytest.approx(0.74**4, abs=0.035)


def test_published_users_are_shown_as_many_products():
    """The mean of 10,000 users, those who are shown nothing included."""
    assert visits(CTR)[1] == pytest.approx(PUBLISHED_RECOMMENDATIONS / 10_000, rel=0.02)


@pytest.fixture(scope="module")
def states():
    """Users with the products of seed 42, before each recommendation of a product at random.

    By the number of products. Flips make no difference to them: they exchange equal chances.
    """
    found = {}
    for products, users in ((10, 1000), (100, 400)):
        model = ProductsOfSeed42(products)
        catalogue = model.default_catalogue()

        def clicked(state, model=model, catalogue=catalogue):
            return model.click_probability(state, catalogue).mean(1)

        found[products] = lives(model, users, 3, clicked)
    return found


def chances(states, products, flips):
    """Of clicks on each product before each recommendation."""
    model = ProductsOfSeed42(products, flips=flips)
    catalogue = model.default_catalogue()
    return np.concatenate([model.click_probability(state, catalogue) for state in states[products]])


def shares_of_views(states, products):
    """Of each product in the last views of organic sessions."""
    viewed = np.concatenate([state.viewed[state.views > 0] for state in states[products]])
    return np.bincount(viewed, minlength=products) / len(viewed)


@pytest.mark.parametrize("case", PUBLISHED_CTR)
def test_click_through_lies_in_the_intervals_of_the_notebooks(states, case):
    products, flips, policy, (low, high) = PUBLISHED_CTR[case]
    random = np.full(products, 1 / products)
    share = shares_of_views(states, products) if policy == "views" else random
    assert low < (chances(states, products, flips) @ share).mean() < high


def test_products_are_viewed_and_clicked_as_often_as_in_the_published_log(states):
    clicks = chances(states, 10, 1).mean(0) * PUBLISHED_RECOMMENDATIONS / 10
    assert clicks == pytest.approx(PUBLISHED_CLICKS, rel=0.12)
    views = np.array(PUBLISHED_VIEWS) / sum(PUBLISHED_VIEWS)
    assert shares_of_views(states, 10) == pytest.approx(views, abs=0.025)


def test_a_click_in_v0_is_that_of_the_programs_matrix():
    model = RecoGymV0(products=6, clusters=3)
    each = np.kron(np.eye(3), np.ones((2, 2)))
    step = each / each.sum(1, keepdims=True)
    logits = 6 / 5 * (step + step.T) + model._pairs.T.astype(np.float64) - 5
    chance = 1 / (1 + np.exp(-logits))
    state = model.sample(50, np.random.default_rng(0))
    found = model.click_probability(state, model.default_catalogue())
    assert found == pytest.approx(chance[:, state.viewed].T, rel=1e-5)


def test_views_in_v0_stay_in_the_users_cluster():
    model = RecoGymV0(products=12, clusters=3)
    for state in lives(model, 100, 0, lambda state: 0.5):
        cluster = state.interest.argmax(1)
        np.testing.assert_array_equal(state.viewed // 4, cluster)
        by_cluster = state.seen.reshape(-1, 3, 4).sum(2)
        np.testing.assert_array_equal(by_cluster, state.views[:, None] * np.eye(3)[cluster])
    spread = np.bincount(model.sample(20_000, np.random.default_rng(1)).viewed, minlength=12)
    assert spread / 20_000 == pytest.approx(1 / 12, abs=0.008)


def sigma(x):
    return 1 / (1 + np.exp(-x))


@given(st.floats(-100, 100))
def test_chances_of_clicks_in_v1_lie_in_the_range_of_the_programs_formula(match):
    model = RecoGymV1(products=2, factors=1)
    object.__setattr__(model, "_click_features", np.ones((2, 1), np.float32))
    object.__setattr__(model, "_click_popularity", np.zeros(2, np.float32))
    state = replace(model.sample(1, np.random.default_rng(0)), interest=np.float32([[match]]))
    chance = model.click_probability(state, model.default_catalogue())[0, 0]
    assert chance == pytest.approx(sigma(5 * sigma(2 * sigma(0.3 * match) - 2) - 6), rel=1e-4)
    assert 0.004 < chance < 0.03


class Dealt:
    """A stream that hands out draws made beforehand, and keeps them."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def uniform(self, *shape):
        self.uniforms = self.rng.random(shape, np.float32)
        return self.uniforms

    def normal(self, *shape):
        self.normals = self.rng.standard_normal(shape, np.float32)
        return self.normals


def one_by_one(model, interest, clicked, uniforms, normals):
    """One user's organic session, step by step: interest, products viewed; by the same draws."""
    products = model.default_catalogue()
    gamma, mu = np.float64(products.features), np.float64(products.quality)
    goes = uniforms[0] < 0.05 * 25 / 26 / (1 - 0.01 - 0.05 / 26)
    seen, omega = [], np.float64(interest)
    if not (clicked or goes):
        return omega, seen
    more = np.floor(np.log(1 - np.float64(uniforms[1])) / np.log(0.74))
    for turn in range(1 + int(more)):
        if turn > 0 or not clicked:
            omega = omega + 0.1 * normals[turn]
        weight = np.exp(gamma @ omega + mu)
        upper = np.cumsum(weight / weight.sum())
        seen.append(int(np.searchsorted(upper, uniforms[2 + turn])))
    return omega, seen


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
def test_sessions_in_v1_are_those_of_one_user_at_a_time(seed, products):
    model, users = RecoGymV1(products), 12
    rng, deal = np.random.default_rng(seed), Dealt(seed)
    before = model.sample(users, rng)
    before = replace(before, clicked=np.float32(rng.random(users) < 0.7))
    after = model.drift(before, np.zeros(users, np.float32), deal)
    features = model.default_catalogue().features
    for user in range(users):
        omega, seen = one_by_one(
            model,
            before.interest[user],
            before.clicked[user],
            deal.uniforms[user],
            deal.normals[user],
        )
        assert after.interest[user] == pytest.approx(omega, abs=1e-4)
        assert after.views[user] == len(seen)
        assert after.viewed[user] == (seen[-1] if seen else before.viewed[user])
        assert after.seen[user] == pytest.approx(features[seen].sum(0), abs=1e-4)
    context = model.context(after)
    assert context[:, 0] == pytest.approx(after.views)
    assert context[:, 1:6] == pytest.approx(after.seen)
    assert context[:, 6:] == pytest.approx(features[after.viewed])


def test_flips_exchange_the_clicks_of_the_products_most_alike():
    plain, flipped = RecoGymV1(20), RecoGymV1(20, flips=4)
    alike = np.triu(plain.default_catalogue().features @ plain.default_catalogue().features.T, 1)
    order, pairs = np.dstack(np.unravel_index(np.argsort(-alike, None), alike.shape))[0], []
    for one, other in order:
        if not {one, other} & {item for pair in pairs for item in pair}:
            pairs.append((one, other))
    by = np.arange(20)
    for one, other in pairs[:4]:
        by[[one, other]] = other, one
    state, catalogue = plain.sample(5, np.random.default_rng(0)), plain.default_catalogue()
    np.testing.assert_allclose(
        flipped.click_probability(state, catalogue),
        plain.click_probability(state, catalogue)[:, by],
        rtol=1e-6,
    )
    np.testing.assert_array_equal(flipped.default_catalogue().features, catalogue.features)


@pytest.mark.parametrize("task", ["v0", "v1"])
def test_torch_runs_the_trials_that_numpy_runs(task):
    torch = pytest.importorskip("torch")
    population = recogym_population(task, leave_bandit=0.1, bandit_to_organic=0.3)
    one, two = (
        RecommendationVectorEnv(population, 30, array_library=name) for name in ("numpy", "torch")
    )
    one.reset(seed=2), two.reset(seed=2)
    rng = np.random.default_rng(0)
    for _ in range(30):
        items = rng.integers(10, size=30)
        first, second = one.step(items), two.step(torch.as_tensor(items))
        for key, values in first[0].items():
            np.testing.assert_allclose(values, second[0][key].numpy(), atol=1e-4)
        for left, right in zip(first[1:4], second[1:4], strict=True):
            np.testing.assert_array_equal(left, right.numpy())


def test_ten_thousand_products_are_shown_as_ten_are():
    env = RecommendationVectorEnv(recogym_population(products=10_000), 2)
    observation, _ = env.reset(seed=0)
    assert observation["context"].shape == (2, 11)
    assert (observation["context"][:, 0] >= 1).all()
    observation, *_ = env.step(np.array([9_999, 0]))
    assert observation["slate"].shape == (2, 1, 7)


def test_users_of_other_items_are_shown_another_catalogue():
    population = recogym_population()
    usual, other = (population.split(name) for name in ("test", "ood-items"))
    assert not np.isin(usual.catalogue.features, other.catalogue.features).any()
    population = recogym_population("v0")
    usual, other = (population.split(name).model for name in ("test", "ood-items"))
    assert not np.isin(usual._pairs, other._pairs).any()


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (RecoGymV0, {"products": 9}, "products must be a multiple of clusters"),
        (RecoGymV0, {"clusters": 0}, "clusters must be a whole number"),
        (RecoGymV1, {"organic_to_bandit": 0.0}, "organic_to_bandit must be positive"),
        (RecoGymV1, {"leave_bandit": 0.96}, "must be chances of at most 1 together"),
        (RecoGymV1, {"step_sd": -0.1}, "step_sd must not be negative"),
        (RecoGymV1, {"flips": 6}, r"flips must lie in \[0, 5\]"),
    ],
)
def test_bad_parameters_are_refused(kind, change, message):
    with pytest.raises(ValueError, match=message):
        kind(**change)


def test_an_unknown_version_is_refused_by_the_names_of_those_that_are():
    with pytest.raises(ValueError, match="task must be one of v0, v1"):
        recogym_population("v2")
