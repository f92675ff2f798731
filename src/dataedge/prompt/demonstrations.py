"""Which train items a prompt shows with their answers, and how many of them fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataedge.prepare.neighbours import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.items import Item
    from dataedge.positions import Positions
    from dataedge.prompt.templates import Shots

DEMONSTRATION_TOKENS = {"random": 1100, "retrieved": 420}
"""Demonstrations take at most this many tokens of a prompt, on average. Random ones are the same
for every item and run once; retrieved ones are run anew for each."""


def counts_that_fit(
    wanted: Sequence[int], shots: Shots, *, item_tokens: float, context: int, train: int
) -> list[int]:
    """Those numbers of demonstrations that fit the budget; as many as fit if none of them does.

    Args:
        wanted: numbers of demonstrations that a probe asks for.
        shots: drawn at random or retrieved.
        item_tokens: mean tokens of a train item.
        context: tokens that the model reads; demonstrations take at most half of it.
        train: items there are to show.
    """
    limit = min(DEMONSTRATION_TOKENS[shots], context // 2)
    fitting = [k for k in wanted if k * item_tokens <= limit and k <= train]
    if fitting or not wanted:
        return fitting
    single = max(1, int(limit // max(item_tokens, 1.0)))
    return [single] if single * item_tokens <= limit else []


def random_demonstrations(items: Sequence[Item], train: Positions, k: int, seed: int) -> list[Item]:
    """K train items as anyone might pick them: at random, over as many labels as fit."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(train)
    seen: dict[str, int] = {}
    rank = []
    for position, index in enumerate(order):
        label = items[index].target
        seen[label] = seen.get(label, 0) + 1
        rank.append((seen[label], position))
    picked = [order[position] for _, position in sorted(rank)[:k]]
    return [items[i] for i in rng.permutation(np.asarray(picked, np.int64))]


def retrieved_demonstrations(
    items: Sequence[Item],
    train: Positions,
    of_train: NDArray[np.float32],
    asked: NDArray[np.float32],
    k: int,
) -> list[list[Item]]:
    """For each question the k train items whose inputs are nearest to it, the nearest last.

    Args:
        items: of the dataset.
        train: positions of the train items, shape (t,).
        of_train: their vectors, shape (t, d), unit length.
        asked: vectors of the questions, shape (m, d), unit length.
        k: demonstrations for each.
    """
    near = nearest(asked, of_train, k)
    return [[items[train[j]] for j in row] for row in near]
