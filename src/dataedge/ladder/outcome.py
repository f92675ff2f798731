"""What one way of answering reached, item by item, and choices among several on development items."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.prompt.search import Trial, rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.prompt.templates import Strategy


@dataclass(frozen=True)
class Outcome:
    """What one way of answering reached on the evaluation items.

    Attributes:
        how: in words: template, demonstrations, calibration, learner.
        development: the same on development items; what choices are made on. None for chance.
        gain: shape (n,), per evaluation item: hits, or −bits.
        bits: shape (n,), code length of the right answer.
        prompt_tokens: mean tokens per request, None where no model is asked.
        detail: stored with the rung.
        same_as: the rung that this one is, where it is the better of others.
        base_weight: of the base model's opinion, where it is mixed into a learner's.
        balanced: shape (n,), hits of the label that is likeliest beyond its frequency, which is the
            best answer where every label counts alike; None where that is the same or not known.
        predicted: shape (n,), numbers that were answered, in the label's unit; None where labels or
            texts are.
    """

    how: str
    development: Trial[Any] | None
    gain: NDArray[np.float64]
    bits: NDArray[np.float64]
    prompt_tokens: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    same_as: str = ""
    base_weight: float = 0.0
    balanced: NDArray[np.float64] | None = None
    strategy: Strategy | None = None
    """The prompt, where it is a single one."""
    predicted: NDArray[np.float64] | None = None


def better(outcomes: dict[str, Outcome], rungs: tuple[str, ...]) -> str:
    """The rung that development items put first; the earlier one on a tie."""
    reached = [r for r in rungs if r in outcomes]
    trials = {r: outcomes[r].development for r in reached}
    first = rank([t for t in trials.values() if t is not None])[0]
    return next(r for r in reached if trials[r] is first)


def choose(outcomes: dict[str, Outcome], rung: str, among: tuple[str, ...]) -> None:
    """Add a rung that is the better of others, chosen on development items."""
    chosen = better(outcomes, among)
    detail = {**outcomes[chosen].detail, "is": chosen}
    outcomes[rung] = replace(outcomes[chosen], detail=detail, same_as=chosen)


def valid_items(outcomes: dict[str, Outcome]) -> NDArray[np.bool_]:
    """Evaluation items on which every rung has an answer."""
    masks = [np.isfinite(o.gain) & np.isfinite(o.bits) for o in outcomes.values()]
    return np.asarray(np.all(masks, axis=0))


def keep(outcomes: dict[str, Outcome], mask: NDArray[np.bool_]) -> dict[str, Outcome]:
    """The same outcomes on fewer items."""
    return {
        r: replace(
            o,
            gain=o.gain[mask],
            bits=o.bits[mask],
            balanced=None if o.balanced is None else o.balanced[mask],
            predicted=None if o.predicted is None else o.predicted[mask],
        )
        for r, o in outcomes.items()
    }
