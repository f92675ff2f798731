"""Label quality: which given labels are suspect, why, and how many labels are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.figures import Figure, bootstrap
from dataedge.measure.noise_model import NoiseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

TWIN = "conflicting twin"
NEIGHBOURS = "neighbours disagree"
LEARNER = "learner disagrees"

_REFITS = 3
_FEW = 50  # items below which a noise rate is called underpowered
_NEAR, _FAR = 4.0, 26.0  # where log-odds and logits are cut off in the score
_BLOCK = 4096
_TINY = 1e-12
_BUCKETS = 500  # clusters are pooled at random into at most so many for the bootstrap


@dataclass(frozen=True)
class LabelQuality:
    """Suspect labels per item, and the noise of the whole dataset.

    Attributes:
        p_given: shape (n,), out-of-sample probability of the given label.
        margin: shape (n,), p_given minus the largest probability of another label.
        score: shape (n,), in [0, 1], the one ranking score; low is suspect.
        proposed: shape (n,), the most probable other label where the item is suspect or another
            label is more probable, else the given one; for a person to confirm, never applied.
        suspect: shape (n,), flagged for review.
        reason: n strings, empty where not suspect.
        noise: share of labels estimated to be wrong.
        conflicts: share of items whose twin carries another label.
        confused: pairs (given, true, items), most frequent first.
    """

    p_given: Floats
    margin: Floats
    score: Floats
    proposed: Ints
    suspect: Bools
    reason: tuple[str, ...]
    noise: Figure
    conflicts: Figure
    confused: tuple[tuple[str, str, int], ...]


def label_quality(
    proba: Floats,
    labels: Ints,
    *,
    clusters: Ints | None = None,
    label_names: Sequence[str] | None = None,
    twins: Ints | None = None,
    neighbour_labels: Ints | None = None,
    refit: Callable[[Bools], Floats] | None = None,
    seed: int = 0,
) -> LabelQuality:
    """Score given labels against out-of-sample probabilities.

    A noise model (`NoiseModel`) is fitted to the probabilities and the labels. Its suspects are
    left out of training, if refit is given, and the model is fitted to the geometric mean of what
    the learner says with them and without them; up to three times if that brings many more to
    light. The score weighs two orders by the share of mix-ups between similar classes: there, the
    log-odds that a label is right plus the margin; wrong labels drawn at random show in the
    tail of the given label's own probability.
    Flagged are as many of the lowest scores as the estimated rate says are wrong, as far as
    another label is more probable.

    Args:
        proba: shape (n, K), out-of-sample probabilities (`Learner.loo_core`).
        labels: shape (n,), given labels as codes.
        clusters: shape (n,), near-duplicate clusters, the bootstrap's unit; items if None.
        label_names: K names, for `confused`; codes as text if None.
        twins: shape (n,), group number of items with the same or nearly the same input.
        neighbour_labels: shape (n,), label that most neighbours carry, to tell the reason.
        refit: maps a mask of suspects (n,) to probabilities (n, K) learned without them
            (`Learner.refit_without`).
        seed: of samples and bootstrap.

    Example:
        >>> proba = np.array([[.9, .1], [.8, .2], [.2, .8], [.95, .05]] * 20)
        >>> found = label_quality(proba, np.array([0, 0, 1, 1] * 20))
        >>> found.suspect[:4], found.reason[3]
        (array([False, False, False,  True]), 'learner disagrees')
    """
    labels = np.asarray(labels, np.int64)
    n, k = proba.shape
    if n == 0:
        return _nothing()
    clusters = np.arange(n) if clusters is None else clusters
    names = [str(c) for c in range(k)] if label_names is None else list(label_names)
    noise_model = NoiseModel.fit(proba, labels, smoothing=16.0, rounds=3, seed=seed)
    if refit is not None:
        proba, noise_model = _relearned(proba, labels, noise_model, refit, seed)
    p_given, rival, margin = _margin(proba, labels)
    odds = noise_model.log_odds(proba, labels)
    score = _score(p_given, odds, margin, noise_model.alike)
    conflict = _conflicts(labels, twins)
    lowest = np.argsort(score, kind="stable")[: round(noise_model.rate * n)]
    suspect = np.zeros(n, bool)
    suspect[lowest] = (odds[lowest] < 0) | (margin[lowest] < 0)
    suspect |= conflict & (margin < 0)
    return LabelQuality(
        p_given,
        margin,
        score,
        np.where(suspect | (margin < 0), rival, labels),
        suspect,
        _reasons(suspect, conflict, labels, neighbour_labels),
        _noise(noise_model, proba, labels, clusters, seed),
        _share(conflict, clusters, seed),
        _confused(noise_model.joint(proba, labels) * n, names),
    )


def _relearned(
    proba: Floats,
    labels: Ints,
    noise_model: NoiseModel,
    refit: Callable[[Bools], Floats],
    seed: int,
) -> tuple[Floats, NoiseModel]:
    """Probabilities and noise model once suspects teach nothing; again if many more turn up.

    A learner that has forgotten the suspects says more clearly that they are wrong, and errs with
    more conviction; the mean of both, on the scale of logarithms, keeps the first and tempers the second.
    """
    count, first = 0, np.log(np.maximum(proba, _TINY))
    for _ in range(_REFITS):
        doubted = noise_model.log_odds(proba, labels) < 0
        if doubted.sum() <= 1.1 * count or doubted.sum() > 0.9 * len(labels):
            break
        count = int(doubted.sum())
        proba = _mean(first, refit(doubted))
        noise_model = NoiseModel.fit(proba, labels, smoothing=32.0, rounds=2, seed=seed)
    return proba, noise_model


def _mean(log_first: Floats, second: Floats) -> Floats:
    """Normalised geometric mean of probabilities, the first given as logarithms, shape (n, K)."""
    from scipy.special import softmax

    out = np.empty_like(second)
    for start in range(0, len(second), _BLOCK):
        rows = slice(start, start + _BLOCK)
        logits = 0.5 * (log_first[rows] + np.log(np.maximum(second[rows], _TINY)))
        out[rows] = softmax(logits, axis=1)
    return out


class _Margin(NamedTuple):
    """Probability of the given label, the most probable other label, their difference; (n,) each."""

    p_given: Floats
    rival: Ints
    margin: Floats


def _margin(proba: Floats, labels: Ints) -> _Margin:
    """How far each given label stands above or below the most probable other one."""
    n, k = proba.shape
    if k == 1:
        return _Margin(np.ones(n), labels, np.ones(n))
    p_given, margin = np.empty(n), np.empty(n)
    rival = np.empty(n, np.int64)
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        block = proba[rows].astype(np.float64)
        index = np.arange(len(block))
        p_given[rows] = block[index, labels[rows]]
        block[index, labels[rows]] = -1.0
        rival[rows] = block.argmax(1)
        margin[rows] = p_given[rows] - block[index, rival[rows]]
    return _Margin(p_given, rival, margin)


def _score(p_given: Floats, odds: Floats, margin: Floats, alike: float) -> Floats:
    """Of similar classes clipped log-odds and margin, else the clipped logit; in [0, 1]."""
    p = np.clip(p_given, _TINY, 1.0 - _TINY)
    logit = np.clip(np.log(p) - np.log1p(-p), -_FAR, _FAR) / _FAR
    similar = (np.clip(odds, -_NEAR, _NEAR) / _NEAR + margin) / 2.0
    random = (logit + 0.1 * margin) / 1.1
    score: Floats = (alike * similar + (1.0 - alike) * random + 1.0) / 2.0
    return score


def _noise(
    noise_model: NoiseModel, proba: Floats, labels: Ints, clusters: Ints, seed: int
) -> Figure:
    """The noise model's rate; the bootstrap moves it along each item's influence."""
    n = len(labels)
    values, counts = _pooled(noise_model.influence(proba, labels), clusters, seed)
    low, high = bootstrap(lambda w: (w @ values) / (w @ counts), np.arange(len(values)), seed=seed)
    rate = noise_model.rate
    low, high = min(max(rate + low, 0.0), rate), max(min(rate + high, 1.0), rate)
    detail = {"alike": round(noise_model.alike, 3), "sharpness": round(noise_model.sharpness, 3)}
    if n < _FEW:
        reason = f"{n} items are too few to estimate a rate of wrong labels"
        return Figure(rate, low, high, n, "share", "underpowered", reason, detail)
    return Figure(rate, low, high, n, "share", detail=detail)


def _pooled(values: Floats, clusters: Ints, seed: int) -> tuple[Floats, Floats]:
    """Sums and sizes of clusters, pooled at random where there are more than 500."""
    _, group = np.unique(clusters, return_inverse=True)
    count = int(group.max()) + 1
    if count > _BUCKETS:
        group = (np.random.default_rng(seed).permutation(count) % _BUCKETS)[group]
    sums = np.bincount(group, weights=values).astype(np.float64)
    sizes = np.bincount(group).astype(np.float64)
    return sums, sizes


def _share(hit: Bools, clusters: Ints, seed: int) -> Figure:
    if not hit.any():
        return Figure(0.0, 0.0, 0.0, len(hit), "share")
    values, counts = _pooled(hit.astype(np.float64), clusters, seed)
    low, high = bootstrap(lambda w: (w @ values) / (w @ counts), np.arange(len(values)), seed=seed)
    return Figure(float(hit.mean()), low, high, len(hit), "share")


def _conflicts(labels: Ints, twins: Ints | None) -> Bools:
    """Items whose twin group carries more than one label."""
    if twins is None:
        return np.zeros(len(labels), bool)
    _, group = np.unique(twins, return_inverse=True)
    low = np.full(int(group.max()) + 1, labels.max() + 1)
    high = np.full(int(group.max()) + 1, -1)
    np.minimum.at(low, group, labels)
    np.maximum.at(high, group, labels)
    conflict: Bools = (low != high)[group]
    return conflict


def _reasons(
    suspect: Bools,
    conflict: Bools,
    labels: Ints,
    neighbour_labels: Ints | None,
) -> tuple[str, ...]:
    """The most direct evidence against each suspect."""
    reason = np.where(suspect, LEARNER, "").astype(object)
    if neighbour_labels is not None:
        reason[suspect & (neighbour_labels != labels)] = NEIGHBOURS
    reason[suspect & conflict] = TWIN
    return tuple(reason)


def _confused(counts: Floats, names: Sequence[str]) -> tuple[tuple[str, str, int], ...]:
    """Pairs with at least half an item, most frequent first."""
    off = counts * ~np.eye(len(counts), dtype=bool)
    pairs = np.argwhere(off >= 0.5)
    order = np.argsort([-off[i, j] for i, j in pairs], kind="stable")
    return tuple((names[i], names[j], max(round(off[i, j]), 1)) for i, j in pairs[order])


def _nothing() -> LabelQuality:
    none, missing = np.zeros(0), Figure.missing("no labelled items", "share")
    whole, flags = np.zeros(0, np.int64), np.zeros(0, bool)
    return LabelQuality(none, none, none, whole, flags, (), missing, missing, ())
