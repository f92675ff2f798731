"""What the prompt tells of a response, L(y) − L(y|x) in bits: without the data, and with it.

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

The same few questions are asked for all responses, so their beginnings are run once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataedge.prompt.mixture import Pieces, fit_weights, out_of_fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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
        own: shape (s,), with the data behind their own questions, where another mixture than that of
            `with_data` was asked; None where it is the same.
    """

    rows: Ints
    without: Floats
    with_: Floats
    own: Floats | None = None

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
        own = None if self.own is None else self.own[kept]
        return OtherPrompts(position[self.rows[kept]], self.without[kept], self.with_[kept], own)

    def less(self, prompt: int) -> OtherPrompts:
        """The same without one of the questions, whose place stays empty."""
        sides = [self.without.copy(), self.with_.copy()]
        for side in sides:
            side[..., prompt] = np.nan
        return OtherPrompts(self.rows, sides[0], sides[1], self.own)


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
    return mean_over_contexts(replicates(without, with_, others))


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


def mean_over_contexts(found: Sequence[PromptInformation]) -> PromptInformation:
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
