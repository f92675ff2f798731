"""Neighbours are the exact ones while that is cheap, and their recall is told beyond."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.prepare.neighbours import nearest, neighbours


def topics(n: int, rng: np.random.Generator, d: int = 48, groups: int = 40) -> np.ndarray:
    """Vectors around topic centres, as text embeddings lie."""
    centres = rng.normal(size=(groups, d))
    return centres[rng.integers(0, groups, n)] + 0.7 * rng.normal(size=(n, d))


def test_neighbours_are_exact_for_small_sets() -> None:
    X = topics(300, np.random.default_rng(0))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    found = neighbours(X, 5)
    assert found.exact
    assert found.recall == 1.0
    assert np.array_equal(found.index, np.argsort(-cosine, axis=1)[:, :5])
    assert np.allclose(found.cosine, -np.sort(-cosine, axis=1)[:, :5], atol=1e-5)


def test_approximate_neighbours_report_the_recall_that_they_have() -> None:
    X = topics(6000, np.random.default_rng(1))
    exact, rough = neighbours(X, 10), neighbours(X, 10, exact_rows=1000)
    assert not rough.exact
    assert rough.sample == 500
    truth = np.mean(
        [len(set(a) & set(b)) / 10 for a, b in zip(exact.index, rough.index, strict=True)]
    )
    assert rough.recall >= 0.99
    assert truth >= 0.98
    assert not np.any(rough.index == np.arange(6000)[:, None])


def test_vectors_that_lie_in_no_groups_are_compared_with_all() -> None:
    """Random ones: lists find them only where nearly all lists are looked into."""
    X = np.random.default_rng(2).normal(size=(9_000, 64))
    found = neighbours(X, 10, exact_rows=1_000)
    assert found.exact
    assert found.recall == 1.0
    assert np.array_equal(found.index, neighbours(X, 10).index)


def test_neighbours_of_few_or_equal_rows() -> None:
    assert neighbours(np.ones((1, 3)), 2).index.tolist() == [[-1, -1]]
    assert neighbours(np.ones((2, 3)), 3).index.tolist() == [[1, -1, -1], [0, -1, -1]]
    same = neighbours(np.ones((50, 3)), 4)
    assert not np.any(same.index == np.arange(50)[:, None])
    assert np.allclose(same.cosine, 1.0)
    assert np.all(neighbours(np.zeros((3, 2)), 1).cosine == 0.0)


@pytest.mark.parametrize("k", [1, 5, 50])
def test_nearest_agrees_with_a_full_sort(k: int) -> None:
    rng = np.random.default_rng(0)
    queries, train = rng.normal(size=(7, 8)), rng.normal(size=(30, 8))
    found = nearest(queries.astype(np.float32), train.astype(np.float32), k)
    wanted = np.argsort(queries.astype(np.float32) @ train.astype(np.float32).T, axis=1)[:, -k:]
    assert (found == wanted).all()
