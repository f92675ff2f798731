"""Intervals for proportions and their paired differences, from few items as from many, in clusters.

The percentile bootstrap of paired hits is [0, 0] where all pairs agree, whatever the number of
pairs. A score interval is not: it asks which true differences the pairs found do not rule out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri, stdtrit

from dataedge.figures import Figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

_HALVINGS = 60


def tango(gained: float, lost: float, n: float, *, z: float) -> tuple[float, float]:
    """Tango's score interval (1998) for the difference of two paired proportions.

    All values θ whose score test is not rejected:
    |gained − lost − nθ| ≤ z √(n (2q + θ (1 − θ))), q being the likeliest probability of a lost
    pair under θ.

    Args:
        gained: pairs that only the first one has right; parts of a pair are allowed.
        lost: pairs that only the second one has right.
        n: pairs, > 0.
        z: quantile of the normal law, 1.96 for 95 %.

    Returns:
        Lower and upper end, within [−1, 1].

    Example:
        >>> low, high = tango(0, 0, 15, z=1.96)
        >>> round(low, 3), round(high, 3)
        (-0.204, 0.204)
    """
    difference = (gained - lost) / n

    def inside(theta: float) -> bool:
        a = 2.0 * n
        b = -gained - lost + (2.0 * n - gained + lost) * theta
        c = -lost * theta * (1.0 - theta)
        q = (np.sqrt(max(b * b - 4.0 * a * c, 0.0)) - b) / (2.0 * a)
        variance = n * (2.0 * q + theta * (1.0 - theta))
        return bool(abs(gained - lost - n * theta) <= z * np.sqrt(max(variance, 0.0)))

    ends = []
    for far in (-1.0, 1.0):
        near, end = difference, far
        for _ in range(_HALVINGS):
            middle = (near + end) / 2
            near, end = (middle, end) if inside(middle) else (near, middle)
        ends.append(near)
    return ends[0], ends[1]


def effective_pairs(differences: Floats, clusters: Ints, *, level: float = 0.95) -> float:
    """Independent pairs that as many clustered ones are worth.

    n / deff with deff = 1 + (m − 1) ρ, m = Σ m_c² / n the size of the cluster that a pair stands in
    and ρ the correlation within clusters by analysis of variance (Donner & Klar 2000), at least 0.
    Where it has to be estimated, the estimate's own error counts as in Korn & Graubard (1998): by
    (z / t)² with one degree of freedom fewer than there are clusters. Where no pair differs, nothing
    can be estimated and clusters count as wholly alike (ρ = 1).

    Args:
        differences: shape (n,), −1, 0 or 1 per pair.
        clusters: shape (n,), cluster of each pair.
        level: of the interval that it is for.

    Example:
        >>> effective_pairs(np.array([1.0, 0, 0, -1]), np.arange(4))
        4.0
        >>> effective_pairs(np.zeros(6), np.array([0, 0, 1, 1, 2, 2]))
        3.0
    """
    n = len(differences)
    _, inverse, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    k = len(sizes)
    if k == n:
        return float(n)
    size = float(np.square(sizes).sum()) / n
    if k == 1 or not np.ptp(differences):
        return n / size
    means = np.bincount(inverse, differences) / sizes
    between = float(sizes @ np.square(means - differences.mean())) / (k - 1)
    within = float(np.square(differences - means[inverse]).sum()) / (n - k)
    typical = (n - size) / (k - 1)
    rho = (between - within) / (between + (typical - 1.0) * within)
    worth = n / (1.0 + (size - 1.0) * min(max(rho, 0.0), 1.0))
    tail = (1.0 + level) / 2
    shrunk = worth * float(ndtri(tail) / stdtrit(k - 1, tail)) ** 2
    # a share of single pairs needs no estimate: what is added for it shrinks with them
    alone = float((sizes == 1).sum()) / n
    return alone * worth + (1.0 - alone) * shrunk


def paired_proportions(
    differences: Floats, clusters: Ints, *, unit: str, level: float = 0.95, **detail: Any
) -> Figure:
    """Difference of two proportions over the same items, with Tango's interval for clusters.

    Args:
        differences: shape (n,), first hit minus second per item: −1, 0 or 1. Fractions count as
            parts of a pair that differs, which makes the interval wider, never narrower.
        clusters: shape (n,), near-duplicate cluster of each item.
        unit: of the result.
        level: coverage of the interval.
        detail: stored with the figure.

    Example:
        >>> found = paired_proportions(np.zeros(15), np.arange(15), unit="accuracy")
        >>> found.value, round(found.high, 3)
        (0.0, 0.204)
    """
    n = len(differences)
    if n == 0:
        return Figure.missing("no items to measure on", unit)
    differences = np.asarray(differences, np.float64)
    worth = effective_pairs(differences, clusters, level=level)
    gained = float(np.maximum(differences, 0.0).mean())
    lost = float(np.maximum(-differences, 0.0).mean())
    z = float(ndtri((1.0 + level) / 2))
    low, high = tango(gained * worth, lost * worth, worth, z=z)
    value = float(differences.mean())
    return Figure(value, min(low, value), max(high, value), n, unit, detail=dict(detail))


def proportion(
    hits: Floats, clusters: Ints, *, unit: str, level: float = 0.95, **detail: Any
) -> Figure:
    """Share of hits with Wilson's interval (1927) for as many items as the clusters are worth.

    Args:
        hits: shape (n,), 0 or 1, or between: a mean of hits, for which the interval is wider.
        clusters: shape (n,), near-duplicate cluster of each item.
        unit: of the result.
        level: coverage of the interval.
        detail: stored with the figure.

    Example:
        >>> found = proportion(np.ones(15), np.arange(15), unit="accuracy")
        >>> found.value, round(found.low, 3)
        (1.0, 0.796)
    """
    n = len(hits)
    if n == 0:
        return Figure.missing("no items to measure on", unit)
    hits = np.asarray(hits, np.float64)
    worth = effective_pairs(hits, clusters, level=level)
    value, z2 = float(hits.mean()), float(ndtri((1.0 + level) / 2)) ** 2
    middle = (value + z2 / (2 * worth)) / (1 + z2 / worth)
    half = np.sqrt(z2 * (value * (1 - value) / worth + z2 / (4 * worth**2))) / (1 + z2 / worth)
    low, high = max(0.0, float(middle - half)), min(1.0, float(middle + half))
    return Figure(value, min(low, value), max(high, value), n, unit, detail=dict(detail))


def mean_of_classes(
    values: Floats,
    classes: Ints,
    clusters: Ints,
    *,
    unit: str,
    paired: bool,
    level: float = 0.95,
    **detail: Any,
) -> Figure:
    """Mean over classes of the mean within each: balanced accuracy, or a paired difference of two.

    Each class has its own interval (Tango's or Wilson's), and their squared distances from the values
    add up, the method of variance estimates recovery (Zou & Donner 2008). A class of few items
    widens the interval by what it leaves open, even where all of them agree. Where clusters stand in
    several classes, as an item with several labels does, the sum grows by their covariance.

    Args:
        values: shape (n,), hits, or differences of hits.
        classes: shape (n,), label code of each item; classes without an item do not count.
        clusters: shape (n,), near-duplicate cluster of each item.
        unit: of the result.
        paired: whether values are differences.
        level: coverage of the interval.
        detail: stored with the figure.

    Example:
        >>> hits, classes = np.array([1.0] * 90 + [0.0] * 10), np.repeat([0, 1], [90, 10])
        >>> found = mean_of_classes(hits, classes, np.arange(100), unit="balanced accuracy", paired=False)
        >>> found.value, round(found.low, 2), round(found.high, 2)
        (0.5, 0.48, 0.64)
    """
    if len(values) == 0:
        return Figure.missing("no items to measure on", unit)
    one = paired_proportions if paired else proportion
    each = [
        one(values[classes == k], clusters[classes == k], unit=unit, level=level)
        for k in np.unique(classes)
    ]
    value = float(np.mean([f.value for f in each]))
    below = np.array([(f.value or 0.0) - (f.low or 0.0) for f in each])
    above = np.array([(f.high or 0.0) - (f.value or 0.0) for f in each])
    share = float(np.sqrt(_across_classes(values, classes, clusters))) / len(each)
    low = max(value - float(np.sqrt(np.square(below).sum())) * share, -1.0 if paired else 0.0)
    high = min(value + float(np.sqrt(np.square(above).sum())) * share, 1.0)
    return Figure(value, low, high, len(values), unit, detail=dict(detail))


def _across_classes(values: Floats, classes: Ints, clusters: Ints) -> float:
    """By how much clusters that stand in several classes lift the variance of the mean over classes.

    The linearised variance with all of a cluster's items together, over that with each class by itself
    (Woodruff 1971); at least 1. Where no class varies, it cannot be estimated, and a cluster's items
    count as wholly alike.
    """
    _, group = np.unique(clusters, return_inverse=True)
    _, code, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    cell = code * (int(group.max()) + 1) + group
    _, first, within = np.unique(cell, return_index=True, return_inverse=True)
    most = float(np.bincount(group[first]).max())
    if most <= 1.0:
        return 1.0
    left = (values - (np.bincount(code, values) / sizes)[code]) / sizes[code]
    apart = float(np.square(np.bincount(within, left)).sum())
    together = float(np.square(np.bincount(group, left)).sum())
    return max(together / apart, 1.0) if apart > 0.0 else most
