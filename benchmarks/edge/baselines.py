"""What others would foretell from: numbers of an arm without our prompts, our learner or a fine-tune."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.engine import unit_id

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.finished_audit import Audit

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ROUNDS = 11
"""Of the fixed-point iteration of LogME, as in its authors' code."""


class Side(NamedTuple):
    """Sentence vectors of labelled items, shape (n, d), and codes of their labels, shape (n,)."""

    vectors: Floats
    labels: Ints


def baselines(audit: Audit) -> dict[str, float | None]:
    """LogME, COSMOS's linear proxy and surprisal of an audited arm; the first two of labels alone."""
    surprisal = audit.measures["surprisal_bits_per_byte"].value
    if audit.report.dataset.task != "classify":
        return {"surprisal": surprisal, "logme": None, "linear_proxy": None}
    train, held = sides(audit)
    return {
        "surprisal": surprisal,
        "logme": logme(train.vectors, train.labels),
        "linear_proxy": linear_proxy(train, held),
    }


def sides(audit: Audit) -> tuple[Side, Side]:
    """Train and evaluation items with the vectors that the audit stored."""
    stored = dict(audit.sql("select unit, vector from stage_embed where error is null").fetchall())
    query = "select texts[1], target, side from items where target is not null order by row"
    items = audit.sql(query).fetchall()
    codes = {label: k for k, label in enumerate(sorted({target for _, target, _ in items}))}
    found: Any = defaultdict(lambda: ([], []))
    for text, target, side in items:
        found[side][0].append(stored[unit_id(text)])
        found[side][1].append(codes[target])
    train, held = (
        Side(np.array(found[s][0], float), np.array(found[s][1])) for s in ("train", "evaluation")
    )
    return train, held


def logme(features: Floats, labels: Ints) -> float:
    """Log of the maximum evidence of labels given features, per item, mean over classes.

    Bayesian linear regression of each class's indicator, its two precisions at their maximum (You et al.
    2021, "LogME: Practical Assessment of Pre-trained Models for Transfer Learning", algorithm 3).

    Args:
        features: shape (n, d).
        labels: shape (n,), codes.
    """
    n, d = features.shape
    u, s, _ = np.linalg.svd(features, full_matrices=False)
    eigen = np.square(s)
    found = []
    for label in np.unique(labels):
        y = (labels == label).astype(float)
        along = np.square(u.T @ y)
        left = float(y @ y - along.sum())
        alpha = beta = 1.0
        for _ in range(ROUNDS):
            shrink = alpha + beta * eigen
            gamma = float((beta * eigen / shrink).sum())
            weight = float((np.square(beta) * eigen * along / np.square(shrink)).sum())
            error = float((np.square(alpha) * along / np.square(shrink)).sum()) + max(left, 0.0)
            alpha = gamma / max(weight, 1e-12)
            beta = (n - gamma) / max(error, 1e-12)
        shrink = alpha + beta * eigen
        weight = float((np.square(beta) * eigen * along / np.square(shrink)).sum())
        error = float((np.square(alpha) * along / np.square(shrink)).sum()) + max(left, 0.0)
        log_determinant = float(np.log(shrink).sum()) + max(d - len(s), 0) * np.log(alpha)
        evidence = n * np.log(beta) + d * np.log(alpha) - n * np.log(2 * np.pi)
        evidence -= beta * error + alpha * weight + log_determinant
        found.append(evidence / 2 / n)
    return float(np.mean(found))


def linear_proxy(train: Side, held: Side) -> float:
    """Accuracy of a logistic regression on the vectors, COSMOS's stand-in for a fine-tune (2505.01449)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=2000).fit(train.vectors, train.labels)
    return float((model.predict(held.vectors) == held.labels).mean())
