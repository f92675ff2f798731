"""Labels that are more frequent on one side are told; what chance does to small sides is not."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.figures import Reported
from dataedge.measure.label_shift import label_shift, sentence


def measured(
    train: np.ndarray, held_out: np.ndarray, rows: int, items: int, seed: int, copies: int = 1
) -> Reported:
    """Sides drawn from these shares, every item `copies` times."""
    rng, K = np.random.default_rng(seed), len(train)
    sides = [rng.choice(K, n, p=p) for n, p in ((rows, train), (items, held_out))]
    clusters = [np.repeat(np.arange(len(y)), copies) for y in sides]
    doubled = [np.repeat(y, copies) for y in sides]
    return label_shift(*doubled, *clusters, [str(k) for k in range(K)], seed=seed)


def even(K: int) -> np.ndarray:
    return np.full(K, 1 / K)


def leading(K: int, share: float) -> np.ndarray:
    p = np.full(K, (1 - share) / (K - 1))
    p[0] = share
    return p


@pytest.mark.parametrize("copies", [1, 4])
@pytest.mark.parametrize(
    "shares", [even(2), leading(2, 0.85), leading(5, 0.4), even(77)], ids=["2", "rare", "5", "77"]
)
def test_sides_that_were_drawn_alike_are_not_reported(shares: np.ndarray, copies: int) -> None:
    """Four copies of each row would make chance look like a shift if they counted four times."""
    found = [measured(shares, shares, 48, 160, seed, copies) for seed in range(100)]
    assert np.mean([f.reported for f in found]) <= 0.03
    assert np.mean([f.detail["p"] <= 0.05 for f in found]) <= 0.11
    assert 0.0 <= np.mean([f.value for f in found]) < 0.04


@pytest.mark.parametrize(("K", "share"), [(2, 0.85), (5, 0.6), (3, 0.85)])
def test_rows_that_were_picked_evenly_are_reported(K: int, share: float) -> None:
    found = [measured(even(K), leading(K, share), 48, 160, seed) for seed in range(50)]
    assert np.mean([f.reported for f in found]) >= 0.95
    assert all(f.detail["label"] == "0" for f in found if K > 2)
    assert "of the held-out ones have" in sentence(next(f for f in found if f.reported))


def test_one_side_without_labels_is_not_measured() -> None:
    none, one = np.zeros(0, int), np.zeros(3, int)
    found = label_shift(none, one, none, one, ["a", "b"], seed=0)
    assert found.value is None
    assert sentence(found) == ""


def test_what_is_said_is_said_of_all_rows() -> None:
    """Sixty texts of one label in ten near copies each: rows are even on both sides, texts are not."""
    train = np.concatenate([np.zeros(600, int), np.ones(540, int)])
    clusters = np.concatenate([np.repeat(np.arange(60), 10), 60 + np.arange(540)])
    held, own = np.arange(200) % 2, np.arange(200)
    found = label_shift(train, held, clusters, own, ["spam", "ham"], seed=0)
    assert not found.reported
    assert found.detail["train_share"] == pytest.approx(0.5, abs=0.03)
