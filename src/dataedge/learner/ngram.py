"""An n-gram model of the train side, mixed with what the base model says.

It stands for what a fine-tune memorises: names, phrases and formats of the data. For each token
the longest suffix of up to `ORDER` tokens that occurs in the train side decides; the trust in it
grows with its length and count. Counting is by hashed n-grams in sorted arrays, so memory is
eight bytes per train token and order.

Source: method of the interpolated longest-suffix model ("infini-gram", Liu et al. 2024), bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataedge.engine.values import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VERSION = 1
"""Raised when the same sequences would give other probabilities."""
ORDER = 6
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class NGram:
    """Counts of all n-grams of orders 1 to ORDER + 1 in token sequences, made when asked for.

    Args:
        sequences: train side, one array of token ids per item.
    """

    def __init__(self, sequences: Sequence[NDArray[np.int64]]) -> None:
        self._tokens, self._ends = _concatenate(sequences)

    @cached_property
    def _sorted(self) -> list[NDArray[np.uint64]]:
        return [np.sort(_hashes(self._tokens, self._ends, n)) for n in range(1, ORDER + 2)]

    @cached_property
    def identity(self) -> str:
        """Digest of what was counted and how, to keep results under."""
        return digest([VERSION, self._tokens, self._ends])

    def evidence(self, sequences: Sequence[NDArray[np.int64]]) -> list[Evidence]:
        """What was counted says of every token of n sequences, given those before it in the same one."""
        whole, ends = _concatenate(sequences)
        lengths = np.diff(ends, prepend=0)
        begin = np.repeat(ends - lengths, lengths)
        t = len(whole)
        trust, probability, open_ = np.zeros(t), np.zeros(t), np.ones(t, bool)
        for k in range(ORDER, 0, -1):
            where = np.arange(t) - k
            usable = open_ & (where >= begin)
            if not usable.any():
                continue
            at = where[usable]
            seen = _count(self._sorted[k - 1], _hashes(whole, ends, k, keep_all=True)[at])
            both = _count(self._sorted[k], _hashes(whole, ends, k + 1, keep_all=True)[at])
            known = seen > 0
            rows = np.flatnonzero(usable)[known]
            trust[rows] = (k + 1) / (ORDER + 1) * seen[known] / (seen[known] + 1)
            probability[rows] = np.minimum(1.0, both[known] / seen[known])
            open_[rows] = False
        cuts = ends[:-1]
        pairs = zip(np.split(trust, cuts), np.split(probability, cuts), strict=True)
        return [Evidence(*pair) for pair in pairs] if len(ends) else []


class Evidence(NamedTuple):
    """What n-grams say of t tokens.

    Attributes:
        trust: shape (t,), (k + 1)/(ORDER + 1) · c/(c + 1), the longest known suffix being of k tokens and
            seen c times.
        probability: shape (t,), of the token after that suffix.
    """

    trust: NDArray[np.float64]
    probability: NDArray[np.float64]


def interpolated(
    evidence: Evidence, logprobs: NDArray[np.float64], weight: float
) -> NDArray[np.float64]:
    """Log-probabilities (nats) of tokens with n-grams mixed in, shape (t,)."""
    share = weight * evidence.trust
    mixed = (1 - share) * np.exp(logprobs) + share * evidence.probability
    return np.asarray(np.log(np.maximum(mixed, 1e-300)))


@dataclass(frozen=True)
class ByteUnigram:
    """The chance rung of text: each byte by its frequency in the train side, add-one smoothed."""

    log2_probability: NDArray[np.float64]

    @classmethod
    def fit(cls, texts: Sequence[str]) -> ByteUnigram:
        """Count the bytes of train-side texts."""
        counts = np.ones(256)
        for text in texts:
            counts += np.bincount(
                np.frombuffer(text.encode("utf-8", "replace"), np.uint8), minlength=256
            )
        return cls(np.log2(counts / counts.sum()))

    def bits(self, text: str) -> float:
        """Code length of a text in bits."""
        data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
        return float(-self.log2_probability[data].sum())


def _concatenate(
    sequences: Sequence[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if not sequences:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(sequences), np.cumsum([len(s) for s in sequences])


def _hashes(
    tokens: NDArray[np.int64], ends: NDArray[np.int64], n: int, *, keep_all: bool = False
) -> NDArray[np.uint64]:
    """Hash of the n-gram that begins at each position; those across a sequence's end are left out."""
    count = max(0, len(tokens) - n + 1)
    value = np.zeros(count, np.uint64)
    with np.errstate(over="ignore"):
        for i in range(n):
            value = (value ^ (tokens[i : i + count].astype(np.uint64) + np.uint64(1))) * _MULTIPLIER
            value ^= value >> np.uint64(29)
    if keep_all or not count:
        return value
    starts = np.arange(count)
    end_of = ends[np.searchsorted(ends, starts, side="right")]
    return value[starts + n <= end_of]


def _count(sorted_hashes: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.asarray(
        np.searchsorted(sorted_hashes, wanted, side="right")
        - np.searchsorted(sorted_hashes, wanted, side="left")
    )
