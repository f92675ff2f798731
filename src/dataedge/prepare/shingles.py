"""Texts as sets of overlapping character shingles, and how much two such sets share."""

from __future__ import annotations

import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    Ints = NDArray[np.int64]

_BLOCK_CHARS = 1 << 19  # characters cut at a time: what is in flight fits the processor's cache
_KEPT = 1 << 28  # shingles whose hashes stay in memory: 1 GiB
_BLOCK_TEXTS = 1024  # texts folded at a time
_SYMBOLS = frozenset("#%&*+/@\\")  # punctuation that carries meaning: C#, 5 %, a/b
_BETWEEN = "\0"  # stands between texts while they are folded; ASCII, for speed
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


class _Fold(dict[int, str | None]):
    """A translation table that decides once per character what becomes of it."""

    def __missing__(self, code: int) -> str | None:
        char = chr(code)
        if char in "'’`":
            self[code] = None
        elif char == _BETWEEN:
            self[code] = char
        elif unicodedata.category(char)[0] in "PZC" and char not in _SYMBOLS:
            self[code] = " "
        else:
            self[code] = char
        return self[code]


_FOLD = _Fold()


def fold(texts: Sequence[str]) -> list[str]:
    """Texts as they are compared: case, punctuation, spacing and Unicode forms folded away.

    Symbols and the signs # % & * + / @ stay, since "C++" is not "C". A text of nothing but
    punctuation is kept as it is.

    Example:
        >>> fold(["  Where's my   CARD?! ", "?!", "Ｃ＋＋"])
        ['wheres my card', '?!', 'c++']
    """
    out: list[str] = []
    for start in range(0, len(texts), _BLOCK_TEXTS):
        block = list(texts[start : start + _BLOCK_TEXTS])
        accented = [i for i, text in enumerate(block) if not text.isascii()]
        slow = _fold_block([block[i] for i in accented])
        for i in accented:
            block[i] = "x"  # the rest is ASCII, which is folded an order faster
        folded = _fold_block(block)
        for i, text in zip(accented, slow, strict=True):
            folded[i] = text
        out += folded
    return out


def _fold_block(texts: list[str]) -> list[str]:
    """Fold texts in one go: what happens in Python is per block, not per text."""
    if not texts:
        return []
    joined = f" {_BETWEEN} ".join(texts)
    folded = _fold_joined(joined).split(f" {_BETWEEN} ")
    if len(folded) == len(texts) == joined.count(_BETWEEN) + 1 and folded[0] and folded[-1]:
        return folded
    # a text was folded to nothing, or holds the separator itself
    singly = [_fold_joined(text.replace(_BETWEEN, " ")) for text in texts]
    return [short or text.strip() for short, text in zip(singly, texts, strict=True)]


def _fold_joined(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().translate(_FOLD).split())


def cut(texts: Sequence[str], width: int) -> Iterator[tuple[Ints, NDArray[np.uint32]]]:
    """Hash every shingle of every text; texts with about as many shingles come together.

    Args:
        texts: n folded texts.
        width: characters per shingle; a shorter text is one shingle.

    Yields:
        Positions of m texts, shape (m,), and their hashes, shape (m, s): a row is one text, padded
        by repeating its last shingle, which changes neither its set nor its minima.
    """
    for block in _blocks(texts):
        hashes, begin, count = _windows(texts[block], width)
        step = 1 << np.maximum(np.log2(count).astype(np.int64) - 3, 3)
        padded = -(-count // step) * step
        order = np.argsort(padded, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(padded[order])) + 1):
            within = np.minimum(np.arange(padded[group[0]]), count[group, None] - 1)
            yield block.start + group, hashes[begin[group, None] + within]


def _blocks(texts: Sequence[str]) -> Iterator[slice]:
    """Runs of texts of bounded total length."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    at = 0
    while at < len(texts):
        base = int(ends[at - 1]) if at else 0
        end = max(at + 1, int(np.searchsorted(ends, base + _BLOCK_CHARS, side="right")))
        yield slice(at, end)
        at = end


class _Windows(NamedTuple):
    """Hashes of all windows over joined texts; where each text's begin, and how many, (n,) each."""

    hashes: NDArray[np.uint32]
    begin: Ints
    counts: Ints


def _windows(texts: Sequence[str], width: int) -> _Windows:
    """Hash every window of so many characters, none across two texts."""
    pad = "\0" * (width - 1)
    if not all(texts):  # else the window of an empty text would reach into the next one
        texts = [text or "\0" for text in texts]
    joined = pad.join(texts) + pad + "\0"
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    begin = np.cumsum(lengths + width - 1) - (lengths + width - 1)
    hashes = codes[: len(codes) - width + 1].astype(np.uint64)
    for i in range(1, width):
        hashes *= _ODD
        hashes += codes[i : i + len(hashes)]
    hashes ^= hashes >> np.uint64(29)
    hashes *= _MIX
    hashes ^= hashes >> np.uint64(32)
    hashes *= _ODD
    top = (hashes >> np.uint64(32)).astype(np.uint32)
    return _Windows(top, begin, np.maximum(lengths - width + 1, 1))


class ShingleSets:
    """The shingle sets of texts, for exact similarities.

    Four bytes a shingle are kept, up to 2²⁸ shingles; of larger collections the sizes only, and
    a set is cut again when it is asked for.

    Args:
        texts: n folded texts.
        width: characters per shingle.

    Example:
        >>> sets = ShingleSets(["abcd", "bcde"], 3)
        >>> for rows, hashes in cut(["abcd", "bcde"], 3):
        ...     sets.add(rows, hashes)
        >>> sets.jaccard(np.array([0]), np.array([1])).round(2).tolist()
        [0.33]
    """

    def __init__(self, texts: Sequence[str], width: int) -> None:
        self._texts, self._width = texts, width
        self._lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        self._keep = int(self._lengths.sum()) <= _KEPT
        self._size = np.zeros(len(texts), np.int32)
        self._row_of = np.zeros(len(texts), np.int64)
        self._columns: list[NDArray[np.int32]] = []
        self._sizes: list[NDArray[np.int32]] = []
        self._added = 0

    def add(self, rows: Ints, hashes: NDArray[np.uint32]) -> None:
        """Take in texts as `cut` yields them: positions (m,) and hashes (m, s)."""
        columns = np.sort((hashes >> np.uint32(1)).astype(np.int32), axis=1)
        distinct = np.ones(columns.shape, np.bool_)
        np.not_equal(columns[:, 1:], columns[:, :-1], out=distinct[:, 1:])
        self._size[rows] = np.count_nonzero(distinct, axis=1)
        if self._keep:
            self._row_of[rows] = np.arange(self._added, self._added + len(rows))
            self._added += len(rows)
            self._columns.append(columns[distinct])
            self._sizes.append(self._size[rows])

    @cached_property
    def _matrix(self) -> csr_array:
        """Sets as rows of a sparse matrix of ones, a column per hash."""
        columns = np.concatenate(self._columns)
        self._columns = []
        pointers = np.concatenate([[0], np.cumsum(np.concatenate(self._sizes))])
        ones = np.broadcast_to(np.int8(1), columns.shape)
        from scipy.sparse import csr_array  # slow to import, and not needed for stored clusters

        return csr_array((ones, columns, pointers), shape=(len(pointers) - 1, 2**31 - 1))

    def comparable(self, a: Ints, b: Ints, threshold: float) -> NDArray[np.bool_]:
        """Which pairs' set sizes allow a similarity of the threshold, shape (m,)."""
        first, second = self._size[a], self._size[b]
        return np.minimum(first, second) >= (threshold - 1e-9) * np.maximum(first, second)

    def jaccard(self, a: Ints, b: Ints) -> NDArray[np.float64]:
        """Jaccard similarity |A ∩ B| / |A ∪ B| of pairs of texts.

        Args:
            a: shape (m,), positions of the first text of each pair.
            b: shape (m,), of the second.

        Returns:
            Shape (m,), in [0, 1]; exact up to collisions of 31-bit hashes within a pair.
        """
        if not self._keep:
            return self._jaccard_of_cut_again(a, b)
        sets = self._matrix
        shared = np.diff(sets[self._row_of[a]].multiply(sets[self._row_of[b]]).indptr)
        similarity: NDArray[np.float64] = shared / (self._size[a] + self._size[b] - shared)
        return similarity

    def _jaccard_of_cut_again(self, a: Ints, b: Ints) -> NDArray[np.float64]:
        out = np.empty(len(a))
        ends = np.cumsum(self._lengths[a] + self._lengths[b]) // (_KEPT // 8)
        for part in np.split(np.arange(len(a)), np.flatnonzero(np.diff(ends)) + 1):
            used, position = np.unique(np.concatenate([a[part], b[part]]), return_inverse=True)
            texts = [self._texts[i] for i in used.tolist()]
            sets = ShingleSets(texts, self._width)
            sets._keep = True
            for rows, hashes in cut(texts, self._width):
                sets.add(rows, hashes)
            out[part] = sets.jaccard(position[: len(part)], position[len(part) :])
        return out
