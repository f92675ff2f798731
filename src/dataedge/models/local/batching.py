"""Which tokens are run together: shared beginnings, windows over long texts, batches by tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Row:
    """One sequence of a forward pass.

    Attributes:
        owner: the request that it belongs to.
        ids: the tokens to run.
        first: the first position whose prediction is read; the targets follow one another.
        targets: the tokens to be predicted, from position `first` on.
        offset: where the targets stand within the request's continuation.
        whole: nothing was cut off on its left.
        cut: tokens of the request's prompt were dropped, the oldest. A continuation that is read in
            windows is all there: that alone is no cut.
    """

    owner: int
    ids: tuple[int, ...]
    first: int
    targets: tuple[int, ...] = ()
    offset: int = 0
    whole: bool = True
    cut: bool = False


def common_prefix(rows: Sequence[Row]) -> int:
    """Count the tokens with which all rows start, read positions excluded.

    Example:
        >>> common_prefix([Row(0, (1, 2, 3, 4), 3), Row(1, (1, 2, 5), 2)])
        2
    """
    if not rows:
        return 0
    low = min(row.ids for row in rows)
    high = max(row.ids for row in rows)
    shared = min(row.first for row in rows)
    for position, (a, b) in enumerate(zip(low, high, strict=False)):
        if a != b:
            return min(position, shared)
    return shared


def windows(
    owner: int,
    prefix: Sequence[int],
    continuation: Sequence[int],
    context: int,
    start: Sequence[int],
) -> Iterator[Row]:
    """Turn a request into rows of at most `context` tokens.

    The oldest tokens of a long prefix are dropped (`start` is kept in front). A continuation is
    never cut: when it alone is longer than the context it is read in windows that overlap by half,
    each token predicted once, from at least half a context except at the beginning.

    Example:
        >>> [row.ids for row in windows(0, [1, 2, 3, 4], [5, 6], 4, [0])]
        [(0, 3, 4, 5)]
        >>> [(row.first, row.targets) for row in windows(0, [1], [2, 3, 4, 5, 6], 4, [])]
        [(0, (2, 3, 4, 5)), (2, (6,))]
    """
    ids = (*prefix, *continuation[:-1])
    if len(ids) <= context:
        yield Row(owner, ids, len(prefix) - 1, tuple(continuation))
        return
    room = context - len(continuation) + 1 - len(start)
    if room >= 1:
        kept = (*start, *prefix[-room:])
        ids = (*kept, *continuation[:-1])
        yield Row(owner, ids, len(kept) - 1, tuple(continuation), whole=False, cut=True)
        return
    # The prefix gets half of the first window, less if it is shorter.
    room = min(len(prefix), max(1, context // 2 - len(start)))
    cut = room < len(prefix)
    kept = (*start, *prefix[-room:]) if cut else tuple(prefix)
    stream = (*kept, *continuation)
    done, first = 0, len(kept) - 1
    while done < len(continuation):
        begin = 0 if done == 0 else max(0, first - context // 2)
        end = min(len(stream) - 1, begin + context)
        count = end - first
        targets = tuple(continuation[done : done + count])
        yield Row(owner, stream[begin:end], first - begin, targets, done, whole=False, cut=cut)
        done, first = done + count, end


def batches(lengths: Sequence[int], tokens: int, rows: int) -> list[list[int]]:
    """Group indices, longest first, so that the padded size of a group stays within `tokens`.

    Groups are made as even as their number allows: a last one of few tokens runs slowly.

    Args:
        lengths: tokens of each row.
        tokens: largest number of tokens in a batch, padding included; a longer row runs alone.
        rows: largest number of rows in a batch.

    Example:
        >>> batches([3, 8, 4, 2], tokens=9, rows=8)
        [[1], [2], [0, 3]]
        >>> batches([4, 4, 4, 4], tokens=12, rows=8)
        [[0, 1], [2, 3]]
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    full = _fill(order, lengths, tokens, rows)
    if len(full) < 2:
        return full
    even = _fill(order, lengths, math.ceil(1.05 * sum(lengths) / len(full)), rows)
    return even if len(even) == len(full) else full


def _fill(order: Sequence[int], lengths: Sequence[int], tokens: int, rows: int) -> list[list[int]]:
    groups: list[list[int]] = []
    widest = 0
    for index in order:
        if groups and len(groups[-1]) < rows and (len(groups[-1]) + 1) * widest <= tokens:
            groups[-1].append(index)
        else:
            groups.append([index])
            widest = max(1, lengths[index])
    return groups
