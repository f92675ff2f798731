"""Redundancy: distinct meanings, diversity, and the figures as levels."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataedge.measure.redundancy import redundancy
from dataedge.measure.same_meaning import semantic_clusters, vendi_score
from dataedge.prepare.near_duplicates import near_duplicate_levels
from tests.prepare.planted import sentences, slip


@pytest.mark.parametrize("d", [64, 384])
def test_random_vectors_show_no_semantic_clusters_beyond_the_bound(d: int) -> None:
    n, allowed = 3000, 0.01
    merged = []
    for seed in range(3):
        X = np.random.default_rng(seed).normal(size=(n, d))
        merged.append(n - 1 - int(semantic_clusters(X, false_links=allowed).clusters.max()))
    expected = n * allowed / 2  # a link joins two rows
    assert np.mean(merged) <= expected + 3 * np.sqrt(expected / 3)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_semantic_twins_are_found_at_every_share(share: float) -> None:
    """The threshold must not move with the share of rows that have a twin."""
    rng = np.random.default_rng(3)
    n = 1500
    pairs = round(share * n / 2)
    base = rng.normal(size=(n - pairs, 96))
    X = np.vstack([base, base[:pairs] + 0.15 * rng.normal(size=(pairs, 96))])
    found = semantic_clusters(X)
    assert np.mean(found.clusters[:pairs] == found.clusters[n - pairs :]) >= 0.98
    assert 0.3 < found.threshold < 0.9
    assert found.low <= found.clusters.max() + 1 <= found.high
    assert abs(found.clusters.max() + 1 - (n - pairs)) <= 0.02 * n


def test_semantic_clusters_do_not_chain() -> None:
    """Rows along an arc, each close to the next: no cluster reaches further than its centre does."""
    angle = np.linspace(0, np.pi, 400)
    arc = np.zeros((400, 64))
    arc[:, 0], arc[:, 1] = np.cos(angle), np.sin(angle)
    X = np.vstack([arc, np.random.default_rng(0).normal(size=(600, 64)) / 8])
    found = semantic_clusters(X)
    for c in np.unique(found.clusters[:400]):
        members = arc[found.clusters[:400] == c]
        assert (members @ members.T).max(0).min() >= found.threshold - 1e-6
        assert (members @ members.T).min() >= 2 * found.threshold**2 - 1 - 1e-6


def test_degenerate_vectors() -> None:
    assert semantic_clusters(np.empty((0, 4))).clusters.shape == (0,)
    assert semantic_clusters(np.ones((1, 4))).clusters.tolist() == [0]
    assert semantic_clusters(np.ones((60, 4))).clusters.tolist() == [0] * 60
    assert vendi_score(np.empty((0, 4))) == 0.0
    assert vendi_score(np.zeros((3, 4))) == 0.0
    assert vendi_score(np.ones((60, 4))) == pytest.approx(1.0)


@given(st.integers(0, 100), st.integers(2, 30))
@settings(max_examples=20, deadline=None)
def test_the_vendi_score_is_that_of_the_kernel(seed: int, n: int) -> None:
    X = np.random.default_rng(seed).normal(size=(n, 6))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    eigenvalues = np.linalg.eigvalsh(unit @ unit.T / n)
    eigenvalues = eigenvalues[eigenvalues > 1e-12]
    assert vendi_score(X) == pytest.approx(
        np.exp(-(eigenvalues * np.log(eigenvalues)).sum()), rel=1e-4
    )
    twice = vendi_score(X, weights=np.full(n, 2))
    assert twice == pytest.approx(vendi_score(np.vstack([X, X])), rel=1e-6)


def test_figures_stand_as_levels_with_a_range() -> None:
    rng = random.Random(4)
    base = sentences(200, rng)
    texts = base + [slip(t, rng) for t in base[:100]]
    counts = np.ones(300, np.int64)
    counts[:50] = 2
    levels = near_duplicate_levels(texts)
    vectors = np.random.default_rng(0).normal(size=(200, 64))
    vectors = np.vstack([vectors, vectors[:100]])
    figures = redundancy(counts, levels[0.8], vectors, levels=levels)
    assert figures["duplicate_share"].value == pytest.approx(50 / 350)
    rows = figures["effective_rows"]
    assert rows.value is not None
    assert rows.low is not None
    assert rows.high is not None
    assert rows.low <= rows.value <= rows.high
    detail = rows.detail
    assert detail["rows"] == 350
    assert detail["rows"] > detail["unique"] > rows.value >= detail["semantic_clusters"]
    assert 1.0 <= detail["vendi_score"] <= 64.0
    near = figures["near_duplicate_share"]
    assert near.value == pytest.approx(1 - rows.value / 350)


def test_figures_without_vectors_or_items() -> None:
    figures = redundancy(np.array([1, 3]), np.array([0, 1]), None)
    assert figures["effective_rows"].value == 2.0
    assert figures["effective_rows"].low is None
    assert "no vectors" in figures["effective_rows"].reason
    empty = redundancy(np.empty(0, np.int64), np.empty(0, np.int64), None)
    assert {f.status for f in empty.values()} == {"skipped"}
