"""What the learner sees of an item: sentence vectors, and the words themselves.

Sentence embeddings blur product names and in-house words; a block of weighted words keeps them.
Two texts may matter in their order or not. Which description serves best is settled on the train
side, by the learner's own leave-one-out likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine.values import digest
from dataedge.learner import classifier
from dataedge.learner.classifier import Learner, pair_features
from dataedge.learner.regression import Regression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

VERSION = 1
"""Raised when the same vectors and texts would give other features."""
WORDS = 1000
"""At most this many words, the most frequent ones, have a feature."""
SAMPLE = 3000
"""Train items on which descriptions are compared."""
DENSE_LIMIT = 50_000
"""Items above which the block of words would take too much memory."""


class Candidates:
    """The ways in which items can be described; nothing is made before a fit asks for it.

    Args:
        vectors: one array (n, d) per input text (one or two).
        texts: n whole inputs.
    """

    def __init__(self, vectors: Sequence[Floats], texts: Sequence[str]) -> None:
        self._vectors, self._texts = vectors, texts

    @cached_property
    def blocks(self) -> dict[str, list[Floats]]:
        """Feature blocks by name of the description."""
        return descriptions(self._vectors, self._texts)

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """All that a learner's fit to them follows from, labels aside: what results are kept under."""
        return {
            "features": VERSION,
            "learner": classifier.VERSION,
            "vectors": digest(list(self._vectors)),
            "texts": digest(list(self._texts)),
        }


@dataclass(frozen=True)
class Description:
    """What the learner sees of the items.

    Attributes:
        name: of the candidate that was chosen.
        candidates: all of them.
    """

    name: str
    candidates: Candidates

    @property
    def blocks(self) -> list[Floats]:
        """Feature blocks, each of shape (n, ·)."""
        return self.candidates.blocks[self.name]

    @property
    def inputs(self) -> dict[str, Any]:
        """As those of the candidates, for this one."""
        return {**self.candidates.inputs, "description": self.name}


def descriptions(vectors: Sequence[Floats], texts: Sequence[str]) -> dict[str, list[Floats]]:
    """Candidate feature blocks by name.

    Args:
        vectors: one array (n, d) per input text (one or two).
        texts: n whole inputs.

    Returns:
        Name → blocks, each of shape (n, ·).
    """
    if len(vectors) == 1:
        plain = {"vectors": [vectors[0]]}
    else:
        a, b = vectors
        ordered = [np.asarray(block, np.float32) for block in pair_features(a, b)]
        plain = {
            "vectors of both texts in order": ordered,
            "vectors of both texts, order aside": [a + b, a * b, np.abs(a - b)],
        }
    words = word_block(texts)
    if words is None:
        return plain
    return plain | {f"{name}, and words": [*blocks, words] for name, blocks in plain.items()}


def word_block(texts: Sequence[str]) -> Floats | None:
    """Word counts weighted by rarity (tf-idf, log counts), shape (n, at most WORDS)."""
    if len(texts) > DENSE_LIMIT:
        return None
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(
        sublinear_tf=True, min_df=2, max_features=WORDS, dtype=np.float32, token_pattern=r"\w+"
    )
    try:
        return np.asarray(vectoriser.fit_transform(texts).toarray(), np.float32)
    except ValueError:  # no word occurs twice
        return None


def choose_for_numbers(
    candidates: dict[str, list[Floats]],
    train: Ints,
    values: NDArray[np.float64],
    clusters: Ints,
    *,
    seed: int,
) -> str:
    """The description from which ridge regression predicts train numbers best, each left out.

    Args:
        candidates: name → blocks.
        train: positions of train items.
        values: shape (n,), numbers.
        clusters: shape (n,).
        seed: of the sample on which they are compared.

    Returns:
        Its name.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(train)[:SAMPLE])

    def loss(blocks: list[Floats]) -> float:
        fitted = Regression().fit([b[rows] for b in blocks], values[rows], clusters[rows])
        return float(np.square(fitted.left_out - values[rows]).mean())

    return min(candidates, key=lambda name: loss(candidates[name]))


def choose(
    candidates: dict[str, list[Floats]],
    train: Ints,
    y: Ints,
    n_classes: int,
    clusters: Ints,
    *,
    seed: int,
) -> str:
    """The description under which train labels are likeliest, each left out of its own fit.

    Args:
        candidates: name → blocks.
        train: positions of train items.
        y: shape (n,), label numbers.
        n_classes: K.
        clusters: shape (n,).
        seed: of the sample on which they are compared.

    Returns:
        Its name.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(train)[:SAMPLE])

    def loss(blocks: list[Floats]) -> float:
        learner = Learner().fit(
            [b[rows] for b in blocks], y[rows], n_classes, clusters=clusters[rows], seed=seed
        )
        given = learner.loo_proba[np.arange(len(rows)), y[rows]]
        return float(-np.log(np.maximum(given, 1e-9)).mean())

    losses = {name: loss(blocks) for name, blocks in candidates.items()}
    return min(losses, key=lambda name: losses[name])
