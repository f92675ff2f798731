"""The parts of a gain in bits: task, what the prompt now says; style, what is gained without it.

A response gets cheaper for two reasons: its wording becomes familiar, or the prompt now says what it
is. What a prompt tells is L(y) − L(y|x), and task is what it tells more with the data than without;
style is the rest of the gain.

L(y), the code length without the prompt, is −log2 of the *mean probability* behind the questions of
other clusters. One wrong question would not do: a model that has learned to trust the prompt is surely
wrong behind it, and that misplaced confidence would count as lost style, so as task. The mean of many is
what the model says of y when it does not know which question it is asked. With the data one may also go
without it, so L_with(y) is of a mixture of both.

The question is integrated out, the context is not. With the data a prompt also shows items that were
retrieved for its question. Eight other prompts with their own demonstrations would show most of a small
dataset between them, far more than any prompt does, and what was learned of it would count as style.
So each replicate d shows all questions x_j the demonstrations D_d that were retrieved for one of them,

    L_d(y) = −log2 mean_j p(y | x_j, D_d),

and bits are averaged over replicates. Without the data the demonstrations are the same for all items
anyway, so both sides treat the context alike: the wording and the words that data teaches through a
fixed context are style; what the right question, and what is retrieved for it, add to that is task.

A mean over questions has an advantage of its own: it evens out what the model takes from a question for
no reason. So L(y|x) may ignore the prompt as well: it is of a mixture of the own prompt and the mean over
the others, less one of them, whose place the own prompt takes. In L(y) that place is kept by a stand-in:
with the data, the one left out, in the context of another replicate, as the own prompt has a context of
its own too. Where the answer does not depend on the prompt, the own prompt and the stand-in are equals,
and it tells nothing on either side (predictive V-information with optional ignorance, Xu et al. 2020).
Weights are fitted on other responses.

The same few questions are asked for all responses, so their beginnings are run once. Where there are
many items, only a part of the responses is asked: the parts are estimated on these, and corrected by the
total on all items, of which they are made (two-phase sampling with regression, Cochran 1977, chapter 12).
Task and style then add up to the total over all items. Which questions were drawn is carried by the
jackknife over them, which contexts by the variance between replicates; the degrees of freedom of all
three together are Satterthwaite's (1946), as two replicates tell their variance badly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataedge.figures import Figure, bootstrap
from dataedge.prompt.mixture import Pieces, fit_weights, out_of_fold
from dataedge.widened_intervals import Added, Carried, Measured, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.ladder.rungs import Rungs
    from dataedge.prompt.workspace import Workspace

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PROMPTS = 8
"""Questions of other clusters behind which a response is scored."""
CONTEXTS = 2
"""Sets of demonstrations behind which these are asked with the data, each retrieved for one of them."""
FEWEST, FEWEST_CLUSTERS = 120, 60
"""Responses, and clusters of them, that are scored so at least; half of them where that is more."""


@dataclass(frozen=True)
class OtherPrompts:
    """Code lengths of some responses behind P questions of other clusters, in bits.

    Attributes:
        rows: shape (s,), which evaluation items they are, by position.
        without: shape (s, P), without the data; NaN where the model failed.
        with_: shape (s, D, P), with the data, in D contexts of demonstrations.
    """

    rows: Ints
    without: Floats
    with_: Floats

    @property
    def contexts(self) -> int:
        """Number of replicates, D."""
        return int(self.with_.shape[1])

    def among(self, valid: NDArray[np.bool_]) -> OtherPrompts:
        """The same where only some of the n evaluation items are kept, (n,), by their new positions."""
        known = np.isfinite(self.without).any(axis=1)
        known &= np.all(np.isfinite(self.with_).any(axis=2), axis=1)
        kept = valid[self.rows] & known
        position = np.cumsum(valid) - 1
        return OtherPrompts(position[self.rows[kept]], self.without[kept], self.with_[kept])

    def less(self, prompt: int) -> OtherPrompts:
        """The same without one of the questions, whose place stays empty."""
        sides = [self.without.copy(), self.with_.copy()]
        for side in sides:
            side[..., prompt] = np.nan
        return OtherPrompts(self.rows, *sides)


def items_asked(evaluation: int) -> int:
    """Responses that are scored behind other prompts, of so many evaluation items.

    Example:
        >>> items_asked(40), items_asked(225), items_asked(750)
        (40, 120, 375)
    """
    return min(evaluation, max(FEWEST, -(-evaluation // 2)))


def drawn_items(clusters: Ints, *, seed: int) -> Ints:
    """Positions of the items that are asked, sorted: clusters drawn whole until there are enough.

    Args:
        clusters: shape (n,), of the evaluation items.
        seed: of the draw.
    """
    wanted = items_asked(len(clusters))
    names, own = np.unique(clusters, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    sizes = np.cumsum(np.bincount(own)[order])
    enough = max(int(np.searchsorted(sizes, wanted)) + 1, min(FEWEST_CLUSTERS, len(names)))
    return np.flatnonzero(np.isin(own, order[:enough]))


def other_prompts(workspace: Workspace) -> Ints:
    """Development items of different clusters whose prompts are asked, shape (P,).

    No cluster is on two sides, so they are other prompts to every evaluation item.
    """
    items = workspace.development
    _, first = np.unique(workspace.clusters[items], return_index=True)
    return np.asarray(items[np.sort(first)[:PROMPTS]])


def without_prompt(bits: Floats) -> Floats:
    """L(y) = −log2 of the mean probability over the prompts that there is an answer for.

    Args:
        bits: shape (s, P), NaN where the model failed.

    Returns:
        Shape (s,), bits.

    Example:
        >>> without_prompt(np.array([[0.0, 20.0]])).round(3)  # surely right, or surely wrong: one bit
        array([1.])
    """
    known = np.isfinite(bits)
    filled = np.where(known, bits, np.inf)
    least = filled.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        total = np.exp2(least - filled).sum(axis=1) / known.sum(axis=1)
    return np.asarray(least[:, 0] - np.log2(total))


class CodeLengths(NamedTuple):
    """What the prompt tells of each response on one side, shape (s,) each.

    Attributes:
        alone: L(y), bits without the prompt.
        given: L(y|x), bits with it, where it may also be ignored.
    """

    alone: Floats
    given: Floats

    @property
    def information(self) -> Floats:
        """L(y) − L(y|x)."""
        return self.alone - self.given


class PromptInformation(NamedTuple):
    """What the prompt tells without the data, and with it."""

    without: CodeLengths
    with_: CodeLengths

    @property
    def task(self) -> Floats:
        """What it tells more with the data, shape (s,), bits: the task part of the gain."""
        return self.with_.information - self.without.information


def prompt_information(without: Floats, with_: Floats, others: OtherPrompts) -> PromptInformation:
    """L(y) and L(y|x) of the responses that stood behind other prompts too, bits averaged over contexts.

    Args:
        without: shape (s,), bits behind their own prompts, without the data.
        with_: shape (s,), with the data.
        others: the same responses behind other prompts.
    """
    return _mean(replicates(without, with_, others))


def replicates(without: Floats, with_: Floats, others: OtherPrompts) -> list[PromptInformation]:
    """The same in each context of demonstrations, D of them; arguments as above."""
    plain = _Asked(without, *_one_apart(others.without, others.without))
    bare = plain.lengths()
    found = []
    for context in range(others.contexts):
        here = others.with_[:, context]
        elsewhere = others.with_[:, (context + 1) % others.contexts]
        informed = _Asked(with_, *_one_apart(here, elsewhere))
        found.append(PromptInformation(bare, informed.lengths(plain)))
    return found


def _mean(found: Sequence[PromptInformation]) -> PromptInformation:
    """Bits averaged over contexts; without the data there is one."""
    lengths = [np.mean(side, axis=0) for side in zip(*(f.with_ for f in found), strict=True)]
    return PromptInformation(found[0].without, CodeLengths(*lengths))


class _Asked(NamedTuple):
    """Bits of s responses on one side, shape (s,) each.

    Attributes:
        own: behind their own prompts.
        stand_in: behind one other prompt, where L(y) has no own one.
        rest: of the mean probability behind the remaining questions, in one context.
    """

    own: Floats
    stand_in: Floats
    rest: Floats

    def lengths(self, besides: _Asked | None = None) -> CodeLengths:
        """L(y) and L(y|x), where one may also go by another side."""
        sides = (self,) if besides is None else (self, besides)
        alone = _best_of([bits for side in sides for bits in (side.stand_in, side.rest)])
        given = _best_of([bits for side in sides for bits in (side.own, side.rest)])
        return CodeLengths(alone, given)


def _one_apart(here: Floats, elsewhere: Floats) -> tuple[Floats, Floats]:
    """A stand-in for the own prompt, and the mean over all questions but this one, shape (s,) each.

    Each question in turn is left out, or the next one where the model failed on it.

    Args:
        here: shape (s, P), bits behind other questions in one context.
        elsewhere: the same in the context of the stand-in.
    """
    number = here.shape[1]
    rows = np.arange(len(here))
    order = (np.arange(number) + rows[:, None]) % number
    known = np.isfinite(np.take_along_axis(here + elsewhere, order, axis=1))
    turn = order[rows, known.argmax(axis=1)]
    less = here.copy()
    less[rows, turn] = np.nan
    several = np.isfinite(less).any(axis=1, keepdims=True)
    rest = without_prompt(np.where(several, less, here))
    return np.where(known.any(axis=1), elsewhere[rows, turn], rest), rest


def _best_of(lengths: Sequence[Floats]) -> Floats:
    """Bits (s,) of a mixture of predictors of whole responses, weights by the responses of other folds."""
    logs = -np.stack(lengths) * np.log(2)
    pieces = Pieces(logs, np.arange(logs.shape[1]), logs.shape[1])
    return out_of_fold(pieces, fit_weights)


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
    freedom: int


def split(rungs: Rungs, others: OtherPrompts) -> Split:
    """Task and style of what `with_data` gains over `without_data`.

    Args:
        rungs: of n evaluation items, in bits.
        others: code lengths of s of their responses behind other prompts.
    """
    outcomes, rows = rungs.outcomes, others.rows
    total = outcomes["with_data"].gain - outcomes["without_data"].gain
    own, size = total[rows], rungs.weight[rows]
    behind_own = (outcomes["without_data"].bits[rows], outcomes["with_data"].bits[rows])
    each = replicates(*behind_own, others)
    found = _mean(each)
    number = others.without.shape[1]
    drawn = range(number) if number > 2 else ()
    less = [prompt_information(*behind_own, others.less(j)) for j in drawn]
    slope = _slope(found.task, own, size)
    errors = (
        error_of_prompts([t.task for t in less], size),
        error_of_contexts([t.task for t in each], size),
    )
    detail = {"responses": len(rows), "prompts": number, "contexts": others.contexts}

    def part(values: Floats, share: float) -> Figure:
        figure = _two_phase(rungs, rows, values, total, share)
        return carrying(replace(figure, detail=detail), errors)

    return Split(
        part(found.task, slope),
        part(own - found.task, 1.0 - slope),
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
            f"and of the prompts that it is compared with ({self.prompts:.0%}); the train side was not "
            "drawn again."
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
    refits = sum(error.freedom + 1 for error in known)
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
