"""What limits the edge: gains that could be recovered, in the edge's own unit, each with an interval.

Four lacks are compared, because each has a figure of the same kind: what would be gained without it.
What is left to a perfect score beyond them is called unexplained. It may be the learner's weakness,
and is no evidence that the task is not defined.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataedge.figures import Figure, bootstrap
from dataedge.ladder.rungs import Repaired
from dataedge.ladder.units import BITS, R2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from dataedge.ladder.rungs import Rungs
    from dataedge.learning_curve.checks import CurvePoints
    from dataedge.learning_curve.forecast import Forecast

Limit = Literal["novelty", "volume", "label_quality", "definedness", "unexplained"]

_DOUBLINGS = 3
"""Doublings of the train side that a curve must span before its end is believed to be in sight."""
_SURE = 3.84
"""Fall in twice the log-likelihood at which the 95 % interval of one parameter ends."""
_TOLERANCE = 0.004
"""What a law may miss at the largest size, as a share of the scale; more below it."""


def named(limits: Mapping[Limit, Figure], delta: float) -> Limit | None:
    """The largest gain that is surely above δ; else `unexplained` if that is; else None.

    Args:
        limits: recoverable gain per limit, `unexplained` among them where it can be told.
        delta: smallest gain worth having.

    Example:
        >>> sure, open_ = Figure(0.1, 0.05, 0.15), Figure(0.3, -0.1, 0.7)
        >>> named({"volume": sure, "label_quality": open_}, 0.02)
        'volume'
    """
    sure: dict[Limit, float] = {
        name: figure.value
        for name, figure in limits.items()
        if figure.status == "ok"
        and figure.value is not None
        and figure.low is not None
        and figure.low > delta
    }
    recoverable: dict[Limit, float] = {n: v for n, v in sure.items() if n != "unexplained"}
    among = recoverable or sure
    return max(among, key=lambda name: among[name], default=None)


def label_quality(repaired: Figure) -> Figure:
    """Paired gain of learning without the suspect train labels, from the rung `repaired`."""
    gain = repaired.gain if isinstance(repaired, Repaired) else None
    if repaired.value is None or gain is None or gain.low is None or gain.high is None:
        return Figure.missing(repaired.reason or "nothing was repaired", repaired.unit)
    return gain


def novelty(known: Figure, left: Figure) -> Figure:
    """What the base model has already, where surely more of it than is left to gain.

    Args:
        known: gain of the base model without the data over chance: what new data would still give.
        left: what the best use of the data could add to it at most.

    Returns:
        `known`, or the reason why novelty does not limit.
    """
    if known.value is None or left.value is None:
        return Figure.missing(known.reason or left.reason, known.unit)
    if known.low is None or left.high is None or left.high >= known.low:
        reason = "as much is left to gain as the base model has already, or more"
        return Figure.missing(reason, known.unit)
    return known


def error_of_disagreement(disagreement: Figure) -> Figure:
    """Least error of any answer to inputs whose outputs disagree this often: half as much.

    Two draws from the same input's outputs differ with probability 1 − Σ p²; the best single answer
    is wrong with probability 1 − max p, which is at least half of it (Cover & Hart 1967).

    Args:
        disagreement: share of pairs that differ, see `measure.disagreement`.

    Example:
        >>> error_of_disagreement(Figure(0.4, 0.3, 0.5, 200, "share")).value
        0.2
    """
    if disagreement.status != "ok" or disagreement.value is None:
        return Figure.missing(disagreement.reason, "accuracy")
    ends = (disagreement.value, disagreement.low, disagreement.high)
    value, low, high = (None if v is None else v / 2 for v in ends)
    return Figure(value, low, high, disagreement.n, "accuracy")


def error_at_the_end(law: Forecast) -> Figure:
    """Error that the learning curve comes down to, where the points rule out that it goes on to 0.

    Profile likelihood over the law's grid: the floors whose best fit is within the 95 % bound of the
    best of all. Refused where a curve without a floor is among them, or where the curve spans fewer
    than three doublings.
    """
    if law.fitted is None or law.reason:
        return Figure.missing(law.reason, "accuracy", "refused")
    points, fitted = law.points, law.fitted
    if points.sizes[-1] < 2**_DOUBLINGS * points.sizes[0] * 0.9:
        reason = "the learning curve is too short to show where it levels off"
        return Figure.missing(reason, "accuracy", "refused")
    floor = fitted.asymptote
    misfit = _misfit(points, fitted.values(points.sizes))
    within = floor[misfit <= misfit.min() + _SURE]
    if within.min() <= 0.0:
        reason = "the learning curve may go on to a perfect score"
        return Figure.missing(reason, "accuracy", "refused")
    value = float(floor[misfit.argmin()])
    return Figure(
        value, float(within.min()), float(within.max()), int(points.sizes[-1]), "accuracy"
    )


def _misfit(points: CurvePoints, values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Twice the negative log-likelihood of each grid point, up to a constant, shape (G,)."""
    share = points.sizes / points.sizes[-1]
    spread = np.square(points.own) + np.square(_TOLERANCE * points.scale / share)
    out: NDArray[np.floating[Any]] = (np.square(values - points.errors) / spread).sum(1)
    return out


def definedness(annotators: Figure, twins: Figure, at_the_end: Figure, noise: Figure) -> Figure:
    """Accuracy that no data gives because the input leaves the label open.

    Wrong labels make twins disagree and lift a curve's floor as well, so the estimated rate of wrong
    labels is taken off both. Annotators are evidence by themselves.

    Args:
        annotators: least error by their disagreement.
        twins: least error by the disagreement of rows with the same input.
        at_the_end: least error by the learning curve.
        noise: rate of wrong labels.

    Returns:
        The largest of those that there is evidence for (by lower end); `shown_by` in its detail says
        in words what it is.
    """
    found = {
        "annotators disagree": annotators,
        "rows with the same input disagree": less(twins, noise),
        "the learning curve levels off": less(at_the_end, noise),
    }
    ok = {name: f for name, f in found.items() if f.low is not None and f.status == "ok"}
    if not ok:
        return Figure.missing("nothing shows that the input leaves the output open", "accuracy")
    best = max(ok, key=lambda name: ok[name].low or 0.0)
    return replace(ok[best], detail={"shown_by": best})


def less(figure: Figure, other: Figure) -> Figure:
    """The difference of two independent figures, at least 0; as it is where the other is missing."""
    if figure.value is None or figure.low is None or figure.high is None or figure.status != "ok":
        return figure
    if other.value is None or other.low is None or other.high is None:
        return figure
    value = figure.value - other.value
    low = value - math.hypot(figure.value - figure.low, other.high - other.value)
    high = value + math.hypot(figure.high - figure.value, other.value - other.low)
    return replace(figure, value=max(value, 0.0), low=max(low, 0.0), high=max(high, 0.0))


def open_numbers(disagreement: Figure) -> Figure:
    """R² that no data gives because the same input has several numbers.

    Args:
        disagreement: of numbers of the same input, see `measure.disagreement`.
    """
    if disagreement.status != "ok" or disagreement.value is None:
        return Figure.missing(disagreement.reason, R2)
    detail = {"shown_by": "rows with the same input have different numbers"}
    return replace(disagreement, unit=R2, detail=detail)


def open_responses(disagreement: Figure, with_data: Figure) -> Figure:
    """Bits per byte that no data gives because the same prompt has several answers: at most so many.

    The share by which responses to one prompt differ, times what a response still costs with the
    data.

    Args:
        disagreement: of responses to the same prompt, see `measure.disagreement`.
        with_data: bits per byte of the rung `with_data`.
    """
    shares = (disagreement.value, disagreement.low, disagreement.high)
    costs = (with_data.value, with_data.low, with_data.high)
    if disagreement.status != "ok" or None in shares or None in costs:
        return Figure.missing(disagreement.reason or with_data.reason, with_data.unit)
    value, low, high = ((s or 0.0) * (c or 0.0) for s, c in zip(shares, costs, strict=True))
    detail = {"shown_by": "responses to the same prompt differ"}
    return Figure(value, low, high, disagreement.n, with_data.unit, detail=detail)


def volume_of_loss(
    curve: Sequence[tuple[int, NDArray[np.float64]]],
    weight: NDArray[np.float64],
    clusters: NDArray[np.int64],
    *,
    seed: int,
    unit: str = BITS,
) -> Figure:
    """What twice the train items would take off the loss, by a power law through three doublings.

    Under a·n^−b + c each doubling gains 2^−b times the one before it; the ratio is taken to be
    between 0 and 1. The interval is a cluster bootstrap of the evaluation items.

    Args:
        curve: train items and loss per evaluation item (n,) there, at sizes that double: bits, or
            squared error.
        weight: shape (n,), bytes per item, or squared error of the train mean.
        clusters: shape (n,).
        seed: of the bootstrap.
        unit: of loss over weight: bits/byte, or R².
    """
    if len(curve) < _DOUBLINGS:
        return Figure.missing("too few train items for a learning curve", unit)
    before, half, whole = (bits for _, bits in curve[-3:])

    def gain(w: NDArray[np.float64]) -> NDArray[np.float64]:
        size = w @ weight
        last, first = (w @ (half - whole)) / size, (w @ (before - half)) / size
        ratio = np.divide(last, first, out=np.ones_like(last), where=first > 0)
        out: NDArray[np.float64] = last * np.clip(ratio, 0.0, 1.0)
        return out

    value = float(gain(np.ones((1, len(weight))))[0])
    low, high = bootstrap(gain, clusters, seed=seed)
    losses = [(size, float(loss.sum() / weight.sum())) for size, loss in curve]
    points = [
        {"train_items": size, "value": loss if unit == BITS else 1.0 - loss}
        for size, loss in losses
    ]
    return Figure(
        value, min(low, value), max(high, value), len(weight), unit, detail={"curve": points}
    )


def unexplained(reached: Figure, limits: Mapping[Limit, Figure]) -> Figure:
    """What is left to a perfect score beyond what could be recovered.

    Args:
        reached: accuracy with the data.
        limits: the others; what the model knows already is reached, and takes nothing off.
    """
    if reached.value is None or reached.low is None or reached.high is None:
        return Figure.missing(reached.reason, reached.unit)
    rest = Figure(
        1.0 - reached.value, 1.0 - reached.high, 1.0 - reached.low, reached.n, reached.unit
    )
    for name, figure in limits.items():
        if name != "novelty" and figure.value is not None and figure.value > 0:
            rest = less(rest, replace(figure, status="ok"))
    return rest


def of_proportions(rungs: Rungs, recoverable: Mapping[Limit, Figure]) -> dict[Limit, Figure]:
    """The limits of an edge in hits: those given, novelty, and what they leave unexplained.

    Args:
        rungs: of accuracy, exact match or R², of all of which 1 is perfect.
        recoverable: volume, label quality and definedness, as far as they were measured.
    """
    missing = Figure.missing("nothing shows that the input leaves the output open", rungs.unit)
    known = rungs.difference("without_data", "chance")
    left = unexplained(
        rungs.figure("without_data"), {"definedness": recoverable.get("definedness", missing)}
    )
    out: dict[Limit, Figure] = {"novelty": novelty(known, left), **recoverable}
    return {**out, "unexplained": unexplained(rungs.figure("with_data"), out)}


def in_other_unit(recoverable: Mapping[Limit, Figure], unit: str) -> dict[Limit, Figure]:
    """The limits of an edge that does not count in accuracy: what is known in accuracy alone is refused.

    A point of accuracy and a point of the edge are not the same, so they cannot be compared.
    """
    names: tuple[Limit, ...] = ("volume", "label_quality", "definedness")
    out: dict[Limit, Figure] = {}
    for name in names:
        if name in recoverable:
            reason = recoverable[name].reason or f"known in accuracy, and the edge counts in {unit}"
            out[name] = Figure.missing(reason, unit)
    return out
