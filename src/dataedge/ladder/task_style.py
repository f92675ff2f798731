"""The parts of a gain in bits: task, what the prompt now says; style, what is gained without it.

A response gets cheaper for two reasons: its wording becomes familiar, or the prompt now says what it
is. What a prompt tells is L(y) − L(y|x), and task is what it tells more with the data than without;
style is the rest of the gain.

L(y), the code length without the prompt, is −log2 of the *mean probability* behind prompts of other
clusters. One wrong prompt would not do: a model that has learned to trust the prompt is surely wrong
behind it, and that misplaced confidence would count as lost style, so as task. The mean of many is
what the model says of y when it does not know which prompt it stands behind. With the data one may
also go without it, so L_with(y) is of a mixture of both.

A mean over prompts has an advantage of its own: it evens out what the model takes from a prompt for no
reason. So L(y|x) may ignore the prompt as well: it is of a mixture of the own prompt and the mean over
the others, less one of them, whose place the own prompt takes. Where the answer does not depend on the
prompt, the own prompt is one among equals, and it tells nothing on either side (predictive
V-information with optional ignorance, Xu et al. 2020). Weights are fitted on other responses.

The same few prompts are asked for all responses, so their beginnings are run once, and only a part of
the responses is asked: the parts are estimated on these, and corrected by the total on all items, of
which they are made (two-phase sampling with regression, Cochran 1977, chapter 12). Task and style then
add up to the total over all items. Which prompts were drawn is carried by the jackknife over them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtrit

from dataedge.figures import Figure, bootstrap
from dataedge.prompt.mixture import Pieces, fit_weights, out_of_fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.ladder.rungs import Rungs
    from dataedge.prompt.workspace import Workspace

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PROMPTS = 8
"""Prompts of other clusters behind which a response is scored."""
FEWEST = 60
"""Responses, and clusters of them, that are scored so at least; half of them where that is more."""


@dataclass(frozen=True)
class OtherPrompts:
    """Code lengths of some responses behind P prompts of other clusters, in bits.

    Attributes:
        rows: shape (s,), which evaluation items they are, by position.
        without: shape (s, P), without the data; NaN where the model failed.
        with_: shape (s, P), with the data.
    """

    rows: Ints
    without: Floats
    with_: Floats

    def among(self, valid: NDArray[np.bool_]) -> OtherPrompts:
        """The same where only some of the n evaluation items are kept, (n,), by their new positions."""
        known = np.isfinite(self.without).any(axis=1) & np.isfinite(self.with_).any(axis=1)
        kept = valid[self.rows] & known
        position = np.cumsum(valid) - 1
        return OtherPrompts(position[self.rows[kept]], self.without[kept], self.with_[kept])

    def less(self, prompt: int) -> OtherPrompts:
        """The same without one of the prompts."""
        sides = (np.delete(side, prompt, axis=1) for side in (self.without, self.with_))
        return OtherPrompts(self.rows, *sides)


def items_asked(evaluation: int) -> int:
    """Responses that are scored behind other prompts, of so many evaluation items.

    Example:
        >>> items_asked(40), items_asked(100), items_asked(225)
        (40, 60, 113)
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
    enough = max(int(np.searchsorted(sizes, wanted)) + 1, min(FEWEST, len(names)))
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
    """L(y) and L(y|x) of the responses that stood behind other prompts too.

    Args:
        without: shape (s,), bits behind their own prompts, without the data.
        with_: shape (s,), with the data.
        others: the same responses behind other prompts.
    """
    sides = []
    choices: list[tuple[Floats, Floats]] = []
    for own, behind in ((without, others.without), (with_, others.with_)):
        choices = [(own, behind), *choices]
        alone = _best_of([without_prompt(b) for _, b in choices])
        given = _best_of([bits for o, b in choices for bits in (o, without_prompt(_one_less(b)))])
        sides.append(CodeLengths(alone, given))
    return PromptInformation(*sides)


def _one_less(bits: Floats) -> Floats:
    """Each response (s, P) behind all other prompts but one, in turn: its own takes that one's place."""
    rows = np.arange(len(bits))
    out = bits.copy()
    out[rows, rows % bits.shape[1]] = np.nan
    return out


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
        error: half-width that the draw of prompts alone gives what it tells with the data.
    """

    task: Figure
    style: Figure
    information: PromptInformation
    error: float


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
    found = prompt_information(*behind_own, others)
    number = others.without.shape[1]
    drawn = range(number) if number > 2 else ()
    less = [prompt_information(*behind_own, others.less(j)) for j in drawn]
    error = error_of_prompts([t.task for t in less], size)
    slope = _slope(found.task, own, size)

    def part(values: Floats, share: float) -> Figure:
        figure = _two_phase(rungs, rows, values, total, share)
        return widened(replace(figure, detail={"responses": len(rows), "prompts": number}), error)

    return Split(
        part(found.task, slope),
        part(own - found.task, 1.0 - slope),
        found,
        error_of_prompts([t.with_.information for t in less], size),
    )


def error_of_prompts(left_out: Sequence[Floats], size: Floats) -> float:
    """Half-width of a 95 % interval that the draw of prompts alone gives, by the jackknife.

    Args:
        left_out: per prompt the figure of every item (s,) without it, in bits.
        size: shape (s,), bytes.
    """
    known = [values for values in left_out if np.isfinite(values).all()]
    if len(known) < 2:
        return 0.0
    means = np.array([values.sum() / size.sum() for values in known])
    spread = (len(means) - 1) / len(means) * np.square(means - means.mean()).sum()
    return float(stdtrit(len(means) - 1, 0.975) * np.sqrt(spread))


def widened(figure: Figure, error: float) -> Figure:
    """A figure whose interval carries another, independent half-width."""
    if figure.value is None or figure.low is None or figure.high is None:
        return figure
    low = figure.value - float(np.hypot(figure.value - figure.low, error))
    high = figure.value + float(np.hypot(figure.high - figure.value, error))
    return replace(figure, low=low, high=high)


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
