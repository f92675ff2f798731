"""How much data there is: rows, distinct items, tokens, and how evenly labels are spread."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure, mean_figure
from dataedge.items import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.items import Dataset

    Ints = NDArray[np.integer[Any]]

_SHOWN = 5  # classes named at either end of the balance


def counts(dataset: Dataset) -> dict[str, Figure]:
    """Exact counts: rows read, distinct items, unlabelled items, and classes where there are any.

    Example:
        >>> from dataedge.items import Dataset, Item
        >>> items = (Item(("a",), "x", row=1, count=2), Item(("b",), "y", row=3))
        >>> found = counts(Dataset("d", Task.CLASSIFY, items, rows=3, columns={}))
        >>> {name: figure.value for name, figure in found.items()}
        {'rows': 3.0, 'items': 2.0, 'unlabelled': 0.0, 'classes': 2.0}
    """
    n = len(dataset.items)
    missing = sum(item.label_missing for item in dataset.items)
    out = {
        "rows": _count(dataset.rows, dataset.rows, "rows"),
        "items": _count(n, dataset.rows, "items"),
        "unlabelled": _count(missing, n, "items"),
    }
    if dataset.task is Task.CLASSIFY:
        out["classes"] = _count(len(dataset.labels), n - missing, "classes")
    return out


def tokens(
    per_item: Ints, clusters: Ints, *, repeats: Ints | None = None, seed: int = 0
) -> dict[str, Figure]:
    """Total and mean tokens, counted by the base model's own tokenizer.

    Args:
        per_item: shape (n,), tokens of each distinct item (`BaseModel.count_tokens`).
        clusters: shape (n,), near-duplicate clusters, for the interval of the mean.
        repeats: shape (n,), rows that each item stands for; 1 if None.
        seed: of the bootstrap.

    Returns:
        `total` over all rows (exact), `distinct` over distinct items (exact), `mean` per item with
        its interval and the median, 95th percentile and longest in its detail.
    """
    n = len(per_item)
    if n == 0:
        none = Figure.missing("no items to count", "tokens")
        return {"total": none, "distinct": none, "mean": none}
    weights = np.ones(n, np.int64) if repeats is None else np.asarray(repeats, np.int64)
    middle, long, most = np.percentile(per_item, [50, 95, 100])
    return {
        "total": _count(int(per_item @ weights), int(weights.sum()), "tokens"),
        "distinct": _count(int(per_item.sum()), n, "tokens"),
        "mean": mean_figure(
            per_item.astype(np.float64),
            clusters,
            unit="tokens",
            seed=seed,
            median=float(middle),
            p95=float(long),
            longest=int(most),
        ),
    }


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


def _count(value: int, n: int, unit: str) -> Figure:
    return Figure(float(value), n=n, unit=unit)
