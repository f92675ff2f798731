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
