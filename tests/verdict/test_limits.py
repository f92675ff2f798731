"""What limits an edge: only what could be recovered, only where its interval leaves out δ."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.figures import Figure
from dataedge.ladder.rungs import Repaired
from dataedge.learner.classifier import Learner
from dataedge.learning_curve.forecast import Forecast, forecast_points
from dataedge.learning_curve.more_data import measure_more_data
from dataedge.measure import definedness as in_bits
from dataedge.measure.disagreement import of_twins
from dataedge.verdict import limits

DELTA = 0.02
NONE = Figure.missing("not measured", "accuracy")


def gain(value: float, half: float = 0.01) -> Figure:
    return Figure(value, value - half, value + half, 300, "accuracy")


def defined(law: Forecast, noise: Figure = NONE) -> Figure:
    return limits.definedness(NONE, NONE, limits.error_at_the_end(law), noise)


@pytest.mark.long
def test_fully_determined_labels_are_not_called_undefined_for_want_of_rows() -> None:
    """100 rows whose label follows from a linear rule: the old rule called a third undetermined.

    It asked whether the input was shown to tell less than 5 % of the label's information.
    """
    was = now = 0
    runs = 12
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(100, 120)).astype(np.float32)
        y = (X @ rng.normal(size=120) > 0).astype(np.int64)
        train, held = np.arange(60), np.arange(60, 100)
        learner = Learner().fit([X[train]], y[train], 2, clusters=train, seed=0)
        p = learner.predict_proba([X[held]])[np.arange(40), y[held]]
        prior = np.bincount(y[train]) / 60
        told = in_bits.of_labels(
            -np.log2(prior[y[held]]), -np.log2(p), np.ones(40), np.ones(40), held, seed=0
        )
        was += told.share < 0.05
        law = measure_more_data([X[train]], y[train], 2, train, seed=0).law
        now += limits.named({"definedness": defined(law)}, DELTA) is not None
    assert was / runs > 0.25
    assert now == 0


def curve(rng: np.random.Generator, floor: float, sizes: np.ndarray, rows: int) -> np.ndarray:
    """Errors (5, S) of a power law, with the luck of the held-out rows."""
    error = 3.0 * sizes**-0.7 + floor
    return error + rng.normal(0, np.sqrt(error * (1 - error) / rows), (5, len(sizes)))


@pytest.mark.parametrize(("floor", "wrong", "least", "most"), [
    (0.0, 0.0, 0.0, 0.05), (0.3, 0.0, 0.5, 1.0), (0.15, 0.15, 0.0, 0.05),
])  # fmt: skip
def test_a_curve_shows_an_end_only_if_there_is_one_beyond_wrong_labels(
    floor: float, wrong: float, least: float, most: float
) -> None:
    """Share of draws in which definedness is named: no floor, a floor, a floor of wrong labels."""
    rng, sizes, found = np.random.default_rng(0), np.geomspace(64, 8192, 15), 0
    runs = 20
    for _ in range(runs):
        law = forecast_points(sizes, curve(rng, floor, sizes, 4000), 20_000)
        open_ = defined(law, Figure(wrong, max(wrong - 0.02, 0), wrong + 0.02, 4000, "share"))
        found += limits.named({"definedness": open_}, DELTA) is not None
    assert least <= found / runs <= most


def test_identical_inputs_that_disagree_show_it_but_not_where_labels_are_wrong() -> None:
    rng = np.random.default_rng(0)
    inputs = [f"case {i}" for i in range(400)] * 2
    undecided = np.tile(rng.random(400) < 0.5, 2)
    labels = [str(int(u)) for u in np.where(undecided, rng.random(800) < 0.5, False)]
    error = limits.error_of_disagreement(of_twins(inputs, labels, [1] * 800))
    # half of the inputs are a toss-up, so the best answer errs on a quarter of them
    assert error.low < 0.125 < error.high
    right = limits.definedness(NONE, error, NONE, gain(0.0))
    assert limits.named({"definedness": right}, DELTA) == "definedness"
    assert right.detail["shown_by"] == "rows with the same input disagree"
    flipped = [str(int(f)) for f in rng.random(800) < 0.13]
    error = limits.error_of_disagreement(of_twins(inputs, flipped, [1] * 800))
    wrong = limits.definedness(NONE, error, NONE, gain(0.13, 0.02))
    assert limits.named({"definedness": wrong}, DELTA) is None


def test_the_least_error_is_at_least_half_the_disagreement() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(4), 2000)
    assert np.all(1 - p.max(1) >= (1 - np.square(p).sum(1)) / 2 - 1e-12)


def test_nothing_is_named_whose_interval_includes_delta() -> None:
    wide = gain(0.3, 0.29)
    assert limits.named({"volume": wide, "label_quality": gain(0.025, 0.01)}, DELTA) is None
    assert limits.named({"volume": wide, "label_quality": gain(0.04)}, DELTA) == "label_quality"
    doubtful = Figure(0.3, 0.2, 0.4, 9, "accuracy", "underpowered", "few")
    assert limits.named({"definedness": doubtful}, DELTA) is None


def test_the_rest_is_unexplained_and_comes_last() -> None:
    found: dict[limits.Limit, Figure] = {"volume": gain(0.05), "label_quality": gain(0.0)}
    rest = limits.unexplained(gain(0.6), found)
    assert rest.value == pytest.approx(0.35)
    assert limits.named({**found, "unexplained": rest}, DELTA) == "volume"
    assert limits.named({"volume": gain(0.0), "unexplained": rest}, DELTA) == "unexplained"
    assert limits.named({"unexplained": gain(0.0)}, DELTA) is None


def test_novelty_limits_only_where_little_is_left() -> None:
    known = gain(0.5)
    assert limits.novelty(known, gain(0.1)) is known
    assert limits.novelty(known, gain(0.5)).value is None
    assert "left to gain" in limits.novelty(gain(0.1), gain(0.6)).reason


def test_the_next_doubling_of_text_under_a_power_law() -> None:
    """Gains of doublings of a·n^−b + c fall by 2^−b; the forecast's interval holds the next one."""
    rng, held = np.random.default_rng(0), 0
    for run in range(60):
        luck = rng.normal(0, 40, 150)
        sizes = [100, 200, 400, 800, 1600]
        bits = [2000 * n**-0.5 + 300 + luck + rng.normal(0, 8, 150) for n in sizes]
        true = 2000 * (800**-0.5 - 1600**-0.5) / 100
        points = list(zip(sizes[:4], bits, strict=False))
        found = limits.volume_of_loss(points, np.full(150, 100.0), np.arange(150), seed=run)
        held += found.low <= true <= found.high
    assert 51 <= held <= 60
    flat = [(n, np.full(50, 100.0)) for n in (100, 200, 400)]
    none = limits.volume_of_loss(flat, np.full(50, 100.0), np.arange(50), seed=0)
    assert none.value == 0.0
    assert limits.volume_of_loss(flat[1:], np.ones(50), np.arange(50), seed=0).value is None


def test_open_prompts_cost_at_most_what_is_left() -> None:
    cost = Figure(1.5, 1.4, 1.6, 100, "bits/byte")
    found = limits.open_responses(Figure(0.8, 0.7, 0.9, 60, "share"), cost)
    assert (found.value, found.unit) == (pytest.approx(1.2), "bits/byte")
    few = Figure(0.8, 0.7, 0.9, 6, "share", "underpowered", "only 6")
    assert limits.open_responses(few, cost).reason == "only 6"


def test_label_quality_is_the_paired_gain_of_the_repaired_rung() -> None:
    won = Figure(0.03, 0.01, 0.05, 60, "accuracy")
    repaired = Repaired(0.8, 0.7, 0.9, 60, "accuracy", gain=won)
    assert limits.label_quality(repaired) is won
    assert limits.label_quality(Figure(0.8, 0.7, 0.9, 60, "accuracy")).value is None
    none = Figure.missing("no suspect labels on the train side", "accuracy")
    assert "no suspect" in limits.label_quality(none).reason
