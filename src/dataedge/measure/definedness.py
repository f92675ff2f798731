"""How far the input determines the output: near 0, many answers are acceptable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataedge.figures import Figure, mean_figure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


def of_labels(
    bits_chance: Floats,
    bits_learned: Floats,
    hits_shuffled: Floats,
    hits_chance: Floats,
    clusters: Ints,
    *,
    seed: int,
) -> Figure:
    """bits(chance) − bits(learned): what the input was shown to say about the label.

    Args:
        bits_chance: shape (n,), −log2 of the label prior.
        bits_learned: shape (n,), of the best learner that has seen the input.
        hits_shuffled: shape (n,), hits of the learner on shuffled labels (the control).
        hits_chance: shape (n,), hits of the majority label.
        clusters: shape (n,).
        seed: of the bootstrap.

    Example:
        >>> import numpy as np
        >>> of_labels(np.ones(8), np.zeros(8), np.ones(8), np.ones(8), np.arange(8), seed=0).value
        1.0
    """
    control = mean_figure(hits_shuffled - hits_chance, clusters, unit="accuracy", seed=seed)
    return mean_figure(
        bits_chance - bits_learned,
        clusters,
        unit="bits/item",
        seed=seed,
        share=_ratio(bits_chance - bits_learned, bits_chance),
        shuffled_over_chance=control.value,
        shuffled_over_chance_low=control.low,
    )


def of_responses(
    with_: Floats, with_other: Floats, size: Floats, clusters: Ints, *, seed: int
) -> Figure:
    """L_with(y|x') − L_with(y|x) in bits per byte: what the prompt says about the response.

    Args:
        with_: shape (n,), bits of the response with the data, under its own prompt.
        with_other: shape (n,), under another item's prompt.
        size: shape (n,), bytes of the response.
        clusters: shape (n,).
        seed: of the bootstrap.
    """
    told = with_other - with_
    share = _ratio(told, with_other)
    return mean_figure(told, clusters, unit="bits/byte", seed=seed, weights=size, share=share)


def _ratio(part: Floats, whole: Floats) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total > 0 else 0.0
