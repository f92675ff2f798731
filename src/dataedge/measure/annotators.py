"""Several annotators: how far they agree, what they would settle on, and how good each one is.

Krippendorff's α for nominal data, and CROWDLAB (Goh, Tkachenko & Mueller 2022, arXiv 2210.06812):
the learner's probabilities and every annotator's label are averaged with weights that say how much
better than the most frequent label each of them is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.figures import Figure, bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.int64]

_LEAST = 1e-6  # weight of an annotator or learner no better than the most frequent label
_FEW = 20  # items with two labels below which agreement is called underpowered


@dataclass(frozen=True)
class Crowd:
    """What several annotators' labels come to.

    Attributes:
        agreement: Krippendorff's α, with an interval; detail: quality per annotator.
        consensus: shape (n,), label code that labels and learner settle on; −1 without a label.
        quality: shape (n,), probability of the consensus; low where it is disputed. NaN without
            a label.
        label_quality: shape (n, A), probability of each given label; NaN where none is given.
        annotator_quality: shape (A,), in [0, 1]; NaN for an annotator without a label.
    """

    agreement: Figure
    consensus: Ints
    quality: Floats
    label_quality: Floats
    annotator_quality: Floats


def crowd(
    given: Ints,
    proba: Floats,
    *,
    names: Sequence[str],
    clusters: Ints | None = None,
    seed: int = 0,
) -> Crowd:
    """Agreement, consensus, and the quality of items, labels and annotators.

    Args:
        given: shape (n, A), label codes 0 … K − 1; −1 where an annotator gave none.
        proba: shape (n, K), out-of-sample probabilities of a learner.
        names: of the A annotators.
        clusters: shape (n,), near-duplicate clusters, the bootstrap's unit; items if None.
        seed: of the bootstrap.

    Example:
        >>> given = np.array([[0, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0]] * 10)
        >>> found = crowd(given, np.full((40, 2), 0.5), names=["a", "b", "c"])
        >>> found.consensus[:4].tolist(), bool(found.quality[1] < found.quality[0])
        ([0, 1, 1, 0], True)
    """
    given = np.asarray(given, np.int64)
    n, annotators = given.shape
    clusters = np.arange(n) if clusters is None else clusters
    labelled = np.flatnonzero((given >= 0).any(1))
    consensus, quality = np.full(n, -1, np.int64), np.full(n, np.nan)
    of_label, of_annotator = np.full((n, annotators), np.nan), np.full(annotators, np.nan)
    if len(labelled) and annotators and proba.shape[1] > 1:
        settled = crowdlab(given[labelled], np.asarray(proba, np.float64)[labelled])
        consensus[labelled], quality[labelled] = settled.labels, settled.quality
        of_label[labelled], of_annotator = settled.of_label, settled.of_annotator
    shown = {
        name: None if np.isnan(q) else float(q) for name, q in zip(names, of_annotator, strict=True)
    }
    figure = alpha(given, proba.shape[1], clusters, seed=seed, annotator_quality=shown)
    return Crowd(figure, consensus, quality, of_label, of_annotator)


def alpha(given: Ints, n_classes: int, clusters: Ints, *, seed: int = 0, **detail: Any) -> Figure:
    """Krippendorff's α, 1 − observed / expected disagreement, nominal (Krippendorff 2011).

    1 where all agree, 0 where they agree as often as chance would have it. Items with fewer than
    two labels do not count.

    Args:
        given: shape (n, A), label codes; −1 where there is none.
        n_classes: K.
        clusters: shape (n,), the bootstrap's unit.
        seed: of the bootstrap.
        detail: stored with the figure.
    """
    counts = np.stack([(given == c).sum(1) for c in range(n_classes)], 1).astype(np.float64)
    pairable = counts.sum(1) >= 2
    counts, clusters = counts[pairable], clusters[pairable]
    n = len(counts)
    if n == 0:
        return Figure.missing("no item has labels from two annotators", "alpha")
    if (counts.sum(0) > 0).sum() < 2:
        return Figure.missing(
            "all labels are the same, so there is nothing to disagree on", "alpha"
        )
    m = counts.sum(1)
    disagree = (m**2 - np.square(counts).sum(1)) / (m - 1)

    def statistic(w: NDArray[np.float64]) -> NDArray[np.float64]:
        total, each = w @ m, w @ counts
        expected = (total**2 - np.square(each).sum(1)) / (total - 1)
        ratio = np.divide(w @ disagree, expected, out=np.ones(len(w)), where=expected > 0)
        return np.asarray(1.0 - ratio)

    value = float(statistic(np.ones((1, n)))[0])
    low, high = bootstrap(statistic, clusters, seed=seed)
    detail |= {"items_with_several": n, "labels_per_item": float((given >= 0).sum(1).mean())}
    if n < _FEW:
        reason = f"only {n} items have labels from two annotators"
        return Figure(value, low, high, n, "alpha", "underpowered", reason, detail)
    return Figure(value, min(low, value), max(high, value), n, "alpha", detail=detail)


class Consensus(NamedTuple):
    """What annotators and learner settle on.

    Attributes:
        labels: shape (n,), codes.
        quality: shape (n,), probability of each.
        of_label: shape (n, A), probability of each given label; NaN where none is given.
        of_annotator: shape (A,), quality of each annotator.
    """

    labels: Ints
    quality: Floats
    of_label: Floats
    of_annotator: Floats


class _Posterior(NamedTuple):
    """Weighted mean of learner and annotators, shape (n, K), and the weights that went in."""

    proba: Floats
    learner: float
    annotators: Floats


def crowdlab(given: Ints, proba: Floats) -> Consensus:
    """Consensus and its quality, quality of each label, quality of each annotator.

    The majority vote (ties by the learner) is the first consensus; its posterior's most probable
    label is the second, whose posterior gives all qualities (section 3 of the paper).

    Args:
        given: shape (n, A), label codes, −1 where there is none; every row has one at least.
        proba: shape (n, K), out-of-sample probabilities of a learner.
    """
    rows = np.arange(len(given))
    votes = np.stack([(given == c).sum(1) for c in range(proba.shape[1])], 1)
    majority = (votes + 0.5 * proba / proba.max(1, keepdims=True)).argmax(1)
    posterior = _posterior(given, proba, majority).proba
    best = posterior.max(1)
    tied = (posterior == best[:, None]).sum(1) > 1
    consensus = np.where(tied, majority, posterior.argmax(1)).astype(np.int64)
    posterior, model, weights = _posterior(given, proba, consensus)
    there = given >= 0
    of_label = np.where(there, posterior[rows[:, None], np.maximum(given, 0)], np.nan)
    several = there.sum(1) > 1
    mine = there & several[:, None]
    with np.errstate(invalid="ignore"):
        agrees = ((given == consensus[:, None]) & mine).sum(0) / mine.sum(0)
        mean = np.nansum(of_label, 0) / there.sum(0)
    share = model / (model + weights.sum() * there.sum() / given.size)
    of_annotator = share * mean + (1 - share) * np.where(np.isnan(agrees), mean, agrees)
    return Consensus(consensus, posterior[rows, consensus], of_label, of_annotator)


def _posterior(given: Ints, proba: Floats, consensus: Ints) -> _Posterior:
    """The posterior under weights by agreement with this consensus, shape (n,)."""
    k, there = proba.shape[1], given >= 0
    several = there.sum(1) > 1
    if not several.any():
        several = np.ones(len(given), bool)
    settled = consensus[several]
    right = float(((given == consensus[:, None]) & there)[several].sum(1).astype(float)
                  @ (1.0 / there[several].sum(1)) / several.sum())  # fmt: skip
    wrong = (1.0 - right) / (k - 1)
    baseline = max(float((settled != np.bincount(settled).argmax()).mean()), _LEAST)
    weights = np.maximum(1.0 - (1.0 - _agreement(given)) / baseline, _LEAST)
    error = float((proba[several].argmax(1) != settled).mean())
    model = max(1.0 - error / baseline, _LEAST) * float(np.sqrt(there.sum(1).mean()))
    mixed = model * proba
    for a, weight in enumerate(weights):
        mine = there[:, a]
        said = np.full((int(mine.sum()), k), wrong)
        said[np.arange(len(said)), given[mine, a]] = right
        mixed[mine] += weight * said
    total = model + there @ weights
    return _Posterior(mixed / total[:, None], model, weights)


def _agreement(given: Ints) -> Floats:
    """How often each annotator agrees with the others, per pair of labels; the mean if never met."""
    there = given >= 0
    out = np.full(given.shape[1], np.nan)
    for a in range(given.shape[1]):
        both = there & there[:, [a]]
        both[:, a] = False
        if both.any():
            out[a] = ((given == given[:, [a]]) & both).sum() / both.sum()
    usual = float(np.nanmean(out)) if np.isfinite(out).any() else 1.0
    return np.where(np.isnan(out), usual, out)
