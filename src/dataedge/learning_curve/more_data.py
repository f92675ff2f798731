"""What more data would give: the learning curve of the train side, and what it foretells.

The curve is the closed-form learner's, on held-out folds of the train side; development and
evaluation items take no part. Its law says how much accuracy is gained at twice and four times the
data, and that gain stands on top of what `learned` reached on the evaluation items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.learning_curve.curve import geometric_sizes, learning_curve, rotating_splits
from dataedge.learning_curve.forecast import forecast
from dataedge.learning_curve.prequential import bits_learned, shuffled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from dataedge.learning_curve.curve import Curve
    from dataedge.learning_curve.forecast import Forecast

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

ROWS = 6200
"""Rows of a curve; of more, a sample of whole clusters."""
WIDTH = 512
"""Features up to which that many rows are taken; fewer of wider ones, so that the cost stays."""
FACTORS = (2, 4)


@dataclass(frozen=True)
class MoreData:
    """A learning curve and its forecast.

    Attributes:
        curve: of the learner alone.
        law: the forecast, or its reason to abstain.
        bits: bits learned, its shuffled-label control in the detail.
        train_items: of the audit, which 2× and 4× refer to.
    """

    curve: Curve
    law: Forecast
    bits: Figure
    train_items: int

    @property
    def next_doubling(self) -> Figure:
        """Accuracy that twice the train items would add, with its interval: what volume limits."""
        return self.gain(2)

    def rung(self, learned: Figure, base_weight: float = 0.0) -> Figure:
        """`more_data`: what `learned` would reach with twice the train items.

        Args:
            learned: that rung, on the evaluation items.
            base_weight: of the base model's opinion in it.

        Returns:
            Figure in accuracy, its interval that of `learned` and that of the gain together; the
            detail has the gain, `at_4x` and the curve. Refused where the curve is not extrapolated.
        """
        shown = {f"at_{f}x": self._reached(learned, f) for f in FACTORS}
        first = shown["at_2x"]
        how = f"forecast at {2 * self.train_items:,} train items, twice as many"
        if base_weight:
            how += "; this is the gain of the learner alone, an upper estimate where the base model helps"
        detail = {
            "how": how,
            "train_items": 2 * self.train_items,
            "gain": self.next_doubling.brief,
            "at_4x": shown["at_4x"].brief,
            "curve": self.points(),
        }
        return replace(first, detail=detail)

    def gain(self, factor: float) -> Figure:
        """Accuracy that the learner would gain with that many times the train items."""
        return self.law.gain(self.train_items, factor * self.train_items)

    def _reached(self, learned: Figure, factor: float) -> Figure:
        gain = self.gain(factor)
        if gain.value is None or gain.low is None or gain.high is None:
            return gain
        if learned.value is None or learned.low is None or learned.high is None:
            return Figure.missing(learned.reason or "nothing was learned", "accuracy")
        value = learned.value + gain.value
        below = np.hypot(learned.value - learned.low, gain.value - gain.low)
        above = np.hypot(learned.high - learned.value, gain.high - gain.value)
        low, middle, high = (
            min(max(float(v), 0.0), 1.0) for v in (value - below, value, value + above)
        )
        return Figure(middle, low, high, learned.n, "accuracy")

    def points(self) -> list[dict[str, float]]:
        """The curve, for a chart: train items, accuracy, bits per item."""
        columns = zip(
            self.curve.sizes, self.curve.accuracy.mean(0), self.curve.bits.mean(0), strict=True
        )
        return [
            {"train_items": float(n), "accuracy": float(a), "bits": float(b)} for n, a, b in columns
        ]

    def measures(self, target: Figure) -> dict[str, Figure]:
        """examples_needed for a target accuracy with its interval, and bits_learned."""
        return {"examples_needed": self._needed(target), "bits_learned": self.bits}

    def _needed(self, target: Figure) -> Figure:
        if target.value is None:
            return Figure.missing(target.reason, "items")
        if target.value > 1.0:
            reason = f"the target of {target.value:.3f} is above a perfect score"
            return Figure.missing(reason, "items", "refused")
        found = self.law.examples_for(target)
        detail = {**found.detail, "target": target.brief}
        smallest = float(self.curve.sizes[0]) if len(self.curve.sizes) else 0.0
        if found.value is not None and found.value <= smallest:
            reason = (
                f"{target.value:.3f} is reached with the smallest size measured: at most this many"
            )
            return replace(found, low=0.0, reason=reason, detail=detail)
        if found.low is not None and found.low <= smallest:
            return replace(found, low=0.0, detail=detail)
        return replace(found, detail=detail)


def edge_target(
    without_data: Figure, chance: Figure, delta: float, wanted: float | None = None
) -> Figure:
    """The accuracy that a learner has to reach: what the base model reaches without it, and δ.

    Args:
        without_data: that rung, with its interval.
        chance: that rung; the target never lies below it.
        delta: smallest gain worth having.
        wanted: a target of the user's own, which has no uncertainty.

    Example:
        >>> target = edge_target(Figure(0.4, 0.3, 0.5), Figure(0.45, 0.4, 0.5), 0.02)
        >>> round(target.value, 2), round(target.low, 2), round(target.high, 2)
        (0.47, 0.42, 0.52)
    """
    if chance.value is None or without_data.value is None:
        return Figure.missing(without_data.reason or chance.reason, "accuracy")
    if wanted is not None and wanted >= chance.value:
        return Figure(wanted, wanted, wanted, without_data.n, "accuracy")
    floor = chance if wanted is not None else without_data
    value = max(floor.value or 0.0, chance.value) + delta
    low, high = (
        max(a if a is not None else value - delta, b if b is not None else value - delta) + delta
        for a, b in ((floor.low, chance.low), (floor.high, chance.high))
    )
    reason = (
        "" if wanted is None else f"{wanted:g} is below chance, so the target is δ above chance"
    )
    return Figure(
        value, min(low, value), max(high, value), without_data.n, "accuracy", reason=reason
    )


def measure_more_data(
    features: Sequence[Floats],
    y: Ints,
    n_classes: int,
    clusters: Ints,
    *,
    seed: int,
    done: Callable[[int], None] | None = None,
) -> MoreData:
    """Learning curve, forecast and bits learned of train items.

    Args:
        features: blocks of shape (n, d_b), of the train items.
        y: shape (n,), their label codes.
        n_classes: K.
        clusters: shape (n,), near-duplicate clusters.
        seed: of sample, orders and draws.
        done: called with 1 after the curve, before its control.
    """
    rows = sample_clusters(clusters, _rows(features), seed)
    X, labels, own = [block[rows] for block in features], y[rows], clusters[rows]
    splits = rotating_splits(own, seed=seed)
    top = min(len(s.train) for s in splits)
    sizes = geometric_sizes(top, n_classes) if top else np.zeros(0, np.int64)
    curve = learning_curve(X, labels, n_classes, splits, clusters=own, sizes=sizes, seed=seed)
    if done is not None:
        done(1)
    dealt = shuffled(labels, seed=seed)
    coarse = sizes[::-1][::4][::-1]
    control = bits_learned(
        learning_curve(X, dealt, n_classes, splits, clusters=own, sizes=coarse, seed=seed),
        seed=seed,
    )
    bits = bits_learned(curve, seed=seed)
    bits = replace(bits, detail={**bits.detail, "shuffled_labels": control.brief})
    return MoreData(curve, forecast(curve, seed=seed), bits, len(y))


def sample_clusters(clusters: Ints, most: int, seed: int) -> Ints:
    """Positions of whole clusters, drawn at random until there are about so many; all if fewer."""
    if len(clusters) <= most:
        return np.arange(len(clusters))
    _, own = np.unique(clusters, return_inverse=True)
    order = np.random.default_rng(seed).permutation(int(own.max()) + 1)
    taken = np.cumsum(np.bincount(own)[order]) <= most
    chosen = np.zeros(len(order), bool)
    chosen[order[taken]] = True
    return np.flatnonzero(chosen[own])


def _rows(features: Sequence[Floats]) -> int:
    """How many rows keep the curve within seconds: the cost grows with the width."""
    width = sum(block.shape[1] for block in features)
    return int(ROWS * min(1.0, WIDTH / width))
