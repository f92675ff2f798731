"""All choices after every prompt: one pass per prompt over the trie of the choices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataedge.errors import AuditError
from dataedge.models import trie as tries
from dataedge.models.local.batching import Row, windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.models.local.runner import Runner


def choose(
    model: Runner,
    prompts: Sequence[str],
    choices: Sequence[str],
) -> NDArray[np.float64]:
    """Summed natural-log probability of every choice after every prompt: shape (n, K).

    Raises:
        AuditError: a choice does not fit the model's context.
    """
    if not model.tree:
        return _one_by_one(model, prompts, choices)
    asked = model.tokens.prompts(prompts)
    tokenised = model.tokens.continuations(choices)
    place = {prompt: owner for owner, prompt in enumerate(dict.fromkeys(asked))}
    rows = [_fitted(model, owner, prompt, tokenised) for prompt, owner in place.items()]
    sums = np.zeros((len(rows), len(choices)))
    for members in tries.split(tokenised):
        tree = tries.build([tokenised[k] for k in members])
        for batch, prefix in model.passes(rows, extra=len(tree.tokens)):
            owners = [row.owner for row in batch]
            edges = model.forward.read_tree(batch, tree, prefix)
            sums[np.ix_(owners, members)] = tree.sums(edges)
    return sums[[place[prompt] for prompt in asked]]


def _fitted(
    model: Runner, owner: int, prompt: tuple[int, ...], choices: Sequence[Sequence[int]]
) -> Row:
    """A prompt that leaves room for the longest choice."""
    context, start = model.capabilities.context, model.tokens.start
    longest = max((len(choice) for choice in choices), default=0)
    if longest >= context - len(start):
        raise AuditError(
            f"a choice of {longest:,} tokens does not fit the model's context of {context:,}",
            hint="Shorten the labels or name a model with a longer context: --model",
        )
    row = next(windows(owner, prompt, (0,) * max(1, longest), context, start))
    return Row(owner, row.ids[: row.first + 1], row.first, whole=row.whole)


def _one_by_one(
    model: Runner,
    prompts: Sequence[str],
    choices: Sequence[str],
) -> NDArray[np.float64]:
    """The same sums for a model that does not follow a tree mask."""
    sums = np.zeros((len(prompts), len(choices)))
    for k, choice in enumerate(choices):
        scored = model.score(prompts, [choice] * len(prompts))
        sums[:, k] = [one.logprobs.sum() for one in scored]
    return sums
