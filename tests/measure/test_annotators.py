"""Several annotators: α as published, the careless one found, the consensus better than each."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.measure.annotators import alpha, crowd, crowdlab


def votes(n: int = 600, k: int = 4, skill=(0.95, 0.85, 0.8, 0.5), missing=0.2, seed: int = 0):
    """True labels, annotators of known skill, and a learner that is right eight times in ten."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    given = np.stack(
        [np.where(rng.random(n) < s, y, (y + rng.integers(1, k, n)) % k) for s in skill], 1
    )
    given[rng.random(given.shape) < missing] = -1
    given[(given < 0).all(1), 0] = 0
    seen = np.where(rng.random(n) < 0.8, y, rng.integers(0, k, n))
    return y, given, 0.7 * np.eye(k)[seen] + 0.3 / k


def test_alpha_of_the_textbook_example() -> None:
    """Krippendorff 2011, nominal data, any number of observers, missing data: 0.743."""
    rows = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
    given = np.array(rows).T - 1
    found = alpha(given, 5, np.arange(12))
    assert found.value == pytest.approx(0.743, abs=0.0005)
    assert found.status == "underpowered"
    assert found.n == 11


def test_alpha_is_one_when_all_agree_and_near_zero_by_chance() -> None:
    rng = np.random.default_rng(0)
    same = np.repeat(rng.integers(0, 3, (200, 1)), 3, 1)
    assert alpha(same, 3, np.arange(200)).value == 1.0
    chance = alpha(rng.integers(0, 3, (500, 3)), 3, np.arange(500))
    assert chance.low < 0 < chance.high
    assert alpha(np.zeros((30, 2), int), 2, np.arange(30)).status == "skipped"
    assert alpha(np.array([[0, -1], [1, -1]]), 2, np.arange(2)).status == "skipped"


def test_the_interval_of_alpha_covers() -> None:
    """Two annotators who copy each other with probability a, else draw at random: α is a."""
    hits = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        first = rng.integers(0, 3, 300)
        second = np.where(rng.random(300) < 0.6, first, rng.integers(0, 3, 300))
        found = alpha(np.stack([first, second], 1), 3, np.arange(300), seed=seed)
        hits += found.low <= 0.6 <= found.high
    assert hits >= 34


def test_consensus_beats_every_annotator_and_the_careless_one_is_found() -> None:
    y, given, proba = votes(skill=(0.8, 0.75, 0.7, 0.65, 0.4))
    found = crowd(given, proba, names=["a", "b", "c", "d", "careless"])
    right, wrong = given == y[:, None], (given != y[:, None]) & (given >= 0)
    assert (found.consensus == y).mean() > (right.sum(0) / (given >= 0).sum(0)).max() + 0.02
    assert found.annotator_quality.argmin() == 4
    assert found.agreement.detail["annotator_quality"]["careless"] < 0.4
    assert np.median(found.label_quality[wrong]) < 0.2 < 0.5 < np.median(found.label_quality[right])
    assert np.isnan(found.label_quality[given < 0]).all()


def test_odd_crowds_are_finite_where_there_is_a_label() -> None:
    given = np.array([[0, -1, -1], [-1, -1, -1], [1, 1, -1], [0, 1, -1]])
    found = crowd(given, np.full((4, 2), 0.5), names=["a", "b", "none"])
    assert found.consensus.tolist()[1] == -1
    assert np.isfinite(found.quality[[0, 2, 3]]).all()
    assert np.isnan(found.quality[1])
    assert np.isnan(found.annotator_quality[2])
    single = crowd(np.array([[0], [1]]), np.eye(2), names=["a"])
    assert single.agreement.status == "skipped"
    assert single.consensus.tolist() == [0, 1]


def test_the_same_scores_as_cleanlab() -> None:
    pytest.importorskip("cleanlab", reason="pip install 'cleanlab>=2.8' to compare with the peer")
    from cleanlab.multiannotator import get_label_quality_multiannotator

    _, given, proba = votes()
    labels = np.where(given < 0, np.nan, given).astype(float)
    theirs = get_label_quality_multiannotator(labels, proba, verbose=False)
    consensus, quality, of_label, of_annotator = crowdlab(given, proba)
    table = theirs["label_quality"]
    np.testing.assert_array_equal(consensus, table["consensus_label"])
    np.testing.assert_allclose(quality, table["consensus_quality_score"], atol=1e-6)
    np.testing.assert_allclose(of_label, theirs["detailed_label_quality"], atol=1e-6)
    stats = theirs["annotator_stats"].sort_index()
    np.testing.assert_allclose(of_annotator, stats["annotator_quality"], atol=1e-6)
