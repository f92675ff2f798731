"""The features a learner works on: its blocks brought to one scale, and their moments.

Nothing as large as the data is copied: rows are transformed when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dataedge.engine.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

BLOCK = 4096  # rows per block, so that temporaries stay small


def blocks(n: int, times: int = 1) -> list[slice]:
    """Consecutive slices that cover n rows, each of so many blocks."""
    size = times * BLOCK
    return [slice(i, min(i + size, n)) for i in range(0, n, size)]


def gram(X: Floats) -> NDArray[np.float64]:
    """Xᵀ X in float64, by blocks, shape (d, d)."""
    out = np.zeros((X.shape[1], X.shape[1]))
    for rows in blocks(len(X)):
        block = X[rows].astype(np.float64)
        out += block.T @ block
    return out


@dataclass(frozen=True)
class Moments:
    """All that both classifiers need of their train items, summed block by block.

    Attributes:
        counts: shape (K,), items per class.
        sums: shape (K, d), sum of each class's rows.
        gram: shape (d, d), Xᵀ X.
        dtype: of the features.
    """

    counts: NDArray[np.float64]
    sums: NDArray[np.float64]
    gram: NDArray[np.float64]
    dtype: np.dtype[np.floating[Any]]

    @classmethod
    def of(cls, features: Callable[[Ints], Floats], rows: Ints, y: Ints, n_classes: int) -> Self:
        """Sum over train items.

        Args:
            features: maps m row numbers to their features (m, d).
            rows: shape (n,), the train items.
            y: shape (n,), their labels.
            n_classes: K.
        """
        from scipy.sparse import csr_array

        first = features(rows[:1])
        d = first.shape[1]
        sums, total = np.zeros((n_classes, d)), np.zeros((d, d))
        for block in blocks(len(rows)):
            X, m = features(rows[block]), len(rows[block])
            onehot = csr_array((np.ones(m, X.dtype), y[block], np.arange(m + 1)), (m, n_classes))
            sums += onehot.T @ X
            total += gram(X)
        counts = np.bincount(y, minlength=n_classes).astype(np.float64)
        return cls(counts, sums, total, first.dtype)


class FeatureMatrix:
    """Blocks of features, each centred and scaled to a mean squared norm of 1, side by side.

    Where there are fewer items than dimensions, rotated to what the items span.

    Args:
        X: shape (n, d), or a list of blocks (n, d_b), kept by reference.
    """

    def __init__(self, X: Floats | Sequence[Floats]) -> None:
        self._blocks = _as_blocks(X)
        self._means, self._scales = [], []
        self._rotation: Floats | None = None
        for block in self._blocks:
            mean = block.mean(0, dtype=np.float64).astype(np.float32)
            power = np.mean([np.square(block[r] - mean).sum(1).mean() for r in blocks(len(block))])
            self._means.append(mean)
            self._scales.append(np.float32(1.0 / np.sqrt(power) if power > 1e-12 else 0.0))
        if len(self._blocks[0]) < sum(block.shape[1] for block in self._blocks):
            with one_thread():
                self._rotation = np.linalg.qr(self.of(self._blocks).T)[0]

    def of(self, X: Floats | Sequence[Floats]) -> Floats:
        """Features of new items, shape (m, r)."""
        triples = zip(_as_blocks(X), self._means, self._scales, strict=True)
        parts = [(np.asarray(b, np.float32) - m) * s for b, m, s in triples]
        Z = parts[0] if len(parts) == 1 else np.hstack(parts)
        return Z if self._rotation is None else Z @ self._rotation

    def rows(self, rows: Ints) -> Floats:
        """Features of the items it was made of, shape (m, r)."""
        return self.of([block[rows] for block in self._blocks])

    def whiten(self, moments: Moments) -> None:
        """Settle the mild whitening of `unit` by the moments of all items."""
        with one_thread():
            variance, V = np.linalg.eigh(moments.gram / moments.counts.sum())
        scale = np.sqrt(np.maximum(variance, 0.0) + 10.0 * max(float(variance.mean()), 1e-12))
        self._whitening = (V / scale).astype(np.float32)

    def unit(self, Z: Floats) -> NDArray[np.float32]:
        """Unit vectors of features after a whitening, which spreads what all texts have in common."""
        white = Z @ self._whitening
        norms = np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-12)
        return np.ascontiguousarray(white / norms, np.float32)


def _as_blocks(X: Floats | Sequence[Floats]) -> list[Floats]:
    return [X] if isinstance(X, np.ndarray) else list(X)
