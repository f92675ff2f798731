"""What the ladder of responses would have reached with another train side, other weights, other prompts.

N-grams are counted in random parts of the train side, mixtures are fitted to development items that count
differently, and the chosen prompts are asked once more with other demonstrations drawn at random. All are
judged on the same evaluation items: how far a rung moves is what an interval over evaluation items alone
leaves out. Which prompts were chosen and which demonstrations were retrieved stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.ladder.refits import KEPT, Gains, Refits, counted_anew
from dataedge.ladder.response_prompts import evidence_of, with_ngrams
from dataedge.learner.ngram import WEIGHTS, NGram
from dataedge.learning_curve.more_data import sample_clusters
from dataedge.prompt.mixture import align, fit_weights, mixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.prompt.mixture import Pieces
    from dataedge.prompt.scores import Answer

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PARTS, REWEIGHTS = 8, 12
"""Refits on random parts of the train side, and with development items weighted anew."""
DRAWS = {False: 4, True: 2}
"""Further draws of demonstrations that the chosen prompts are asked with; fewer where each has its price."""


class Sides(NamedTuple):
    """Answers of the prompts of a mixture, per prompt one of each response.

    Attributes:
        development: of development items.
        evaluation: of evaluation items.
    """

    development: Sequence[Sequence[Answer | None]]
    evaluation: Sequence[Sequence[Answer | None]]


class Mixture(NamedTuple):
    """Prompts as one, into which n-grams may be mixed.

    Attributes:
        said: their answers.
        weights: shape (M,).
        spelt: per prompt the tokens of each train response, as its template writes it; empty without n-grams.
    """

    said: Sides
    weights: Floats
    spelt: Sequence[Sequence[Ints]] = ()


@dataclass(frozen=True)
class Ladder:
    """A ladder of responses, as far as it can be fitted again.

    Attributes:
        without: the prompts of `without_data`.
        prompted: those of `prompted`.
        learned: what n-grams are mixed into: those of `without_data`, and a tuned model if there is one.
        with_data: the same with those of `prompted`; None where nothing is retrieved.
        train_clusters: shape (n_train,), of the train responses.
        development_clusters: shape (n_dev,).
        seed: of the draws.
    """

    without: Mixture
    prompted: Mixture
    learned: Mixture
    with_data: Mixture | None
    train_clusters: Ints
    development_clusters: Ints
    seed: int

    def refit(self, drawn: Sequence[Floats]) -> Refits[Gains]:
        """All refits: some seconds.

        Args:
            drawn: per draw of demonstrations the bits of all responses, shape (4, n), the ladder's own
                first.
        """
        own = self._asked()
        draws = (Gains(-np.stack(drawn), 1.0),) if len(drawn) > 1 else ()
        return Refits(self._train_side(own), self._development(), draws)

    def _asked(self) -> list[Floats]:
        """Bits of `without_data` and `prompted` as they are, shape (n,) each."""
        return [mixed(align(m.said.evaluation), m.weights) for m in (self.without, self.prompted)]

    @property
    def _taught(self) -> list[Mixture]:
        """What n-grams are mixed into."""
        return [self.learned] if self.with_data is None else [self.learned, self.with_data]

    def _train_side(self, own: list[Floats]) -> Gains:
        """Parts of whole clusters without replacement: the delete-d jackknife (Shao & Wu 1989)."""
        n = len(self.train_clusters)
        found, sizes = [], []
        for turn in range(PARTS):
            rows = sample_clusters(self.train_clusters, round(KEPT * n), self.seed + turn)
            sizes.append(len(rows))
            counted = self._counted(rows)
            learned = [counted.bits(mixture, mixture.weights) for mixture in self._taught]
            found.append(_rungs(own, learned))
        kept = float(np.mean(sizes))
        return Gains(-np.stack(found), kept / max(n - kept, 1.0))

    def _development(self) -> Gains:
        """Development items counted anew, for the weights of prompts and of n-grams."""
        asked = [
            _BothSides(*(align(answers) for answers in mixture.said))
            for mixture in (self.without, self.prompted)
        ]
        taught = [align(mixture.said.development) for mixture in self._taught]
        counted = self._counted(np.arange(len(self.train_clusters)))
        found = []
        for counts in counted_anew(self.development_clusters, REWEIGHTS, self.seed + 1):
            learned = [
                counted.bits(mixture, fit_weights(said, counts), counts)
                for mixture, said in zip(self._taught, taught, strict=True)
            ]
            prompted = [mixed(s.evaluation, fit_weights(s.development, counts)) for s in asked]
            found.append(_rungs(prompted, learned))
        return Gains(-np.stack(found), 1.0)

    def _counted(self, rows: NDArray[np.integer[Any]]) -> _Counted:
        """N-grams of some train responses."""
        return _Counted(self._taught, rows)


def _rungs(asked: Sequence[Floats], learned: Sequence[Floats]) -> Floats:
    """Bits of the four rungs, shape (4, n); `with_data` is `learned` where there is no other."""
    return np.stack([*asked, learned[0], learned[-1]])


class _BothSides(NamedTuple):
    """What a mixture's prompts say, ready to be mixed."""

    development: Pieces
    evaluation: Pieces


class _Counted:
    """What mixtures say with n-grams of some train responses mixed in.

    Args:
        mixtures: into which these are mixed.
        rows: the train responses.
    """

    def __init__(self, mixtures: Sequence[Mixture], rows: NDArray[np.integer[Any]]) -> None:
        models: dict[int, NGram] = {}
        self._made: list[tuple[Mixture, _WithNGrams]] = []
        for mixture in mixtures:
            for spelt in mixture.spelt:
                if id(spelt) not in models:
                    models[id(spelt)] = NGram([spelt[i] for i in rows])
            of_prompts = [models[id(spelt)] for spelt in mixture.spelt]
            self._made.append((mixture, _WithNGrams(mixture.said, of_prompts)))

    def bits(self, mixture: Mixture, weights: Floats, counts: Floats | None = None) -> Floats:
        """Of evaluation items, shape (n,), with the weight of n-grams that does best on development items."""
        told = next(made for one, made in self._made if one is mixture)
        return mixed(told.evaluation(told.best(weights, counts)), weights)


class _WithNGrams:
    """What a mixture's prompts say with n-grams mixed in, by the weight of these.

    Args:
        said: by the prompts.
        models: what was counted, for each prompt.
    """

    def __init__(self, said: Sides, models: Sequence[NGram]) -> None:
        self._sides = Sides(*([list(one) for one in side] for side in said))
        self._evidence = [
            [evidence_of(m, answers) for m, answers in zip(models, side, strict=True)]
            for side in self._sides
        ]
        self._made: dict[tuple[int, float], Pieces] = {}

    def best(self, weights: Floats, counts: Floats | None = None) -> float:
        """Weight of n-grams under which development items, counted so often, cost least."""

        def loss(weight: float) -> float:
            bits = mixed(self._at(0, weight), weights)
            return float(np.nansum(bits if counts is None else counts * bits))

        return min(WEIGHTS, key=loss)

    def evaluation(self, weight: float) -> Pieces:
        """What is said of evaluation items."""
        return self._at(1, weight)

    def _at(self, side: int, weight: float) -> Pieces:
        if (side, weight) not in self._made:
            said = zip(self._evidence[side], self._sides[side], strict=True)
            self._made[side, weight] = align([with_ngrams(*pair, weight) for pair in said])
        return self._made[side, weight]
