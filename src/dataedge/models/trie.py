"""Choices as a token trie: what they share is run once, and their last tokens not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_NODES = 1024


@dataclass(frozen=True)
class Trie:
    """The choices of a question, to be appended to a prompt and run with a tree mask.

    Only inner nodes are run: a token that nothing follows predicts nothing. Source 0 is the
    prompt's last token and source i the inner node i - 1; an edge leads from a source to the token
    that it must predict, and a choice is the sum over the edges of its path.

    Attributes:
        tokens: shape (m,), token ids of the inner nodes, parents before children.
        depth: shape (m,), distance from the prompt's last token: 1 for a first token.
        visible: shape (m, m), whether node j is node i or one of its ancestors.
        edge_source: shape (e,), the source of each edge, 0 to m.
        edge_token: shape (e,), the token that each edge predicts.
        paths: shape (K, longest), edges of each choice, filled up with e.
    """

    tokens: NDArray[np.int64]
    depth: NDArray[np.int64]
    visible: NDArray[np.bool_]
    edge_source: NDArray[np.int64]
    edge_token: NDArray[np.int64]
    paths: NDArray[np.int64]

    def sums(self, edge_logprobs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum the edges of each choice: shape (n, e) to shape (n, K)."""
        closed = np.concatenate([edge_logprobs, np.zeros((len(edge_logprobs), 1))], axis=1)
        return np.asarray(closed[:, self.paths].sum(axis=2))


def build(choices: Sequence[Sequence[int]]) -> Trie:
    """Build the trie of tokenised choices.

    Choices may repeat, be empty (log-probability 0) and be prefixes of one another.

    Example:
        >>> trie = build([[5, 6], [5, 7], [5]])
        >>> trie.tokens, trie.edge_token          # one node is run, three tokens are predicted
        (array([5]), array([5, 6, 7]))
        >>> trie.sums(np.array([[-1.0, -2.0, -3.0]]))
        array([[-3., -4., -1.]])
    """
    inner: dict[tuple[int, ...], int] = {(): 0}
    tuples = [tuple(choice) for choice in choices]
    for choice in sorted(set(tuples)):
        for end in range(1, len(choice)):
            inner.setdefault(choice[:end], len(inner))
    m = len(inner) - 1
    visible = np.eye(m, dtype=np.bool_)
    for path, source in inner.items():
        if len(path) > 1:
            visible[source - 1] |= visible[inner[path[:-1]] - 1]

    edges: dict[tuple[int, ...], int] = {}
    for choice in tuples:
        for end in range(1, len(choice) + 1):
            edges.setdefault(choice[:end], len(edges))
    longest = max((len(choice) for choice in tuples), default=0)
    paths = np.full((len(choices), longest), len(edges), dtype=np.int64)
    for k, choice in enumerate(tuples):
        for end in range(1, len(choice) + 1):
            paths[k, end - 1] = edges[choice[:end]]
    nodes = list(inner)[1:]
    return Trie(
        tokens=np.array([path[-1] for path in nodes], dtype=np.int64),
        depth=np.array([len(path) for path in nodes], dtype=np.int64),
        visible=visible,
        edge_source=np.array([inner[path[:-1]] for path in edges], dtype=np.int64),
        edge_token=np.array([path[-1] for path in edges], dtype=np.int64),
        paths=paths,
    )


def split(choices: Sequence[Sequence[int]], limit: int = MAX_NODES) -> list[list[int]]:
    """Group choices so that no trie runs many more than `limit` tokens; returns their indices.

    Sorted order keeps choices with a common beginning together.

    Example:
        >>> split([[1, 2, 3], [9, 9, 9], [1, 2, 4]], limit=3)
        [[0, 2], [1]]
    """
    groups: list[list[int]] = [[]]
    seen: set[tuple[int, ...]] = set()
    for index in sorted(range(len(choices)), key=lambda i: tuple(choices[i])):
        choice = tuple(choices[index])
        heads = {choice[:end] for end in range(1, len(choice))}
        if groups[-1] and len(seen | heads) > limit:
            groups.append([])
            seen = set()
        seen |= heads
        groups[-1].append(index)
    return groups
