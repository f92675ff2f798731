"""How a response relates to its own prompt, next to the prompts of other rows: vectors and losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.measure.responses.check import Check, Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_ROWS = 30  # fewer rows than this say nothing about what is usual
_OTHERS = 2000  # shuffled responses that each prompt is compared with
_CHANCE = 0.02  # share of them that may be as close as the row's own response
_TELLS = 0.8  # share of the rows that must stand out, or vectors say nothing here
_TWIN = 0.95  # cosine from which on another row's response is no shuffled one
_BLOCK = 4096
_OUTLIER = 5.0  # robust standard deviations


@dataclass(frozen=True)
class Losses:
    """Base-model losses of each response, in one and the same unit.

    Attributes:
        given_prompt: shape (n,), L(y|x), of the response after its prompt.
        alone: shape (n,), L(y), of the response by itself.
    """

    given_prompt: Floats
    alone: Floats


def check_unrelated(prompt_vectors: Floats, response_vectors: Floats, *, seed: int = 0) -> Check:
    """Responses that are no closer to their prompt than 2 % of the other rows' responses are.

    Said only where at least 80 % of all responses do stand out, since otherwise (very short
    answers, one template for all) closeness says nothing about a single row.

    Args:
        prompt_vectors: shape (n, d), of unit length.
        response_vectors: shape (n, d), of the same embedder.
        seed: of the sample of other rows.
    """
    n = len(prompt_vectors)
    if n < _ROWS:
        return Check(
            "unrelated", skipped=f"{n} rows are too few to tell what shuffled ones look like"
        )
    rng = np.random.default_rng(seed)
    others = rng.permutation(n)[:_OTHERS]
    share = np.empty(n)
    for start in range(0, n, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, n))
        own = np.einsum("ij,ij->i", prompt_vectors[rows], response_vectors[rows])
        close = prompt_vectors[rows] @ response_vectors[others].T >= own[:, None]
        twin = response_vectors[rows] @ response_vectors[others].T >= _TWIN
        twin |= prompt_vectors[rows] @ prompt_vectors[others].T >= _TWIN
        twin |= rows[:, None] == others[None, :]
        share[rows] = (close & ~twin).sum(1) / np.maximum((~twin).sum(1), 1)
    tells = float((share <= _CHANCE).mean())
    if tells < _TELLS:
        return Check(
            "unrelated",
            n=n,
            skipped=f"only {tells:.0%} of the responses are closer to their own prompt than to "
            "shuffled ones, so closeness says nothing about a single row",
        )
    found = [
        Finding(
            int(i),
            "unrelated",
            f"{share[i]:.0%} of shuffled responses are as close",
            float(share[i]),
        )
        for i in np.flatnonzero(share > _CHANCE)
    ]
    return Check("unrelated", found, n)


def check_ifd(losses: Losses) -> Check:
    """Outlying instruction-following difficulty, the loss ratio L(y|x) / L(y) (Li et al. 2023).

    Its logarithm more than five robust standard deviations (1.4826 · median absolute deviation)
    from the median: above, the prompt helps unusually little; below, it gives the response away.
    """
    given, alone = np.asarray(losses.given_prompt, float), np.asarray(losses.alone, float)
    usable = np.isfinite(given) & np.isfinite(alone) & (given > 0) & (alone > 0)
    n = int(usable.sum())
    if n < _ROWS:
        return Check("ifd", n=n, skipped=f"{n} rows with losses are too few to tell an outlier")
    ratio = np.zeros(len(given))
    ratio[usable] = np.log(given[usable] / alone[usable])
    middle = float(np.median(ratio[usable]))
    spread = 1.4826 * float(np.median(np.abs(ratio[usable] - middle)))
    if spread < 1e-9:
        return Check("ifd", n=n, skipped="more than half of the rows have the same loss ratio")
    far = np.where(usable, (ratio - middle) / spread, 0.0)
    found = []
    for i in np.flatnonzero(np.abs(far) > _OUTLIER):
        side = "hardly helped by its prompt" if far[i] > 0 else "given away by its prompt"
        reason = f"{side}: loss ratio {np.exp(ratio[i]):.2f}, {np.exp(middle):.2f} at the median"
        found.append(Finding(int(i), "ifd", reason, round(1 - _OUTLIER / (2 * abs(far[i])), 3)))
    return Check("ifd", found, n)
