"""Forecasts: intervals cover, ill-behaved curves are abstained on, shuffled labels teach nothing."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from dataedge.figures import Figure
from dataedge.learning_curve.curve import (
    Curve,
    Split,
    geometric_sizes,
    learning_curve,
    rotating_splits,
)
from dataedge.learning_curve.forecast import (
    Forecast,
    forecast,
    forecast_losses,
    forecast_points,
)
from dataedge.learning_curve.prequential import bits_learned, shuffled
from dataedge.learning_curve.scaling_laws import ERROR_RATES, LOSSES, fit

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
        assert "no forecast is made" in found.reason
        for figure in (found.at(1600), found.examples_for(0.9), found.gain(800, 1600)):
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
    assert "to forecast from" in forecast_points(SIZES[:4], values[:, :4], 1000).reason
    assert "to forecast from" in forecast_points(SIZES[-3:], values[:, -3:], 1000).reason
    assert "to forecast from" in forecast_points(SIZES, values[:1], 1000).reason


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


@pytest.mark.parametrize("b", [0.5, 1.0])
def test_the_posterior_meets_points_of_a_power_law(b: float) -> None:
    error = law(SIZES, b, 0.1)
    for prior in (ERROR_RATES, LOSSES):
        found = fit(SIZES, error, np.full(len(SIZES), 1e-3), prior)
        assert np.allclose(found.mean(SIZES)[3:], error[3:], atol=0.01)
        assert found.weight.sum() == pytest.approx(1.0)


CURVES = Path(__file__).parents[3] / "shared" / "data" / "tuning_curves"


@pytest.mark.skipif(not CURVES.is_dir(), reason="../shared/data/tuning_curves is absent")
def test_real_fine_tunes_are_foretold_from_their_first_eighth() -> None:
    """60 curves; the old prior, that of error rates with their floors, is far too pessimistic."""
    truth, errors, covered, old = [], [], [], []
    for file in ("flan.csv", "gigaword.csv"):
        with (CURVES / file).open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        sizes = sorted(int(c) for c in rows[0] if c.isdigit() and c != "0")
        for row in rows:
            n, loss = np.array(sizes, float), np.array([float(row[str(k)]) for k in sizes])
            seen = n <= n[-1] / 8
            found = forecast_losses(n[seen], loss[seen]).at(n[-1], level=0.9)
            assert found.value is not None
            assert found.low is not None
            assert found.high is not None
            truth.append(np.log(loss[-1]))
            errors.append(np.log(found.value) - truth[-1])
            covered.append(found.low <= loss[-1] <= found.high)
            before = fit(n[seen], loss[seen], np.zeros(seen.sum()), ERROR_RATES, scale=loss.max())
            old.append(np.log(before.mean(n[-1:])[0]) - truth[-1])
    assert np.median(np.abs(errors)) <= 0.035
    assert np.quantile(np.abs(errors), 0.9) <= 0.12
    assert abs(np.mean(errors)) <= 0.01
    assert 0.85 <= np.mean(covered) <= 0.95
    assert np.mean(old) > 0.02


def test_intervals_allow_for_curves_that_stray_from_every_law() -> None:
    """Losses of the law times a random walk; the old intervals held its parameters' spread alone."""
    rng = np.random.default_rng(0)
    n, covered, old = 200.0 * 2 ** np.arange(12), [], []
    for _ in range(40):
        slow = 10 ** rng.uniform(1.5, 4.5)
        shape = ((slow + 100.0) / (slow + n)) ** rng.uniform(0.2, 0.5)
        truth = 3.0 * shape + rng.choice([0.0, 0.5, 1.0])
        loss = truth * np.exp(0.003 * rng.normal(size=12) + 0.008 * np.cumsum(rng.normal(size=12)))
        seen, end = (n[:9], loss[:9]), n[-1:]
        forecast_ = forecast_losses(*seen)
        found = forecast_.at(n[-1], level=0.9)
        if forecast_.fitted is None or found.low is None or found.high is None:
            continue
        covered.append(found.low <= loss[-1] <= found.high)
        still = fit(*seen, np.zeros(9), replace(LOSSES, walk=0.0), scale=loss.max())
        low, high = np.quantile(still.draws(end, 2000, rng)[:, 0], [0.05, 0.95])
        old.append(low <= loss[-1] <= high)
    assert len(covered) >= 35
    assert np.mean(covered) >= 0.75
    assert np.mean(old) < 0.65


def test_too_few_losses_are_refused() -> None:
    assert "too short" in forecast_losses(SIZES[:4], np.linspace(3, 2, 4)).reason


def test_examples_for_an_uncertain_target_have_a_wider_interval() -> None:
    """Without the target's interval 95 % intervals of the examples needed hold half as often."""
    rng, held, ignored = np.random.default_rng(1), [], []
    goal = 1 - float(law(1200, 0.8, 0.1))
    for seed in range(40):
        found = forecast_points(SIZES, simulated(law(SIZES, 0.8, 0.1), seed=seed), 1000)
        seen = goal + 0.03 * rng.normal()
        target = Figure(seen, seen - 0.0588, seen + 0.0588, 250, "accuracy")
        for rule, got in ((held, found.examples_for(target)), (ignored, found.examples_for(seen))):
            low = np.inf if got.low is None else got.low
            high = np.inf if got.high is None else got.high
            rule.append(got.status == "refused" or low <= 1200 <= high)
    assert np.mean(held) >= 0.9
    assert np.mean(ignored) < np.mean(held) - 0.1


def test_an_asymptote_short_of_the_target_is_never_a_number() -> None:
    """A curve that levels off at 70 %, asked for 80 %; and one whose end is open."""
    end = 0.3 + 0.3 * (SIZES / 50) ** -1.2
    level = forecast_points(SIZES, np.repeat(end[None], 5, 0), 50_000).examples_for(0.8)
    assert level.value is None
    assert level.status == "refused"
    assert level.detail["never"] > 0.95
    assert "however much there is" in level.reason
    near = forecast_points(SIZES, simulated(law(SIZES, 0.7, 0.1), seed=3), 1000)
    reached = near.at(1600)
    assert reached.value is not None
    unsure = near.examples_for(reached.value)
    assert unsure.value is not None
    assert unsure.high is None
    assert "no upper bound" in unsure.reason
    assert 0.0 < unsure.detail["never"] < 0.5


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
