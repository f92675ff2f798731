"""Several prompts as one for text: at every token the weighted mean of what they say comes next.

p(y|x) = Π_t Σ_m w_m p_m(y_t | x, y_<t) with fixed weights, which is what a deployed mixture of
prompts would do, and costs no question more than a mixture of whole responses, Σ_m w_m p_m(y|x).
The latter gains log2(1/w) bits a response at most over its best prompt; the former gains wherever
the prompts disagree, token by token.

Templates spell the beginning of a response in tokens of their own (`" {response}"` against
`"{response}"`). The tokens in which all spell its end alike are mixed one by one, and what stands
before them as one piece: each prompt is charged for all that its template puts there, and the same
bytes of the response are mixed.

Sources: linear interpolation of language models, its weights by EM, Jelinek & Mercer 1980; prompt
ensembles, Jiang et al. 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from dataedge.prompt.scores import Answer

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PULL = 4.0
"""Responses' worth of evidence for equal weights."""
SMALLEST = 0.1
"""A prompt of less weight is left out: it would cost a request and hardly change the mixture."""
MOST = 3
"""Prompts that a mixture keeps."""
FOLDS = 5
_STEPS, _STILL = 60, 1e-4
_FLOOR = -700.0
"""Nats; less than this is no probability that a float can hold."""


@dataclass(frozen=True)
class Pieces:
    """What M prompts say of the pieces of n responses: tokens that all spell alike, and beginnings.

    Attributes:
        logs: shape (M, T), nats; NaN where a prompt has no answer for the response.
        of: shape (T,), which response a piece belongs to.
        n: responses.
    """

    logs: Floats
    of: Ints
    n: int

    def only(self, members: Ints) -> Pieces:
        """The same of fewer prompts."""
        return Pieces(self.logs[members], self.of, self.n)


def align(answers: Sequence[Sequence[Answer | None]]) -> Pieces:
    """Cut the same n responses, as M prompts spell them, into pieces that can be mixed.

    Args:
        answers: per prompt one answer for each response, None where it failed.
    """
    columns: list[Floats] = []
    of: list[int] = []
    n = len(answers[0])
    for item in range(n):
        own = [one[item] for one in answers]
        given = [a for a in own if a is not None]
        if not given:
            continue
        same = _common_end([a.tokens for a in given])
        whole = all(len(a.tokens) == same for a in given)
        block = np.full((len(own), same + (not whole)), np.nan)
        for row, answer in enumerate(own):
            if answer is None:
                continue
            cut = len(answer.tokens) - same
            block[row, block.shape[1] - same :] = answer.logprobs[cut:]
            if not whole:
                block[row, 0] = answer.logprobs[:cut].sum()
        columns.append(block)
        of += [item] * block.shape[1]
    logs = np.concatenate(columns, axis=1) if columns else np.zeros((len(answers), 0))
    return Pieces(np.maximum(logs, _FLOOR), np.array(of, np.int64), n)


def _common_end(tokens: Sequence[Ints]) -> int:
    """How many tokens all sequences end in alike.

    Example:
        >>> _common_end([np.array([1, 5, 6]), np.array([9, 9, 5, 6])])
        2
    """
    shortest = min(map(len, tokens))
    if not shortest:
        return 0
    ends = np.stack([t[len(t) - shortest :] for t in tokens])
    differ = np.flatnonzero((ends != ends[0]).any(axis=0))
    return shortest if not len(differ) else shortest - 1 - int(differ[-1])


def mixed(pieces: Pieces, weights: Floats) -> Floats:
    """Bits of each response under the mixture, shape (n,), NaN where no prompt has an answer.

    Where some of the prompts have none, the weights of the others are scaled up to 1.

    Args:
        pieces: of M prompts.
        weights: shape (M,), their sum 1.

    Example:
        >>> logs = np.log([[0.5, 0.5], [0.25, 1.0]])
        >>> mixed(Pieces(logs, np.array([0, 0]), 1), np.array([0.5, 0.5])).round(3)
        array([1.83])
    """
    present = np.isfinite(pieces.logs)
    filled = np.where(present, pieces.logs, -np.inf)
    most = np.where(present.any(axis=0), filled.max(axis=0, initial=-np.inf), 0.0)
    share = weights @ present
    with np.errstate(divide="ignore", invalid="ignore"):
        total = weights @ np.exp(filled - most)
        logs = np.where(share > 0, np.log2(total / share) + most / np.log(2), np.nan)
    bits: Floats = -np.bincount(pieces.of, logs, pieces.n).astype(np.float64)
    bits[np.setdiff1d(np.arange(pieces.n), pieces.of)] = np.nan
    return bits


def fit_weights(pieces: Pieces, counts: Floats | None = None) -> Floats:
    """Weights (M,) by EM, drawn towards equal ones as by four more responses that speak for these.

    The likelihood is concave in the weights, so EM finds the one maximum there is.

    Args:
        pieces: of M prompts.
        counts: shape (n,), how often each response counts; once if None.
    """
    good = np.isfinite(pieces.logs).all(axis=0)
    p = np.exp(pieces.logs[:, good] - pieces.logs[:, good].max(axis=0))
    members, pieces_there = p.shape
    weights: Floats = np.full(members, 1.0 / members)
    if not pieces_there:
        return weights
    counted = np.ones(pieces_there) if counts is None else counts[pieces.of[good]]
    size = counted.sum()
    pull = PULL * size / max(len(np.unique(pieces.of[good])), 1)
    for _ in range(_STEPS):
        joint = weights[:, None] * p
        share = (joint / np.maximum(joint.sum(axis=0), 1e-300)) @ counted
        before, weights = weights, (share + pull / members) / (size + pull)
        if np.abs(weights - before).max() < _STILL:
            break
    return np.asarray(weights / weights.sum(), np.float64)


def fit_few(pieces: Pieces) -> Floats:
    """Weights (M,) of which at most three are above 0: those below a tenth are left out, one by one."""
    kept = np.arange(len(pieces.logs))
    while True:
        weights = fit_weights(pieces.only(kept))
        if len(kept) == 1 or (len(kept) <= MOST and weights.min() >= SMALLEST):
            break
        kept = np.delete(kept, weights.argmin())
    out = np.zeros(len(pieces.logs))
    out[kept] = weights
    return out


@dataclass(frozen=True)
class Mixture:
    """A mixture of prompts, fitted to development items.

    Attributes:
        weights: shape (M,), their sum 1; 0 for a prompt that was left out.
        development: shape (n,), bits of development items under weights fitted on the other folds.
    """

    weights: Floats
    development: Floats


def fit_mixture(pieces: Pieces) -> Mixture:
    """Weights on all development items, and their bits out of fold."""
    return Mixture(fit_few(pieces), out_of_fold(pieces, fit_few))


def out_of_fold(pieces: Pieces, fit: Callable[[Pieces], Floats]) -> Floats:
    """Bits of each response (n,) under weights fitted on the responses of other folds."""
    out = np.full(pieces.n, np.nan)
    for k in range(min(FOLDS, pieces.n)):
        fold = np.arange(pieces.n) % FOLDS == k
        inside = fold[pieces.of]
        rest = Pieces(pieces.logs[:, ~inside], pieces.of[~inside], pieces.n)
        out[fold] = mixed(pieces, fit(rest))[fold]
    return out
