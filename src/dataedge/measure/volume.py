"""How much data there is: its tokens, and how evenly labels are spread."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure, mean_figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.integer[Any]]

_SHOWN = 5  # classes named at either end of the balance


def tokens(per_item: Ints, clusters: Ints, *, of: int | None = None, seed: int = 0) -> Figure:
    """Tokens of the distinct items, counted by the base model's own tokenizer.

    Exact where every item was counted; else the mean of a sample times the number of items, with
    the interval of that mean.

    Args:
        per_item: shape (m,), tokens of each item that was counted.
        clusters: shape (m,), near-duplicate clusters, for the interval of the mean.
        of: distinct items there are; m if None.
        seed: of the bootstrap.

    Example:
        >>> tokens(np.array([10, 20, 30]), np.arange(3)).value
        60.0
    """
    m = len(per_item)
    n = m if of is None else of
    if m == 0:
        return Figure.missing("no items to count", "tokens")
    if m == n:
        return Figure(float(per_item.sum()), n=n, unit="tokens")
    mean = mean_figure(per_item.astype(np.float64), clusters, unit="tokens", seed=seed)
    value, low, high = (None if v is None else v * n for v in (mean.value, mean.low, mean.high))
    return Figure(value, low, high, n, "tokens", detail={"counted_on": m})


def class_balance(labels: list[str], *, seed: int = 0) -> Figure:
    """Normalised entropy of the labels: 1 if all classes are equally frequent, 0 for one class.

    −Σ p log p / log K over the K classes that occur, with a bootstrap interval over rows; the
    detail has the number of classes and the counts of the smallest and largest. A resample's
    entropy falls short of the sample's by about (K − 1) / (2n) nats (Miller 1955), which is added
    back to the interval's ends.

    Example:
        >>> class_balance(["a", "b"] * 50).value
        1.0
        >>> class_balance(["a", "a"]).reason
        'one class only: there is nothing to tell apart'
    """
    if not labels:
        return Figure.missing("no labelled items", "share")
    found = Counter(labels)
    ranked = found.most_common()
    detail: dict[str, Any] = {
        "classes": len(found),
        "largest": dict(ranked[:_SHOWN]),
        "smallest": dict(reversed(ranked[-_SHOWN:])),
        "majority_share": ranked[0][1] / len(labels),
    }
    if len(found) < 2:
        reason = "one class only: there is nothing to tell apart"
        return Figure(0.0, n=len(labels), unit="share", reason=reason, detail=detail)
    names = {label: i for i, (label, _) in enumerate(ranked)}
    codes = np.array([names[label] for label in labels])
    K, n = len(found), len(labels)
    rng = np.random.default_rng(seed)
    value = _entropy(np.bincount(codes)[None, :])[0]
    drawn = rng.multinomial(n, np.bincount(codes) / n, size=2000)
    bias = (K - 1) / (2 * n)  # nats
    low, high = np.percentile(_entropy(drawn) + bias, [2.5, 97.5]) / math.log(K)
    value = min(float(value / math.log(K)), 1.0)
    low, high = min(float(low), value), min(max(float(high), value), 1.0)
    reason = ""
    if ranked[-1][1] < 5:
        few = sum(k < 5 for k in found.values())
        reason = f"{few} of {K} classes have fewer than 5 items"
    return Figure(value, low, high, n, "share", reason=reason, detail=detail)


def _entropy(table: Ints) -> NDArray[np.float64]:
    """Entropy in nats of each row of counts."""
    p = table / table.sum(1, keepdims=True)
    out: NDArray[np.float64] = -(p * np.log(np.where(p > 0, p, 1.0))).sum(1)
    return out
