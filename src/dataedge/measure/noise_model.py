"""How labels go wrong: an error rate, a share of mix-ups between similar classes, which pairs.

The given label g of an item whose true label is k is k with probability 1 − ε; else, with
probability α, a class that is confused with k, and otherwise any other class. The learner's
out-of-sample probabilities stand in for k, so all of it is fitted to the given labels by
likelihood (a one-annotator form of Dawid & Skene 1979, with similarity as the prior).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dataedge.engine.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

_BLOCK = 4096
_DECAY = 0.7  # prior weight of the next most similar class, relative to the one before
_SHARPEN_ROWS = 2000
_FIT_ROWS = 20_000
_STEPS = 10
_ANCHORS = 0.2  # share of items, the surest, that are taken to be unambiguous
_MOST = 0.5  # noise rate above which labels could not be told from their opposite
_CERTAIN = 0.98  # how clear these are, on average
_TINY = 1e-12


@dataclass(frozen=True)
class NoiseModel:
    """A fitted noise model.

    Attributes:
        rate: ε, share of labels that are wrong.
        alike: α, share of the wrong ones that went to a confusable class.
        confusion: shape (K, K), row k: where a wrong label of true class k goes if confused.
        sharpness: exponent that undoes what noise in the training labels flattened.
    """

    rate: float
    alike: float
    confusion: Floats
    sharpness: float = 1.0

    @classmethod
    def fit(
        cls, proba: Floats, labels: Ints, *, smoothing: float, rounds: int = 1, seed: int = 0
    ) -> Self:
        """Expectation maximisation on up to 20,000 items.

        Args:
            proba: shape (n, K), out-of-sample probabilities.
            labels: shape (n,), given labels.
            smoothing: prior mix-ups per class that follow similarity alone.
            rounds: above 1, alternates with fitting the sharpness.
            seed: of the sample of items.
        """
        rows = np.random.default_rng(seed).permutation(len(labels))[:_FIT_ROWS]
        p, y = proba[rows], labels[rows]
        prior = _similar(p)
        found = cls(0.05, 0.5, prior)
        for step in range(rounds):
            if rounds > 1:
                found = cls._sharpened(found, p[:_SHARPEN_ROWS], y[:_SHARPEN_ROWS])
            sharp = sharpen(p, found.sharpness)
            prior = _similar(sharp) if step else prior
            found = cls._maximised(found, sharp, y, prior, smoothing)
        return cls._anchored(found, p, y, smoothing)

    def parts(self, proba: Floats, labels: Ints) -> tuple[Floats, Floats]:
        """Likelihood of the given labels if right and if wrong, both shape (n,)."""
        n, k = proba.shape
        right, wrong = np.empty(n), np.empty(n)
        for start in range(0, n, _BLOCK):
            rows = slice(start, start + _BLOCK)
            p, y = sharpen(proba[rows], self.sharpness), labels[rows]
            right[rows] = p[np.arange(len(y)), y]
            mixed = np.einsum("ij,ij->i", p, self.confusion.T[y])
            wrong[rows] = self.alike * mixed + (1 - self.alike) * (1 - right[rows]) / max(k - 1, 1)
        return right + _TINY, wrong + _TINY

    def log_odds(self, proba: Floats, labels: Ints) -> Floats:
        """Log-odds of right against wrong given labels, shape (n,)."""
        right, wrong = self.parts(proba, labels)
        rate = min(max(self.rate, 1e-6), 1 - 1e-6)
        out: Floats = np.log(right) - np.log(wrong) + np.log1p(-rate) - np.log(rate)
        return out

    def influence(self, proba: Floats, labels: Ints) -> Floats:
        """What each item's weight moves the rate by, times n: the score over its information."""
        right, wrong = self.parts(proba, labels)
        score = (wrong - right) / ((1 - self.rate) * right + self.rate * wrong)
        out: Floats = (score - score.mean()) / max(float(np.square(score).mean()), _TINY)
        return out

    def joint(self, proba: Floats, labels: Ints) -> Floats:
        """Joint share of (given, true) labels, shape (K, K), summing to 1."""
        n, k = proba.shape
        wrong = self.alike * self.confusion + (1 - self.alike) / max(k - 1, 1)
        given = self.rate * wrong  # row: true class
        np.fill_diagonal(given, 1 - self.rate)
        out = np.zeros((k, k))
        for start in range(0, n, _BLOCK):
            rows = slice(start, start + _BLOCK)
            true = sharpen(proba[rows], self.sharpness) * given.T[labels[rows]] + _TINY
            np.add.at(out, labels[rows], true / true.sum(1, keepdims=True))
        out /= n
        return out

    def _sharpened(self, p: Floats, y: Ints) -> Self:
        from scipy.optimize import minimize
        from scipy.special import expit, softmax

        index, k = np.arange(len(y)), p.shape[1]
        log_p = np.log(np.maximum(p, _TINY)).astype(np.float64)
        towards = self.confusion.T[y]

        def loss(theta: Floats) -> tuple[float, Floats]:
            t, rate, alike = np.exp(theta[0]), expit(theta[1]), expit(theta[2])
            q = softmax(t * log_p, axis=1)
            pull = log_p - np.einsum("ij,ij->i", q, log_p)[:, None]
            right, mixed = q[index, y], np.einsum("ij,ij->i", q, towards)
            d_right = t * right * pull[index, y]
            d_mixed = t * np.einsum("ij,ij,ij->i", q, towards, pull)
            other = (1 - right) / max(k - 1, 1)
            wrong = alike * mixed + (1 - alike) * other
            total = (1 - rate) * right + rate * wrong + _TINY
            d_other = -d_right / max(k - 1, 1)
            grad = (
                (1 - rate) * d_right + rate * (alike * d_mixed + (1 - alike) * d_other),
                (wrong - right) * rate * (1 - rate),
                rate * (mixed - other) * alike * (1 - alike),
            )
            return -float(np.log(total).mean()), np.array([-(g / total).mean() for g in grad])

        start = [np.log(self.sharpness) + 0.2, -2.0, 0.0]
        # with few classes, a flattening exponent would stand in for wrong labels
        box = [(-0.7 if k > 4 else 0.0, 2.0), (-9.0, 0.0), (-4.0, 4.0)]
        with one_thread():
            best = minimize(
                loss, start, jac=True, method="L-BFGS-B", bounds=box, options={"maxiter": 40}
            ).x
        return replace(
            self,
            sharpness=float(np.exp(best[0])),
            rate=float(expit(best[1])),
            alike=float(expit(best[2])),
        )

    def _anchored(self, p: Floats, y: Ints, smoothing: float) -> Self:
        """The same, unless the surest fifth of the items contradicts the rate.

        Where two classes are mixed up systematically, wrong labels and ambiguous texts have the
        same likelihood. What tells them apart is an assumption: the surest items are not
        ambiguous (anchor points, Liu & Tao 2016), so their disagreement with the label is noise.
        Where they disagree more often than not, it is the learner that errs.
        """
        top = p.max(1)
        sure = top >= np.quantile(top, 1 - _ANCHORS)
        share = float((p[sure].argmax(1) != y[sure]).mean())
        margin = 1.96 * np.sqrt(share * (1 - share) / sure.sum())
        if share - margin <= self.rate + 1 - _CERTAIN or share > _MOST:
            return self
        exponents = np.geomspace(1.0, 20.0, 25)
        clear = [float(sharpen(p[sure], t).max(1).mean()) >= _CERTAIN for t in exponents]
        found = replace(self, rate=share, alike=0.5)
        found = replace(found, sharpness=float(exponents[clear.index(True)] if any(clear) else 20))
        sharp = sharpen(p, found.sharpness)
        prior = _similar(sharp)
        found = replace(found, confusion=prior)
        return found._maximised(sharp, y, prior, smoothing, hold=True)  # noqa: SLF001

    def _maximised(
        self, p: Floats, y: Ints, prior: Floats, smoothing: float, *, hold: bool = False
    ) -> Self:
        """Ten steps of expectation maximisation; the rate stays if hold."""
        from scipy.sparse import csr_array

        n, k = p.shape
        right = p[np.arange(n), y].astype(np.float64)
        given = csr_array((np.ones(n, p.dtype), y, np.arange(n + 1)), (n, k)).T.tocsr()
        rate, alike, confusion = self.rate, min(max(self.alike, 0.02), 0.98), self.confusion
        for _ in range(_STEPS):
            towards = p * confusion.T[y].astype(p.dtype)
            mixed = towards.sum(1, dtype=np.float64)
            confused = rate * alike * mixed
            other = rate * (1 - alike) * (1 - right) / max(k - 1, 1)
            total = (1 - rate) * right + confused + other + _TINY
            found = float(((confused + other) / total).mean())
            alike = float((confused / total).mean() / max(found, _TINY))
            rate = rate if hold else found
            share = (confused / total / np.maximum(mixed, _TINY)).astype(p.dtype)
            moved = np.asarray(given @ (towards * share[:, None]), np.float64).T
            confusion = _rows(moved + smoothing * prior)
        return replace(self, rate=rate, alike=min(alike, 1.0), confusion=confusion)


def sharpen(p: Floats, exponent: float) -> Floats:
    """Probabilities raised to a power and normalised, shape (n, K)."""
    if exponent == 1.0:
        return p
    from scipy.special import softmax

    logits = np.float32(exponent) * np.log(np.maximum(p, _TINY))
    return np.asarray(softmax(logits, axis=1))


def _rows(matrix: Floats) -> Floats:
    """Without its diagonal, rows summing to 1."""
    matrix = matrix.astype(np.float64)
    np.fill_diagonal(matrix, 0.0)
    out: Floats = matrix / np.maximum(matrix.sum(1, keepdims=True), _TINY)
    return out


def _similar(p: Floats) -> Floats:
    """Prior of confusion: classes that share probability mass, by rank, shape (K, K)."""
    together = (p.T @ p).astype(np.float64)
    np.fill_diagonal(together, -1.0)
    rank = np.argsort(np.argsort(-together, axis=1, kind="stable"), axis=1, kind="stable")
    return _rows(_DECAY**rank)
