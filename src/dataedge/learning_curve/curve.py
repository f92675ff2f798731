"""The learning curve: held-out accuracy and bits at geometric sizes, group-wise, several orders.

Held-out folds rotate, so that every row is judged once per five orders at every size; near-duplicate
clusters never straddle train and held-out rows. The same pass codes every row by a learner that has
seen only the rows before it (`code`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.learner.classifier import Learner
from dataedge.learning_curve.prequential_code import PrequentialCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

FOLDS = 5
_RATIO = 2**0.5  # between neighbouring sizes


@dataclass(frozen=True)
class Split:
    """One order: train rows as they are learned from, and the rows held out from all of them."""

    train: Ints
    held: Ints


@dataclass(frozen=True)
class Curve:
    """CurvePoints of a learning curve, and the code lengths behind its bits learned.

    Attributes:
        sizes: shape (S,), train rows, mean of the orders (cuts fall between clusters).
        accuracy: shape (R, S), share of held-out rows whose label is the most probable, per order.
        bits: shape (R, S), mean −log2 p(label) of the held-out rows.
        coded: shape (n,), mean bits of each row coded by the learner of the rows before it;
            NaN for rows that no order learned from.
        residual: shape (n,), mean bits of each row held out from the learner of the largest size;
            NaN for rows that no order held out.
        clusters: shape (n,), the near-duplicate cluster of each row.
        late: shape (S,), share of rows whose class no train row has yet, beyond what random order
            would give, mean of the orders.
        n_classes: K.
        independent: orders whose held-out rows do not overlap; more orders than this repeat them.
    """

    sizes: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    bits: NDArray[np.float64]
    coded: NDArray[np.float64]
    residual: NDArray[np.float64]
    clusters: Ints
    late: NDArray[np.float64]
    n_classes: int
    independent: int = FOLDS


def rotating_splits(clusters: Ints, *, orders: int = FOLDS, seed: int = 0) -> list[Split]:
    """Orders of whole clusters in which each fifth of the rows is held out in its turn.

    Args:
        clusters: shape (n,), near-duplicate cluster of each row.
        orders: how many; every five cover all rows once as held-out.
        seed: of the permutations.

    Example:
        >>> splits = rotating_splits(np.arange(10))
        >>> sorted(int(i) for s in splits for i in s.held) == list(range(10))
        True
    """
    rng = np.random.default_rng(seed)
    _, own = np.unique(clusters, return_inverse=True)
    k = int(own.max()) + 1
    splits = []
    for order in range(orders):
        if order % FOLDS == 0:
            fold = _balanced_folds(own, rng.permutation(k))
        rank = rng.permutation(k)
        rows = np.lexsort((own, rank[own]))
        held = fold[own[rows]] == order % FOLDS
        splits.append(Split(rows[~held], np.sort(rows[held])))
    return splits


def geometric_sizes(n: int, n_classes: int) -> NDArray[np.int64]:
    """Train sizes up to n, √2 apart, from two rows per class (at least 16 and n / 32).

    Example:
        >>> geometric_sizes(128, 2).tolist()
        [16, 23, 32, 45, 64, 91, 128]
    """
    low = max(16.0, 2.0 * n_classes, n / 32)
    steps = max(int(np.log(n / low) / np.log(_RATIO) + 1e-9), 0) if n > low else 0
    return np.round(n / _RATIO ** np.arange(steps, -1, -1)).astype(np.int64)


def learning_curve(
    X: Floats | Sequence[Floats],
    y: Ints,
    n_classes: int,
    splits: Sequence[Split],
    *,
    clusters: Ints | None = None,
    sizes: Ints | None = None,
    seed: int = 0,
) -> Curve:
    """Fit the closed-form learner at every size of every order and judge it on held-out rows.

    Penalties are chosen once per size, by the first order, and taken over by the others.

    Args:
        X: shape (n, d), or a list of blocks, as `Learner.fit` takes it.
        y: shape (n,), label codes 0 … n_classes − 1.
        n_classes: K ≥ 2.
        splits: the orders, see `rotating_splits`.
        clusters: shape (n,), near-duplicate clusters; every row its own if None.
        sizes: increasing train sizes; `geometric_sizes` of the smallest train side if None.
        seed: passed to the learner.
    """
    y = np.asarray(y, np.int64)
    own = np.arange(len(y)) if clusters is None else np.asarray(clusters)
    if sizes is None:
        sizes = geometric_sizes(min(len(s.train) for s in splits), n_classes)
    prior = (np.bincount(y, minlength=n_classes) + 0.5) / (len(y) + 0.5 * n_classes)
    reached, late = np.zeros((2, len(splits), len(sizes)))
    accuracy, bits = np.zeros_like(reached), np.zeros_like(reached)
    coded, residual = _Mean(len(y)), _Mean(len(y))
    like: dict[int, Learner] = {}
    for r, split in enumerate(splits):
        cuts = _cuts(own[split.train], sizes)
        code = PrequentialCode()
        coded.add(split.train[: cuts[0]], -np.log2(prior[y[split.train[: cuts[0]]]]))
        for s, cut in enumerate(cuts):
            seen = split.train[:cut]
            coming = split.train[cut : cuts[s + 1]] if s + 1 < len(cuts) else split.train[:0]
            rows = np.concatenate([split.held, coming])
            learner = Learner().fit(
                _take(X, seen), y[seen], n_classes, clusters=own[seen], seed=seed, like=like.get(s)
            )
            like.setdefault(s, learner)
            p = np.asarray(learner.predict_proba(_take(X, rows)), np.float64)
            given = p[np.arange(len(rows)), y[rows]]
            m = len(split.held)
            accuracy[r, s] = float((p[:m].argmax(1) == y[split.held]).mean())
            held_bits = code.bits(given[:m], prior[y[split.held]])
            bits[r, s] = float(held_bits.mean())
            coded.add(coming, code.encode(given[m:], prior[y[coming]]))
            reached[r, s] = cut
            late[r, s] = _late(y[split.train], own[split.train], cut, n_classes)
        residual.add(split.held, held_bits)
    return Curve(
        reached.mean(0),
        accuracy,
        bits,
        coded.value,
        residual.value,
        own,
        late.mean(0),
        n_classes,
        independent=min(len(splits), FOLDS),
    )


def _late(y: Ints, clusters: Ints, cut: int, n_classes: int) -> float:
    """Share of rows in classes that y[:cut] lacks, minus what a random order would lack."""
    total, seen = np.bincount(y, minlength=n_classes), np.bincount(y[:cut], minlength=n_classes)
    own = np.unique(clusters, return_inverse=True)[1]
    places = np.bincount(np.unique(own * n_classes + y) % n_classes, minlength=n_classes)
    expected = total @ (1.0 - cut / len(y)) ** places
    return float((total[seen == 0].sum() - expected) / len(y))


class _Mean:
    """Running mean per row; NaN where nothing was added."""

    def __init__(self, n: int) -> None:
        self._sum, self._count = np.zeros(n), np.zeros(n)

    def add(self, rows: Ints, values: Floats) -> None:
        self._sum[rows] += values
        self._count[rows] += 1

    @property
    def value(self) -> NDArray[np.float64]:
        return np.where(self._count > 0, self._sum / np.maximum(self._count, 1), np.nan)


def _take(X: Floats | Sequence[Floats], rows: Ints) -> Floats | list[Floats]:
    return X[rows] if isinstance(X, np.ndarray) else [block[rows] for block in X]


def _balanced_folds(own: Ints, order: Ints) -> Ints:
    """Fold of each cluster: clusters in the given order, cut into five parts of equal rows."""
    rows = np.bincount(own)[order]
    middle = np.cumsum(rows) - rows / 2
    fold = np.empty(len(order), np.int64)
    fold[order] = np.minimum(middle * FOLDS / rows.sum(), FOLDS - 1).astype(np.int64)
    return fold


def _cuts(clusters: Ints, sizes: Ints) -> list[int]:
    """For each size the nearest position at which no cluster is cut in two."""
    ends = np.append(np.flatnonzero(np.diff(clusters)) + 1, len(clusters))
    return [int(ends[np.abs(ends - size).argmin()]) for size in sizes]
