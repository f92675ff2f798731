"""What the base model already knows of these items. Known is not seen: see exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure, bootstrap, mean_figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


def known_labels(
    bits_chance: Floats, bits_without: Floats, hits: Floats, clusters: Ints, *, seed: int
) -> Figure:
    """Share of the label's information that the base model has before it sees the data.

    1 − Σ bits(without) / Σ bits(chance), both out of sample; below 0 counts as 0 in the value's
    reading but is reported as measured. `detail.accuracy` is the share it labels right.

    Args:
        bits_chance: shape (n,), −log2 of the label prior.
        bits_without: shape (n,), −log2 p(label) of the best calibrated prompt.
        hits: shape (n,), 1 where that prompt is right.
        clusters: shape (n,).
        seed: of the bootstrap.

    Example:
        >>> one, half = np.ones(10), np.full(10, 0.5)
        >>> known_labels(one, half, one, np.arange(10), seed=0).value
        0.5
    """
    return _share(
        bits_chance - bits_without, bits_chance, clusters, seed, accuracy=float(np.mean(hits))
    )


def known_numbers(taken: Floats, whole: Floats, clusters: Ints, *, seed: int) -> Figure:
    """Share of the numbers' variance that the base model explains before it sees the data.

    Where development items showed no use in its answers, every answer is the train mean. That is no
    measurement of nothing: the figure is missing then.

    Args:
        taken: shape (n,), squared error that its answers take away from that of the train mean.
        whole: shape (n,), squared error of the train mean.
        clusters: shape (n,).
        seed: of the bootstrap.

    Example:
        >>> known_numbers(np.full(10, 0.5), np.ones(10), np.arange(10), seed=0).value
        0.5
    """
    if not taken.any():
        reason = "too few development items to tell whether it knows more than the train mean"
        return Figure.missing(reason, "share")
    return _share(taken, whole, clusters, seed)


def known_responses(without: Floats, with_: Floats, clusters: Ints, *, seed: int) -> Figure:
    """Share of what the prompt tells about the response that the base model knows already.

    [L_without(y) − L_without(y|x)] / [L_with(y) − L_with(y|x)], all in bits, see
    `ladder/prompt_information.py`.

    Args:
        without: shape (n,), what the prompt tells without the data.
        with_: shape (n,), with it.
        clusters: shape (n,).
        seed: of the bootstrap.
    """
    low = bootstrap(lambda w: w @ with_ / w.sum(axis=1), clusters, seed=seed)[0]
    if low <= 0:
        reason = "the prompt does not determine the response, so there is no share of it to know"
        return Figure.missing(reason, "share", "underpowered")
    return _share(without, with_, clusters, seed)


def _share(part: Floats, whole: Floats, clusters: Ints, seed: int, **detail: Any) -> Figure:
    if len(part) == 0 or whole.sum() <= 0:
        return Figure.missing("nothing to know: every label is the same", "share")
    return mean_figure(part, clusters, unit="share", seed=seed, weights=whole, **detail)


def surprisal(bits: Floats, size: Floats, clusters: Ints, *, seed: int, what: str) -> Figure:
    """Bits per byte of text under the base model without any demonstration.

    Args:
        bits: shape (n,), code length of each text.
        size: shape (n,), its length in bytes.
        clusters: shape (n,).
        seed: of the bootstrap.
        what: which text was measured, for the report.
    """
    good = np.isfinite(bits) & (size > 0)
    if not good.any():
        return Figure.missing("the model gives no log-probabilities of text", "bits/byte")
    return mean_figure(
        bits[good], clusters[good], unit="bits/byte", seed=seed, weights=size[good], what=what
    )
