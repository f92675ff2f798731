"""What a ladder would have reached with something drawn anew: containers, and what they add to an interval.

No item is evaluated that the ladder itself was not. Each refit is judged on the same evaluation items, and
how far a rung moves between refits is what an interval over evaluation items alone leaves out. How the
ladders are fitted again stands in `label_refits.py`, `response_refits.py` and `number_refits.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from dataedge.widened_intervals import Added, refit_variance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

REFITTED = ("without_data", "prompted", "learned", "with_data")
"""The rungs that are refitted, in the order in which they are kept."""
TUNED, LEARNED = "tuned", "learned"
"""The rung that is too dear to fit again, and the one whose train side stands for its own."""
CONSTANT = "chance"
"""The rung that is taken to stay as it is."""
KEPT = 0.7
"""Share of the train items in a part. Of a half, a learner of few rows learns so little that the stack
hardly listens to it, and the variance found is too small; of four fifths it came out too large."""


class Items(NamedTuple):
    """The evaluation items that a figure rests on.

    Attributes:
        weight: shape (n,), 1 on the mean.
        clusters: shape (n,).
        classes: shape (n,), their labels; None where they do not matter.
        balanced: count the label that is likeliest beyond its frequency.
    """

    weight: Floats
    clusters: Ints
    classes: Ints | None = None
    balanced: bool = False


class Said(NamedTuple):
    """What is said of held-out items: log-probabilities, shape (m, K), or numbers, shape (m,)."""

    development: Floats
    evaluation: Floats


@dataclass(frozen=True)
class Answers:
    """Which of its answers each refit has right.

    Attributes:
        hits: shape (R, 4, n), of the likeliest label, by rung in the order of `REFITTED`.
        balanced: same shape, of the label that is likeliest beyond its frequency.
        scale: the variance between these refits times this is the variance between audits.
    """

    hits: Bools
    balanced: Bools
    scale: float

    def __len__(self) -> int:
        return len(self.hits)

    def items(self, mask: Bools) -> Self:
        """The same on some of the evaluation items."""
        return type(self)(self.hits[:, :, mask], self.balanced[:, :, mask], self.scale)

    def variance(self, upper: str, lower: str, on: Items) -> float:
        """Of the weighted mean of `upper`, less that of `lower` unless it stays as it is."""
        hits = self.balanced if on.balanced else self.hits
        values = hits[:, REFITTED.index(upper)].astype(np.float64)
        if lower != CONSTANT:
            values -= hits[:, REFITTED.index(lower)]
        return self.scale * refit_variance(values * on.weight, on.clusters, on.classes)


@dataclass(frozen=True)
class Gains:
    """What each refit gains per item, in bits saved or squared error taken away.

    Attributes:
        gain: shape (R, 4, n), by rung in the order of `REFITTED`; NaN where there is no answer.
        scale: the variance between these refits times this is the variance between audits.
    """

    gain: Floats
    scale: float

    def __len__(self) -> int:
        return len(self.gain)

    def items(self, mask: Bools) -> Self:
        """The same on some of the evaluation items."""
        return type(self)(self.gain[:, :, mask], self.scale)

    def variance(self, upper: str, lower: str, on: Items) -> float:
        """Of the weighted mean of `upper`, less that of `lower` unless it stays as it is."""
        values = self.gain[:, REFITTED.index(upper)]
        if lower != CONSTANT:
            values = values - self.gain[:, REFITTED.index(lower)]
        known = np.isfinite(values).all(axis=0)
        kept = values[:, known] * on.weight[known]
        return self.scale * refit_variance(kept, on.clusters[known])


class _Refitted(Protocol):
    """Refits that differ in one thing that was drawn anew."""

    def __len__(self) -> int: ...

    def items(self, mask: Bools) -> Self: ...

    def variance(self, upper: str, lower: str, on: Items) -> float: ...


R = TypeVar("R", bound=_Refitted)


@dataclass(frozen=True)
class Refits(Generic[R]):
    """Refits by what was drawn anew.

    Attributes:
        train_side: what is learned, on parts of the train side.
        development: weights, development items counted anew.
        prompts: for each kind of prompts the refits without one of them, or with other demonstrations.
    """

    train_side: R
    development: R
    prompts: tuple[R, ...]

    def items(self, mask: Bools) -> Refits[R]:
        """The same on some of the evaluation items."""
        return Refits(
            self.train_side.items(mask),
            self.development.items(mask),
            tuple(one.items(mask) for one in self.prompts),
        )

    def variances(self, upper: str, lower: str, on: Items) -> Added | None:
        """What refits add to the variance of a rung's mean, or of a difference of two.

        Args:
            upper: a rung.
            lower: the rung that is taken off; `chance` for none.
            on: the evaluation items.

        Returns:
            By source; None where one of the two is not refitted.
        """
        if upper not in (*REFITTED, TUNED) or lower not in (*REFITTED, CONSTANT):
            return None
        groups = ((self.train_side,), (self.development,), self.prompts)
        pairs = [(upper, lower)] * 3
        if (
            upper == TUNED
        ):  # it is asked behind the bare prompt: what moves prompts moves `lower` alone
            pairs = [(LEARNED, lower), (lower, CONSTANT), (lower, CONSTANT)]
        one, two, three = (
            max(sum(r.variance(*pair, on) for r in refits if pair[0] != CONSTANT), 0.0)
            for refits, pair in zip(groups, pairs, strict=True)
        )
        made = [[len(r) for r in refits] for refits in groups]
        free = [float(max(sum(m) - len(m), 1)) for m in made]
        return Added(one, two, three, (free[0], free[1], free[2]), sum(map(sum, made)))


def without_one(kinds: Sequence[str]) -> list[list[list[int]]]:
    """For each kind that several prompts are of: the positions of all prompts but one of these, in turn.

    The jackknife within kinds: the variance between k such refits times (k − 1)² / k is that between audits.

    Example:
        >>> without_one(["zero_shot", "zero_shot", "retrieved"])
        [[[1, 2], [0, 2]]]
    """
    everyone = range(len(kinds))
    found = []
    for kind in dict.fromkeys(kinds):
        members = [i for i in everyone if kinds[i] == kind]
        if len(members) > 1:
            found.append([[i for i in everyone if i != left_out] for left_out in members])
    return found


def counted_anew(clusters: Ints, times: int, seed: int) -> list[Floats]:
    """How often each item counts when clusters are weighted anew: the Bayesian bootstrap (Rubin 1981).

    Args:
        clusters: shape (n,), of the items.
        times: so many sets of counts.
        seed: of the weights, which are exponential.

    Returns:
        Counts, each of shape (n,) and of mean 1.
    """
    rng = np.random.default_rng(seed)
    _, own = np.unique(clusters, return_inverse=True)
    found = []
    for _ in range(times):
        counts = rng.exponential(size=int(own.max()) + 1)[own]
        found.append(counts * (len(own) / counts.sum()))
    return found
