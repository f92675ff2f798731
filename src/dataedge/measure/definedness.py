"""How far the input determines the output: near 0, many answers are acceptable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure, mean_figure
from dataedge.ladder.prompt_information import CodeLengths, without_prompt
from dataedge.ladder.task_style import Spread, carrying

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Defined(Figure):
    """How much the input tells about the output.

    Attributes:
        share: of the output's information, 0 to 1 and below 0 where the learner misleads.
    """

    share: float = 0.0

    @property
    def described(self) -> dict[str, Any]:
        """The detail and the share."""
        return {"share": self.share, **self.detail}


def of_labels(
    bits_chance: Floats,
    bits_learned: Floats,
    hits_shuffled: Floats,
    hits_chance: Floats,
    clusters: Ints,
    *,
    seed: int,
    bits_shuffled: Floats | None = None,
) -> Defined:
    """bits(chance) − bits(learned): what the input was shown to say about the label.

    Args:
        bits_chance: shape (n,), −log2 of the label prior.
        bits_learned: shape (n,), of the best learner that has seen the input.
        hits_shuffled: shape (n,), hits of the learner on shuffled labels (the control).
        hits_chance: shape (n,), hits of the majority label.
        clusters: shape (n,).
        seed: of the bootstrap.
        bits_shuffled: shape (n,), of the learner on shuffled labels; bits(chance) minus these is
            the control, which must be 0 within its interval.

    Example:
        >>> of_labels(np.ones(8), np.zeros(8), np.ones(8), np.ones(8), np.arange(8), seed=0).value
        1.0
    """
    control = mean_figure(hits_shuffled - hits_chance, clusters, unit="accuracy", seed=seed)
    found = mean_figure(
        bits_chance - bits_learned,
        clusters,
        unit="bits/item",
        seed=seed,
        shuffled_over_chance=control.value,
        shuffled_over_chance_low=control.low,
        **_control(
            "bits(chance) − bits(learned on shuffled labels)",
            None if bits_shuffled is None else bits_chance - bits_shuffled,
            np.ones(len(clusters)),
            clusters,
            seed,
        ),
    )
    return Defined(**vars(found), share=_ratio(bits_chance - bits_learned, bits_chance))


def of_numbers(
    taken: Floats, taken_shuffled: Floats, whole: Floats, clusters: Ints, *, seed: int
) -> Defined:
    """R² with the data: the share of the numbers' variance that the input was shown to say.

    Args:
        taken: shape (n,), squared error that the best use of the data takes away from the mean's.
        taken_shuffled: shape (n,), the same of a learner on shuffled numbers, the control, which must
            not be above 0 within its interval.
        whole: shape (n,), squared error of the train mean.
        clusters: shape (n,).
        seed: of the bootstrap.

    Example:
        >>> of_numbers(np.full(8, 0.5), np.zeros(8), np.ones(8), np.arange(8), seed=0).value
        0.5
    """
    control = _control("R² of a learner on shuffled numbers", taken_shuffled, whole, clusters, seed)
    found = mean_figure(taken, clusters, unit="R²", seed=seed, weights=whole, **control)
    return Defined(**vars(found), share=_ratio(taken, whole))


def of_responses(
    lengths: CodeLengths,
    behind: Floats,
    size: Floats,
    clusters: Ints,
    *,
    seed: int,
    errors: Sequence[Spread] = (),
) -> Defined:
    """L_with(y) − L_with(y|x) in bits per byte: what the prompt says about the response.

    Both are defined in `ladder/prompt_information.py`. The control is L_with(y) behind one half of the other
    prompts less that behind the other half, which take turns from item to item: it must be 0 within
    its interval.

    Args:
        lengths: shape (n,), bits of the response with the data, without its prompt and with it.
        behind: shape (n, D, P), behind P questions of other clusters in D contexts; NaN where the
            model failed.
        size: shape (n,), bytes of the response.
        clusters: shape (n,).
        seed: of the bootstrap.
        errors: by the draw of these questions and contexts.

    Example:
        >>> lengths, behind = CodeLengths(np.full(8, 14.0), np.full(8, 10.0)), np.full((8, 1, 4), 14.0)
        >>> found = of_responses(lengths, behind, np.full(8, 8.0), np.arange(8), seed=0)
        >>> found.value, found.detail["control"]["value"]
        (0.5, 0.0)
    """
    control: dict[str, Any] = {}
    number = behind.shape[2]
    if number > 1:
        turn = (np.arange(number) + np.arange(len(behind))[:, None]) % number < number // 2
        one, other = (
            np.mean(
                [without_prompt(np.where(half, b, np.nan)) for b in np.moveaxis(behind, 1, 0)], 0
            )
            for half in (turn, ~turn)
        )
        what = "L_with(y) behind half of the other prompts − behind the other half"
        control = _control(what, one - other, size, clusters, seed)
    found = mean_figure(
        lengths.information, clusters, unit="bits/byte", seed=seed, weights=size, **control
    )
    wide = carrying(found, errors)
    return Defined(
        **vars(replace(found, low=wide.low, high=wide.high)),
        share=_ratio(lengths.information, lengths.alone),
    )


def _control(
    what: str, difference: Floats | None, size: Floats, clusters: Ints, seed: int
) -> dict[str, Any]:
    """The same figure where there is nothing to find, for the detail; empty if not measured."""
    good = np.zeros(0, bool) if difference is None else np.isfinite(difference)
    if difference is None or not good.any():
        return {}
    found = mean_figure(difference[good], clusters[good], unit="", seed=seed, weights=size[good])
    return {
        "control": {
            "what": what,
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "n": found.n,
        }
    }


def _ratio(part: Floats, whole: Floats) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total > 0 else 0.0
