"""Intervals of paired proportions: what few items, and items in clusters, leave open."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataedge.figures import Figure, bootstrap
from dataedge.intervals import effective_pairs, paired_proportions, proportion, tango
from dataedge.verdict.decision import decide
from dataedge.verdict.edge_rule import FEWEST_CLUSTERS, Evidence
from dataedge.widened_intervals import Added, refit_variance, widened

DELTA = 0.02


def pairs(
    rng: np.random.Generator, clusters: int, size: int, *, gained: float, lost: float, shared: float
) -> tuple[np.ndarray, np.ndarray]:
    """Differences of hits whose items share their cluster's draw with this probability."""
    kinds, chances = [1.0, -1.0, 0.0], [gained, lost, 1.0 - gained - lost]
    own = rng.choice(kinds, p=chances, size=(clusters, size))
    whole = rng.choice(kinds, p=chances, size=(clusters, 1))
    drawn = np.where(rng.random((clusters, size)) < shared, whole, own)
    return drawn.ravel(), np.repeat(np.arange(clusters), size)


def old_interval(differences: np.ndarray, clusters: np.ndarray, seed: int) -> tuple[float, float]:
    return bootstrap(lambda w: w @ differences / w.sum(1), clusters, seed=seed, resamples=300)


def verdict_of(edge: Figure, clusters: int) -> str:
    sure = Figure(0.4, 0.3, 0.5, edge.n, "accuracy")
    return decide(Evidence(edge, edge, sure, edge, sure, {}, DELTA, "accuracy", clusters)).label


@pytest.mark.parametrize(
    ("clusters", "size", "shared"),
    [(15, 1, 0.0), (30, 1, 0.0), (60, 1, 0.0), (400, 1, 0.0), (15, 4, 0.7), (60, 4, 0.8)],
)
@pytest.mark.parametrize(("gained", "lost"), [(0.05, 0.0), (0.10, 0.05), (0.30, 0.20)])
def test_both_levels_cover(
    clusters: int, size: int, shared: float, gained: float, lost: float
) -> None:
    """The 90 and 95 % intervals hold the true difference as often as they say, or more often."""
    rng, runs = np.random.default_rng(clusters), 200
    for level in (0.90, 0.95):
        held = 0
        for _ in range(runs):
            drawn = pairs(rng, clusters, size, gained=gained, lost=lost, shared=shared)
            found = paired_proportions(*drawn, unit="accuracy", level=level)
            held += found.low <= gained - lost <= found.high
        slack = 3 * np.sqrt(level * (1 - level) / runs)
        assert held / runs >= level - slack - 0.01


def test_fifteen_items_do_not_rule_out_an_edge_of_five_points() -> None:
    """The old rule (percentile bootstrap, no least number) said `no_edge` in half of the cases."""
    rng, runs = np.random.default_rng(0), 300
    was = now = held = 0
    for run in range(runs):
        differences, clusters = pairs(rng, 15, 1, gained=0.05, lost=0.0, shared=0.0)
        low, high = old_interval(differences, clusters, run)
        was += high < DELTA
        held += low <= 0.05 <= high
        found = paired_proportions(differences, clusters, unit="accuracy")
        now += verdict_of(found, 15) == "no_edge"
    assert was / runs > 0.40  # 0.95 ** 15 = 0.46: all pairs agree, and the interval was [0, 0]
    assert held / runs < 0.60
    assert now == 0


def test_taking_clustered_items_for_independent_ones_covers_too_little() -> None:
    """Why the number of pairs that clusters are worth is estimated: without it, 95 % is not held."""
    rng, runs = np.random.default_rng(1), 200
    naive = aware = 0
    for _ in range(runs):
        differences, clusters = pairs(rng, 60, 6, gained=0.3, lost=0.2, shared=0.9)
        alone = paired_proportions(differences, np.arange(360), unit="accuracy")
        found = paired_proportions(differences, clusters, unit="accuracy")
        naive += alone.low <= 0.1 <= alone.high
        aware += found.low <= 0.1 <= found.high
    assert naive / runs < 0.75
    assert aware / runs >= 0.90


def test_no_edge_is_still_found_where_there_are_many_items() -> None:
    rng = np.random.default_rng(2)
    drawn = pairs(rng, 1500, 1, gained=0.02, lost=0.02, shared=0.0)
    assert verdict_of(paired_proportions(*drawn, unit="accuracy"), 1500) == "no_edge"


def test_below_sixty_clusters_no_edge_is_never_said_and_the_reason_is() -> None:
    tight = Figure(0.0, -0.01, 0.01, 400, "accuracy")
    assert verdict_of(tight, FEWEST_CLUSTERS) == "no_edge"
    sure = Figure(0.4, 0.3, 0.5, 400, "accuracy")
    found = decide(Evidence(tight, tight, sure, tight, sure, {}, DELTA, "accuracy", 59))
    assert found.label == "inconclusive"
    assert any("59 independent groups" in sentence for sentence in found.why)
    beaten = Figure(0.0, -0.01, 0.01, 400, "accuracy")
    worse = decide(Evidence(sure, sure, beaten, sure, sure, {}, DELTA, "accuracy", 59))
    assert worse.label == "inconclusive", "not above chance, but few clusters say so"


@pytest.mark.parametrize("hits", [np.zeros(15), np.ones(15)])
def test_a_rung_on_which_all_agree_has_an_interval(hits: np.ndarray) -> None:
    found = proportion(hits, np.arange(15), unit="accuracy")
    assert found.high - found.low > 0.15
    assert found.low <= found.value <= found.high


def test_tango_as_published() -> None:
    """Tango 1998, table IV: crossover clinical trial, n = 44, b = 12, c = 2."""
    low, high = tango(12, 2, 44, z=1.959964)
    theta = (low, high)
    for end in theta:  # each end solves the score equation of the paper
        a, b = 2 * 44, -14 + (88 - 10) * end
        q = (np.sqrt(b * b + 8 * 44 * 2 * end * (1 - end)) - b) / (2 * a)
        z = (10 - 44 * end) / np.sqrt(44 * (2 * q + end * (1 - end)))
        assert abs(z) == pytest.approx(1.959964, abs=1e-6)
    assert low < 10 / 44 < high


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 7), st.integers(0, 9)
)
def test_whatever_the_pairs_the_interval_holds_the_value(
    same: int, gained: int, lost: int, size: int, seed: int
) -> None:
    values = np.repeat([0.0, 1.0, -1.0], [same, gained, lost])
    clusters = np.random.default_rng(seed).integers(0, max(1, len(values) // size), len(values))
    found = paired_proportions(values, clusters, unit="accuracy")
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    turned = paired_proportions(-values, clusters, unit="accuracy")
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
    assert 0 < effective_pairs(values, clusters) <= len(values) + 1e-9


def refitted(rng: np.random.Generator, refits: int, n: int, spread: float) -> np.ndarray:
    """Hits (refits, n) of fits that are worth more or less, on items that they mostly agree on."""
    worth = 0.5 + spread * rng.normal(size=(refits, 1))
    own = np.where(rng.random((refits, n)) < 0.15, rng.random((refits, n)), rng.random((1, n)))
    return (own < worth).astype(float)


def test_refits_tell_what_they_are_worth_apart_from_the_luck_of_their_items() -> None:
    """What moves between refits is not all theirs: without taking that off, nothing looks like 2 points."""
    rng, n = np.random.default_rng(0), 200
    for spread in (0.0, 0.03):
        found, plain = [], []
        for _ in range(400):
            drawn = refitted(rng, 16, n, spread)
            found.append(refit_variance(drawn, np.arange(n)))
            plain.append(drawn.mean(axis=1).var(ddof=1))
        assert np.mean(found) == pytest.approx(spread**2, abs=0.00005)
        assert np.mean(plain) > spread**2 + 0.0001


def test_items_in_clusters_move_together_with_a_refit() -> None:
    rng, clusters = np.random.default_rng(1), np.repeat(np.arange(60), 5)
    naive, aware = [], []
    for _ in range(200):
        drawn = refitted(rng, 12, 60, 0.0)[:, clusters]
        naive.append(refit_variance(drawn, np.arange(300)))
        aware.append(refit_variance(drawn, clusters))
    assert abs(np.mean(aware)) < 0.0002
    assert np.mean(naive) > 0.0005


def test_refits_that_lean_to_one_label_or_the_other_are_no_luck_of_items() -> None:
    """A pool near chance says yes more often or less: what it wins on one label it loses on the other."""
    rng, n = np.random.default_rng(2), 300
    classes = np.arange(n) % 2
    pooled, within = [], []
    for _ in range(200):
        yes = rng.random((1, n)) < 0.5 + 0.2 * rng.normal(size=(12, 1))
        hits = (yes == (classes == 1)).astype(float)
        pooled.append(refit_variance(hits, np.arange(n)))
        within.append(refit_variance(hits, np.arange(n), classes))
    assert np.mean(pooled) < -0.0001
    assert abs(np.mean(within)) < 0.00005


@pytest.mark.parametrize("n", [40, 300])
def test_the_widened_interval_covers_where_that_of_the_items_does_not(n: int) -> None:
    """The expected difference over fits and items; each audit sees one fit, and 16 like it."""
    rng, runs = np.random.default_rng(n), 300
    for level in (0.90, 0.95):
        was = now = 0
        for _ in range(runs):
            drawn = refitted(rng, 17, n, 0.06)
            found = paired_proportions(drawn[0] - 0.0, np.arange(n), unit="accuracy", level=level)
            added = max(refit_variance(drawn[1:], np.arange(n)), 0.0)
            wide = widened(found, Added(added, freedom=(15.0, 1.0, 1.0)), level=level)
            was += found.low <= 0.5 <= found.high
            now += wide.low <= 0.5 <= wide.high
        slack = 2 * np.sqrt(level * (1 - level) / runs)
        assert now / runs >= level - slack
        if n == 300:
            assert was / runs < level - 0.15
