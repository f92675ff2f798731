"""Forecasts: intervals cover, ill-behaved curves are abstained on, shuffled labels teach nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from dataedge.learning_curve.curve import (
    Curve,
    Split,
    geometric_sizes,
    learning_curve,
    rotating_splits,
)
from dataedge.learning_curve.forecast import Forecast, forecast, forecast_points
from dataedge.learning_curve.prequential import bits_learned, shuffled
from dataedge.learning_curve.scaling_laws import extrapolation_loss, fit

SIZES = np.round(800 / 2 ** (np.arange(8, -1, -1) / 2))


def simulated(error: np.ndarray, *, rows: int = 1000, orders: int = 5, seed: int = 0) -> np.ndarray:
    """Error rates (orders, S) of rows that differ in how hard they are, folds held out in turn."""
    rng = np.random.default_rng(seed)
    hard, out = rng.normal(size=rows), np.zeros((orders, len(error)))
    for r in range(orders):
        mine = hard[np.arange(rows) % 5 == r % 5]
        luck = rng.normal(size=len(mine))
        for s in range(len(error)):
            luck = 0.8 * luck + 0.6 * rng.normal(size=len(mine))
            out[r, s] = (np.sqrt(0.7) * mine + np.sqrt(0.3) * luck > norm.isf(error[s])).mean()
    return out


def law(n: np.ndarray | float, b: float, c: float) -> np.ndarray:
    return np.asarray(c + (0.5 - 0.4 * c) * (np.asarray(n) / 50.0) ** -b)


def test_intervals_of_the_forecast_cover() -> None:
    """95 % intervals at four times the size, over slow and fast curves, with floor and without."""
    covered, misses = [], []
    for seed in range(60):
        b, c = (0.4, 0.7, 1.0, 1.4)[seed % 4], (0.0, 0.1, 0.2)[seed % 3]
        found = forecast_points(SIZES, simulated(law(SIZES, b, c), seed=seed), 1000)
        figure, truth = found.at(3200), 1 - float(law(3200, b, c))
        if figure.value is None or figure.low is None or figure.high is None:
            continue
        covered.append(figure.low <= truth <= figure.high)
        misses.append(abs(figure.value - truth))
    assert len(covered) >= 55
    assert np.mean(covered) >= 0.8
    assert np.mean(misses) <= 0.02


@pytest.mark.parametrize("spoil", ["falls", "jumps"])
def test_ill_behaved_points_get_a_reason_and_no_figure(spoil: str) -> None:
    error = law(SIZES, 0.7, 0.05)
    error = np.where(SIZES > 150, error + 0.2, error) if spoil == "falls" else error
    error = np.where(SIZES > 500, 0.05, 0.4 + 0 * error) if spoil == "jumps" else error
    for seed in range(5):
        found = forecast_points(SIZES, simulated(error, seed=seed), 1000)
        assert "ill-behaved" in found.reason
        for figure in (found.at(1600), found.examples_for(0.9), found.prior_examples()):
            assert figure.value is None
            assert figure.status == "refused"
            assert figure.reason == found.reason


def test_well_behaved_points_are_not_abstained_on() -> None:
    reasons = [
        forecast_points(SIZES, simulated(law(SIZES, b, c), seed=seed), 1000).reason
        for seed in range(10)
        for b, c in ((0.3, 0.0), (0.7, 0.1), (1.4, 0.3))
    ]
    assert sum(map(bool, reasons)) <= 1


def test_too_short_a_curve_is_refused() -> None:
    values = simulated(law(SIZES, 0.7, 0.1))
    assert "too short" in forecast_points(SIZES[:4], values[:, :4], 1000).reason
    assert "too short" in forecast_points(SIZES[-3:], values[:, -3:], 1000).reason
    assert "too short" in forecast_points(SIZES, values[:1], 1000).reason


def quiet(b: float = 0.8, c: float = 0.1) -> Forecast:
    values = np.repeat(law(SIZES, b, c)[None], 5, 0)
    return forecast_points(SIZES, values, 200_000)


def test_examples_for_a_target() -> None:
    found = quiet()
    goal = 1 - float(law(1600, 0.8, 0.1))
    need = found.examples_for(goal)
    assert need.value == pytest.approx(1600, rel=0.15)
    assert need.low is not None
    assert need.low <= need.value
    assert need.high is None or need.high >= need.value
    reached = found.examples_for(1 - float(law(200, 0.8, 0.1)))
    assert reached.value == pytest.approx(200, rel=0.1)
    never = found.examples_for(0.99)
    assert never.status == "refused"
    assert "not reached" in never.reason


def test_no_forecast_beyond_eight_times_the_data() -> None:
    assert quiet().at(800 * 8).value is not None
    assert "more than 8 times" in quiet().at(800 * 9).reason


def test_more_judged_rows_mean_a_narrower_interval() -> None:
    found = quiet()
    few, many, all_rows = (
        found.at(1600, judged_on=100),
        found.at(1600, judged_on=10_000),
        found.at(1600),
    )
    widths = [
        f.high - f.low for f in (few, many, all_rows) if f.high is not None and f.low is not None
    ]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3


def test_bits_are_forecast_downwards_and_stay_positive() -> None:
    rng = np.random.default_rng(0)
    values = 1.0 + 3.0 * (SIZES / 50) ** -0.5 + rng.normal(0, 0.02, (5, len(SIZES)))
    found = forecast_points(SIZES, values, 1000, metric="bits")
    truth = 1.0 + 3.0 * (3200 / 50) ** -0.5
    figure = found.at(3200)
    assert figure.unit == "bits/item"
    assert figure.value == pytest.approx(truth, abs=0.1)
    assert figure.low is not None
    assert figure.high is not None
    assert 0 < figure.low <= truth <= figure.high


def test_prior_knowledge_is_found_where_a_curve_starts_flat() -> None:
    """(B / (D_l + n^β)) with D_l worth 400 examples, against the same law without."""
    known = 0.6 * 400**0.9 / (400**0.9 + SIZES**0.9)
    fresh = 8.0 / SIZES**0.9
    with_prior, without = (
        forecast_points(SIZES, np.repeat(e[None], 5, 0), 200_000).prior_examples()
        for e in (known, fresh)
    )
    assert with_prior.value is not None
    assert without.value is not None
    assert with_prior.low is not None
    assert with_prior.low > 50 > without.value
    assert 150 < with_prior.value < 1000


@pytest.mark.parametrize("b", [0.5, 1.0])
def test_a_law_meets_its_own_points(b: float) -> None:
    error = law(SIZES, b, 0.1)
    small = np.full(len(SIZES), 1e-3)
    for name in ("power", "rectified"):
        assert np.allclose(fit(name, SIZES, error, small).mean(SIZES)[3:], error[3:], atol=0.01)
        loss = extrapolation_loss(name, SIZES, error, small)
        assert loss is not None
        assert loss < 0.05
    assert extrapolation_loss("power", SIZES[-2:], error[-2:], small[-2:]) is None


# ---- the curve itself, with the real learner on made-up vectors


def blobs(n: int = 500, K: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres, y = rng.normal(size=(K, 20)), rng.integers(0, K, n)
    X = centres[y] + 1.5 * rng.normal(size=(n, 20))
    return X.astype(np.float32), y


def measured(labels: str = "real", seed: int = 0) -> Curve:
    X, y = blobs(seed=seed)
    y = y if labels == "real" else shuffled(y, seed=seed + 1)
    sizes = geometric_sizes(400, 5)[-8:]
    return learning_curve(X, y, 5, rotating_splits(np.arange(500), seed=seed), sizes=sizes)


def test_splits_hold_every_row_out_once_and_keep_clusters_whole() -> None:
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 60, 200)
    splits = rotating_splits(clusters, orders=10, seed=3)
    assert np.array_equal(np.sort(np.concatenate([s.held for s in splits[:5]])), np.arange(200))
    for split in splits:
        assert not set(clusters[split.train]) & set(clusters[split.held])
        assert len(split.train) + len(split.held) == 200
        changes = int((np.diff(clusters[split.train]) != 0).sum())
        assert changes == len(set(clusters[split.train])) - 1
        assert 20 <= len(split.held) <= 60


def test_curve_rises_and_shuffled_labels_teach_nothing() -> None:
    curve = measured()
    assert curve.accuracy.shape == (5, len(curve.sizes))
    assert curve.accuracy[:, -1].mean() > curve.accuracy[:, 0].mean() > 0.4
    assert curve.bits[:, -1].mean() < curve.bits[:, 0].mean()
    real, control = bits_learned(curve), bits_learned(measured("shuffled"))
    assert real.low is not None
    assert real.low > 50
    assert abs(control.detail["per_item"]) < 0.02 * np.log2(5)
    assert control.value is not None
    assert real.value is not None
    assert abs(control.value) < 0.1 * real.value


def test_forecast_of_a_measured_curve() -> None:
    found = forecast(measured())
    assert found.law in found.losses
    top = float(found.points.sizes[-1])
    twice, four = found.at(2 * top), found.at(4 * top)
    assert twice.value is not None
    assert four.value is not None
    assert twice.value <= four.value <= 1.0
    assert forecast(measured(), metric="bits").at(800).value is not None


def test_planted_curves_are_abstained_on() -> None:
    """A class that appears late, and labels shuffled after n/8, as the learner meets them."""
    X, y = blobs()
    rng = np.random.default_rng(2)
    late, spoiled = [], []
    for split in rotating_splits(np.arange(500)):
        first = split.train[y[split.train] != 0]
        rest = np.concatenate([first[200:], split.train[y[split.train] == 0]])
        late.append(Split(np.concatenate([first[:200], rng.permutation(rest)]), split.held))
        train = split.train.copy()
        train[50:] += 500
        spoiled.append(Split(train, split.held))
    twice, dealt = np.vstack([X, X]), np.concatenate([y, rng.permutation(y)])
    sizes = geometric_sizes(400, 5)
    assert "appear only after" in forecast(learning_curve(X, y, 5, late, sizes=sizes)).reason
    found = forecast(learning_curve(twice, dealt, 5, spoiled, sizes=sizes))
    assert "worse with" in found.reason
