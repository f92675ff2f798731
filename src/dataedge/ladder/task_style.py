"""The parts of a gain in bits: task, what the prompt now says; style, what is gained without it.

A response gets cheaper for two reasons: its wording becomes familiar, or the prompt now says what it
is. What a prompt tells is L(y) − L(y|x), see `prompt_information.py`, and task is what it tells more with
the data than without; style is the rest of the gain.

Where there are many items, only a part of the responses is asked behind other prompts: the parts are
estimated on these, and corrected by the total on all items, of which they are made (two-phase sampling
with regression, Cochran 1977, chapter 12). Task and style then add up to the total over all items. Which
questions were drawn is carried by the jackknife over them, which contexts by the variance between
replicates; the degrees of freedom of all three together are Satterthwaite's (1946), as two replicates
tell their variance badly.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataedge.figures import Figure, bootstrap
from dataedge.ladder.prompt_information import mean_over_contexts, prompt_information, replicates
from dataedge.widened_intervals import Added, Carried, Measured, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.ladder.prompt_information import OtherPrompts, PromptInformation
    from dataedge.ladder.rungs import Rungs

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Split(NamedTuple):
    """A gain in bits per byte, in two parts that add up to it.

    Attributes:
        task: what the prompt tells more with the data than without.
        style: the rest.
        information: what the prompt tells without the data and with it, per response (s,).
        errors: of what it tells with the data, by the draw of questions and of contexts.
    """

    task: Figure
    style: Figure
    information: PromptInformation
    errors: tuple[Spread, ...]


class Spread(NamedTuple):
    """A variance of a mean, in (bits per byte)², with the degrees of freedom that it is known by."""

    variance: float
    freedom: float


def split(rungs: Rungs, others: OtherPrompts) -> Split:
    """Task and style of what `with_data` gains over `without_data`.

    Where other prompts were answered by a mixture that a tuned model has no part in, what that model adds
    is style: a short fine-tune learns wording before it learns what to say.

    Args:
        rungs: of n evaluation items, in bits.
        others: code lengths of s of their responses behind other prompts.
    """
    outcomes, rows = rungs.outcomes, others.rows
    total = outcomes["with_data"].gain - outcomes["without_data"].gain
    own, size = total[rows], rungs.weight[rows]
    informed = outcomes["with_data"].bits[rows] if others.own is None else others.own
    behind_own = (outcomes["without_data"].bits[rows], informed)
    each = replicates(*behind_own, others)
    found = mean_over_contexts(each)
    number = others.without.shape[1]
    drawn = range(number) if number > 2 else ()
    less = [prompt_information(*behind_own, others.less(j)) for j in drawn]
    slope = _slope(found.task, own, size)
    errors = (
        error_of_prompts([t.task for t in less], size),
        error_of_contexts([t.task for t in each], size),
    )
    detail = {"responses": len(rows), "prompts": number, "contexts": others.contexts}

    def part(values: Floats, share: float, errors: Sequence[Spread]) -> Figure:
        figure = _two_phase(rungs, rows, values, total, share)
        return carrying(replace(figure, detail=detail), errors)

    # what moves the total and is no luck of items moves its style: a draw of demonstrations gives away
    # wording, behind the right question as behind the others
    added = rungs.added("with_data", "without_data") or Added()
    moved = [Spread(v, df) for v, df in zip(added.parts, added.freedom, strict=True)]
    return Split(
        part(found.task, slope, errors),
        part(own - found.task, 1.0 - slope, [*errors, *moved]),
        found,
        (
            error_of_prompts([t.with_.information for t in less], size),
            error_of_contexts([t.with_.information for t in each], size),
        ),
    )


def error_of_prompts(left_out: Sequence[Floats], size: Floats) -> Spread:
    """What the draw of P questions alone makes uncertain, by the jackknife.

    Args:
        left_out: per question the figure of every item (s,) without it, in bits.
        size: shape (s,), bytes.
    """
    means = _means(left_out, size)
    if len(means) < 2:
        return Spread(0.0, 0)
    spread = (len(means) - 1) / len(means) * np.square(means - means.mean()).sum()
    return Spread(float(spread), len(means) - 1)


def error_of_contexts(each: Sequence[Floats], size: Floats) -> Spread:
    """What the draw of D contexts alone makes uncertain, by the variance between them.

    Args:
        each: per context the figure of every item (s,), in bits.
        size: shape (s,), bytes.
    """
    means = _means(each, size)
    if len(means) < 2:
        return Spread(0.0, 0)
    return Spread(float(means.var(ddof=1)) / len(means), len(means) - 1)


def _means(each: Sequence[Floats], size: Floats) -> Floats:
    """Bits per byte of each that is known of all items."""
    known = [values.sum() / size.sum() for values in each if np.isfinite(values).all()]
    return np.array(known, np.float64)


class CarriedQuestions(Carried):
    """What the interval of a part carries: items, and the prompts that stood for others."""

    @property
    def sentence(self) -> str:
        """What the interval carries, in words."""
        return (
            f"Its interval carries the luck of the evaluation items ({self.items:.0%} of its variance) "
            f"and of the prompts that it is compared with ({self.prompts:.0%}){self.of_fine_tunes}; the "
            "train side was not drawn again."
        )


def carrying(figure: Figure, errors: Sequence[Spread]) -> Measured:
    """A figure whose 95 % interval carries the draw of questions and of contexts as well.

    Args:
        figure: with an interval over items.
        errors: what it does not carry yet, independent of each other.

    Example:
        >>> few = carrying(Figure(0.1, 0.06, 0.14), [Spread(0.02**2, 1)])
        >>> round(few.low, 3), round(few.high, 3), round(few.carried.prompts, 2)
        (0.022, 0.178, 0.49)
    """
    known = [error for error in errors if error.variance > 0]
    variance = sum(error.variance for error in known)
    if not known:
        return widened(figure, Added(), bounds=(-np.inf, np.inf))
    freedom = variance**2 / sum(error.variance**2 / error.freedom for error in known)
    refits = round(sum(error.freedom + 1 for error in known if np.isfinite(error.freedom)))
    added = Added(prompts=variance, freedom=(np.inf, np.inf, freedom), refits=refits)
    found = widened(figure, added, bounds=(-np.inf, np.inf))
    return replace(found, carried=CarriedQuestions(**vars(found.carried)))


def _slope(values: Floats, known: Floats, size: Floats) -> float:
    """By how much one figure in bits per byte goes up with another, over items (s,)."""
    left, right = (v - v.sum() / size.sum() * size for v in (values, known))
    spread = float(right @ right)
    return float(left @ right) / spread if spread > 0 else 0.0


def _two_phase(rungs: Rungs, rows: Ints, values: Floats, known: Floats, slope: float) -> Figure:
    """Mean in bits per byte of what is measured on some items, with the help of what is on all.

    Args:
        rungs: of n evaluation items.
        rows: shape (s,), those that were measured.
        values: shape (s,), bits.
        known: shape (n,), bits of a figure that is known of all.
        slope: of the one on the other.
    """
    if not len(rows):
        return Figure.missing("no response was scored behind other prompts", rungs.unit)
    size, own = rungs.weight, rungs.weight[rows]

    def statistic(w: Floats) -> Floats:
        some = w[:, rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = (some @ values) / (some @ own)
            gap = (w @ known) / (w @ size) - (some @ known[rows]) / (some @ own)
        return np.asarray(mean + slope * gap)

    value = float(statistic(np.ones((1, len(size))))[0])
    low, high = bootstrap(statistic, rungs.clusters, seed=rungs.seed)
    return Figure(value, low, high, len(size), rungs.unit)
