"""Label quality: which given labels are suspect, why, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure, bootstrap, mean_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]
    Bools = NDArray[np.bool_]

TWIN = "conflicting twin"
NEIGHBOURS = "neighbours disagree"
LEARNER = "learner disagrees"
BASE = "base model disagrees"


@dataclass(frozen=True)
class LabelQuality:
    """Suspect labels per item, and the noise of the whole dataset.

    Attributes:
        p_given: shape (n,), out-of-sample probability of the given label.
        margin: shape (n,), p_given minus the largest probability of another label.
        score: shape (n,), in [0, 1], the one ranking score; low is suspect.
        proposed: shape (n,), the most probable label where it is not the given one, else the
            given one; a proposal for a person to confirm, never a correction.
        suspect: shape (n,), flagged for review.
        reason: n strings, empty where not suspect.
        noise: share of labels estimated to be wrong.
        conflicts: share of items whose twin carries another label.
        noise_matrix: shape (K, K), joint share of (given, estimated true) labels; sums to 1.
        confused: pairs (given, estimated true, items), most frequent first.
    """

    p_given: Floats
    margin: Floats
    score: Floats
    proposed: Ints
    suspect: Bools
    reason: tuple[str, ...]
    noise: Figure
    conflicts: Figure
    noise_matrix: Floats
    confused: tuple[tuple[str, str, int], ...]


def label_quality(
    proba: Floats,
    labels: Ints,
    *,
    clusters: Ints | None = None,
    label_names: Sequence[str] | None = None,
    twins: Ints | None = None,
    neighbour_proba: Floats | None = None,
    base_proba: Floats | None = None,
    seed: int = 0,
) -> LabelQuality:
    """Score given labels against out-of-sample probabilities.

    Args:
        proba: shape (n, K), out-of-sample probabilities (`Learner.loo_proba`).
        labels: shape (n,), given labels as codes.
        clusters: shape (n,), near-duplicate clusters, the bootstrap's unit; items if None.
        label_names: K names, for `confused`; codes as text if None.
        twins: shape (n,), group number of items with (nearly) the same input; none if None.
        neighbour_proba: shape (n, K), the neighbours' vote alone, to tell the reason.
        base_proba: shape (n, K), the base model's calibrated probabilities.
        seed: of the bootstrap.

    Example:
        >>> proba = np.array([[.9, .1], [.8, .2], [.2, .8], [.95, .05]] * 5)
        >>> found = label_quality(proba, np.array([0, 0, 1, 1] * 5))
        >>> found.suspect[:4], found.reason[3]
        (array([False, False, False,  True]), 'learner disagrees')
    """
    labels = np.asarray(labels, np.int64)
    n, k = proba.shape
    rows = np.arange(n)
    clusters = rows if clusters is None else clusters
    names = [str(c) for c in range(k)] if label_names is None else list(label_names)
    p_given = proba[rows, labels].astype(np.float64)
    others = proba.copy()
    others[rows, labels] = -1.0
    rival = others.argmax(1)
    p_rival = others[rows, rival].astype(np.float64)
    margin = p_given - p_rival
    score = (margin + 1.0) / 2.0
    estimated = _confident(proba, labels)
    suspect = (estimated != labels) & (margin < 0)
    conflict = _conflicts(labels, twins)
    noise = _noise(estimated != labels, clusters, seed)
    joint = np.zeros((k, k))
    np.add.at(joint, (labels, estimated), 1.0 / n)
    pairs = np.argwhere((joint > 0) & ~np.eye(k, dtype=bool))
    pairs = pairs[np.argsort(-joint[tuple(pairs.T)], kind="stable")]
    return LabelQuality(
        p_given,
        margin,
        score,
        np.where(margin < 0, rival, labels),
        suspect,
        _reasons(suspect, conflict, labels, neighbour_proba, base_proba, proba),
        noise,
        mean_figure(conflict.astype(np.float64), clusters, unit="share", seed=seed),
        joint,
        tuple((names[i], names[j], round(joint[i, j] * n)) for i, j in pairs),
    )


def _confident(proba: Floats, labels: Ints) -> Ints:
    """Estimated true label: the most probable one above its class's own mean confidence.

    Confident joint, Northcutt et al. 2021 (Confident Learning, section 3.1).
    """
    n, k = proba.shape
    rows = np.arange(n)
    count = np.bincount(labels, minlength=k)
    total = np.bincount(labels, weights=proba[rows, labels], minlength=k)
    threshold = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    above = np.where(proba >= threshold, proba, -1.0)
    best = above.argmax(1)
    return np.where(above[rows, best] >= 0, best, labels)


def _noise(wrong: Bools, clusters: Ints, seed: int) -> Figure:
    value = wrong.astype(np.float64)
    low, high = bootstrap(lambda w: (w @ value) / w.sum(1), clusters, seed=seed)
    return Figure(float(value.mean()), low, high, len(wrong), "share")


def _conflicts(labels: Ints, twins: Ints | None) -> Bools:
    """Items whose twin group carries more than one label."""
    if twins is None:
        return np.zeros(len(labels), bool)
    group = np.unique(twins, return_inverse=True)[1]
    low = np.full(group.max() + 1, labels.max() + 1)
    high = np.full(group.max() + 1, -1)
    np.minimum.at(low, group, labels)
    np.maximum.at(high, group, labels)
    return (low != high)[group]


def _reasons(
    suspect: Bools,
    conflict: Bools,
    labels: Ints,
    neighbour_proba: Floats | None,
    base_proba: Floats | None,
    proba: Floats,
) -> tuple[str, ...]:
    """The most direct evidence against each suspect."""
    reason = np.where(suspect, LEARNER, "").astype(object)
    if base_proba is not None:
        agrees = base_proba.argmax(1) == proba.argmax(1)
        reason[suspect & agrees & (base_proba.argmax(1) != labels)] = BASE
    if neighbour_proba is not None:
        reason[suspect & (neighbour_proba.argmax(1) != labels)] = NEIGHBOURS
    reason[suspect & conflict] = TWIN
    return tuple(reason)
