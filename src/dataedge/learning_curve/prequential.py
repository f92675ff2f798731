"""Bits learned: what the labels cost while they are learned, minus what stays unexplained.

Excess description length (arXiv 2601.04728): the prequential code of the train rows, each coded by
a learner that has seen only the rows before it, minus the same rows under the final learner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure, bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.learning_curve.curve import Curve

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

_WEIGHTS = np.array([0.01, 0.03, 0.1, 0.3, 0.6, 0.9, 1.0])  # of label frequencies in the code
_FORGET = 0.05  # share of the code's belief that is spread evenly at each new size


def bits_learned(curve: Curve, *, seed: int = 0) -> Figure:
    """What the learner took from the train rows: their code length minus what stays unexplained.

    Prequential code of the train rows, minus as many times the held-out bits under the learner
    of the largest size (excess description length, arXiv 2601.04728). Label frequencies count as
    known beforehand, so labels that have nothing to do with their inputs give 0. Blocks are coded
    by the learner of the size before them, which counts slightly more than row by row would.

    Returns:
        Figure in bits over the largest train size, with a cluster-bootstrap interval;
        `detail["per_item"]` is the mean per row.
    """
    rows = np.isfinite(curve.coded) & np.isfinite(curve.residual)
    if int(rows.sum()) < 2 or len(curve.sizes) == 0:
        return Figure.missing("no row was both learned from and held out", "bits")
    excess = (curve.coded - curve.residual)[rows]
    total = float(curve.sizes[-1])
    low, high = bootstrap(lambda w: (w @ excess) / w.sum(1), curve.clusters[rows], seed=seed)
    per_item = float(excess.mean())
    detail = {"per_item": per_item, "train_rows": total}
    return Figure(per_item * total, low * total, high * total, len(excess), "bits", detail=detail)


def shuffled(y: Ints, *, seed: int) -> Ints:
    """The same labels dealt out at random: the control in which nothing can be learned."""
    return np.random.default_rng(seed).permutation(y)


class Code:
    """Bayesian mixture of learner and label frequencies, updated row by row as they are coded.

    Its weights come only from rows that the learner had not seen, so the code is prequential; it
    costs at most log2 of the number of weights more than the best of them, for each size.
    """

    def __init__(self) -> None:
        self._belief = np.full(len(_WEIGHTS), 1.0 / len(_WEIGHTS))

    def price(self, given: Floats, frequency: Floats) -> Floats:
        """Bits of labels with these two probabilities, each shape (m,), without learning."""
        return -np.log2(self._belief @ _mixtures(given, frequency))

    def extend(self, given: Floats, frequency: Floats) -> Floats:
        """Bits of labels coded one after the other, the weights learned on the way."""
        start = (1 - _FORGET) * self._belief + _FORGET / len(_WEIGHTS)
        each = np.log(start)[:, None] + np.cumsum(np.log(_mixtures(given, frequency)), 1)
        each = np.column_stack([np.log(start), each])
        top = each.max(0)
        total = top + np.log(np.exp(each - top).sum(0))
        self._belief = np.exp(each[:, -1] - total[-1])
        spent: Floats = -np.diff(total) / np.log(2)
        return spent


def _mixtures(given: Floats, frequency: Floats) -> Floats:
    mixed: Floats = np.outer(1 - _WEIGHTS, given) + np.outer(_WEIGHTS, frequency)
    return mixed
