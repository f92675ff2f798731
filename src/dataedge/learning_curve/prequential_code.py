"""The prequential code of labels: a mixture of learner and label frequencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_WEIGHTS = np.array([0.01, 0.03, 0.1, 0.3, 0.6, 0.9, 1.0])  # of label frequencies in the code
_FORGET = 0.05  # share of the code's belief that is spread evenly at each new size


class PrequentialCode:
    """Bayesian mixture of learner and label frequencies, updated row by row as they are coded.

    Its weights come only from rows that the learner had not seen, so the code is prequential; it
    costs at most log2 of the number of weights more than the best of them, for each size.
    """

    def __init__(self) -> None:
        self._belief = np.full(len(_WEIGHTS), 1.0 / len(_WEIGHTS))

    def bits(self, given: Floats, frequency: Floats) -> Floats:
        """Bits of labels with these two probabilities, each shape (m,), without learning."""
        return -np.log2(self._belief @ _mixtures(given, frequency))

    def encode(self, given: Floats, frequency: Floats) -> Floats:
        """Bits of labels coded one after the other, the weights learned on the way."""
        start = (1 - _FORGET) * self._belief + _FORGET / len(_WEIGHTS)
        each = np.log(start)[:, None] + np.cumsum(np.log(_mixtures(given, frequency)), 1)
        each = np.column_stack([np.log(start), each])
        top = each.max(0)
        total = top + np.log(np.exp(each - top).sum(0))
        self._belief = np.exp(each[:, -1] - total[-1])
        spent: Floats = -np.diff(total) / np.log(2)
        return spent


def _mixtures(given: Floats, frequency: Floats) -> Floats:
    mixed: Floats = np.outer(1 - _WEIGHTS, given) + np.outer(_WEIGHTS, frequency)
    return mixed
