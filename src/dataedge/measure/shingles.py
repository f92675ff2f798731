"""Texts as sets of overlapping character shingles, and how much two such sets share."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_BLOCK_CHARS = 1 << 19  # characters cut at a time: what is in flight fits the processor's cache
_BLOCK_TEXTS = 4096  # texts folded at a time
_SYMBOLS = frozenset("#%&*+/@\\")  # punctuation that carries meaning: C#, 5 %, a/b
_BETWEEN = "\ue000"  # stands between folded texts; from Unicode's private area
_KEPT_CHARS = 1 << 26
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
    out = [""] * len(texts)
    for start in range(0, len(texts), _BLOCK_TEXTS):
        block = range(start, min(start + _BLOCK_TEXTS, len(texts)))
        plain = [i for i in block if texts[i].isascii()]  # translated an order faster
        for rows in (plain, [i for i in block if not texts[i].isascii()]):
            for i, folded in zip(rows, _fold_block([texts[i] for i in rows]), strict=True):
                out[i] = folded or texts[i].strip()
    return out


def _fold_block(texts: list[str]) -> list[str]:
    """Fold texts in one go; all that happens in Python is per block."""
    pieces = _fold_joined(f" {_BETWEEN} ".join(texts)).split(_BETWEEN) if texts else []
    if len(pieces) != len(texts):  # a text holds the separator itself
        pieces = [_fold_joined(text.replace(_BETWEEN, " ")) for text in texts]
    return [piece.strip(" ") for piece in pieces]


def _fold_joined(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().translate(_FOLD).split())


def blocks(texts: Sequence[str]) -> Iterator[slice]:
    """Runs of texts of bounded total length."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    at = 0
    while at < len(texts):
        base = int(ends[at - 1]) if at else 0
        end = max(at + 1, int(np.searchsorted(ends, base + _BLOCK_CHARS, side="right")))
        yield slice(at, end)
        at = end


def cut(texts: Sequence[str], width: int) -> tuple[NDArray[np.uint32], Ints, Ints]:
    """Hash every shingle of every text.

    Args:
        texts: n folded texts.
        width: characters per shingle; a shorter text is one shingle.

    Returns:
        Hashes of all windows over the joined texts; shape (n,), where each text's shingles
        begin among them; shape (n,), how many it has (repeats included, at least one).
    """
    pad = "\0" * (width - 1)
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
    return (hashes >> np.uint64(32)).astype(np.uint32), begin, np.maximum(lengths - width + 1, 1)


class ShingleSets:
    """The shingle sets of texts, for exact similarities.

    Kept in memory up to 64 million characters (five bytes each); beyond, cut again when asked.

    Args:
        texts: n folded texts.
        width: characters per shingle.

    Example:
        >>> sets = ShingleSets(["abcd", "bcde"], 3)
        >>> sets.jaccard(np.array([0]), np.array([1])).round(2).tolist()
        [0.33]
    """

    def __init__(self, texts: Sequence[str], width: int) -> None:
        self._texts, self._width = texts, width
        keep = sum(map(len, texts)) <= _KEPT_CHARS
        self._kept = _matrix(texts, width) if keep else None

    def jaccard(self, a: Ints, b: Ints) -> NDArray[np.float64]:
        """Jaccard similarity |A ∩ B| / |A ∪ B| of pairs of texts.

        Args:
            a: shape (m,), positions of the first text of each pair.
            b: shape (m,), of the second.

        Returns:
            Shape (m,), in [0, 1]; exact up to collisions of 31-bit hashes within a pair.
        """
        sets = self._kept
        if sets is None:
            used, position = np.unique(np.concatenate([a, b]), return_inverse=True)
            sets = _matrix([self._texts[i] for i in used.tolist()], self._width)
            a, b = position[: len(a)], position[len(a) :]
        size = np.diff(sets.indptr)
        shared = np.diff(sets[a].multiply(sets[b]).indptr)
        similarity: NDArray[np.float64] = shared / (size[a] + size[b] - shared)
        return similarity


def _matrix(texts: Sequence[str], width: int) -> csr_array:
    """Sets as rows of a sparse matrix of ones, a column per hash."""
    parts = [_sets(texts[block], width) for block in blocks(texts)]
    columns = np.concatenate([hashes for hashes, _ in parts])
    pointers = np.concatenate([[0], np.cumsum(np.concatenate([size for _, size in parts]))])
    shape = (len(texts), 2**31 - 1)
    return csr_array((np.ones(len(columns), np.int8), columns, pointers), shape=shape)


def _sets(texts: Sequence[str], width: int) -> tuple[NDArray[np.int32], Ints]:
    """Sorted distinct shingle hashes (31 bits) of each text, end to end, and set sizes (n,)."""
    hashes, begin, count = cut(texts, width)
    starts = np.cumsum(count) - count
    windows = np.arange(int(count.sum())) + np.repeat(begin - starts, count)
    owner = np.repeat(np.arange(len(texts), dtype=np.uint64) << np.uint64(32), count)
    keys = owner | np.minimum(hashes[windows] >> np.uint32(1), np.uint32(2**31 - 2))
    keys.sort()
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    sizes = np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=len(texts))
    return (keys & np.uint64(0x7FFFFFFF)).astype(np.int32), sizes
