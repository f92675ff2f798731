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


@dataclass(frozen=True)
class Ladder:
    """A ladder of responses, as far as it can be fitted again.

    Attributes:
        without: answers of the prompts of `without_data`.
        prompted: answers of those of `prompted`.
        base: answers of what n-grams are mixed into: the same, or a tuned model beside them.
        weights: of the three mixtures.
        spelt: per prompt of `base` the tokens of each train response, as its template writes it.
        train_clusters: shape (n_train,), of the train responses.
        development_clusters: shape (n_dev,).
        seed: of the draws.
    """

    without: Sides
    prompted: Sides
    base: Sides
    weights: tuple[Floats, Floats, Floats]
    spelt: Sequence[Sequence[Ints]]
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

    def _asked(self) -> Floats:
        """Bits of `without_data` and `prompted` as they are, and room for the learned, shape (4, n)."""
        asked = (self.without, self.prompted)
        without, prompted = (
            mixed(align(side.evaluation), w)
            for side, w in zip(asked, self.weights[:2], strict=True)
        )
        return np.stack([without, prompted, prompted, prompted])

    def _train_side(self, own: Floats) -> Gains:
        """Parts of whole clusters without replacement: the delete-d jackknife (Shao & Wu 1989)."""
        n = len(self.train_clusters)
        found, sizes = [], []
        for turn in range(PARTS):
            rows = sample_clusters(self.train_clusters, round(KEPT * n), self.seed + turn)
            sizes.append(len(rows))
            mixture = _WithNGrams(self.base, self._counted(rows))
            learned = mixed(mixture.evaluation(mixture.best(self.weights[2])), self.weights[2])
            found.append(np.stack([own[0], own[1], learned, learned]))
        kept = float(np.mean(sizes))
        return Gains(-np.stack(found), kept / max(n - kept, 1.0))

    def _development(self) -> Gains:
        """Development items counted anew, for the weights of prompts and of n-grams."""
        without, prompted, base = (
            _BothSides(*(align(answers) for answers in side))
            for side in (self.without, self.prompted, self.base)
        )
        mixture = _WithNGrams(self.base, self._counted(np.arange(len(self.train_clusters))))
        found = []
        for counts in counted_anew(self.development_clusters, REWEIGHTS, self.seed + 1):
            of_base = fit_weights(base.development, counts)
            learned = mixed(mixture.evaluation(mixture.best(of_base, counts)), of_base)
            asked = (
                mixed(side.evaluation, fit_weights(side.development, counts))
                for side in (without, prompted)
            )
            found.append(np.stack([*asked, learned, learned]))
        return Gains(-np.stack(found), 1.0)

    def _counted(self, rows: NDArray[np.integer[Any]]) -> list[NGram]:
        """N-grams of some train responses, one model for each prompt's way to spell them."""
        made: dict[int, NGram] = {}
        for spelt in self.spelt:
            if id(spelt) not in made:
                made[id(spelt)] = NGram([spelt[i] for i in rows])
        return [made[id(spelt)] for spelt in self.spelt]


class _BothSides(NamedTuple):
    """What a mixture's prompts say, ready to be mixed."""

    development: Pieces
    evaluation: Pieces


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
