"""Positions of items in a dataset, and the one way from values of some items to values of all."""

from __future__ import annotations

from typing import NewType

import numpy as np
from numpy.typing import NDArray

Positions = NewType("Positions", NDArray[np.int64])
"""Positions of items in `Dataset.items`, shape (m,). Where an array has one value per item of a side (train,
development, evaluation), the side's positions lead to it, `values = of_all[positions]`, and back,
`of_all = per_item(n, positions, values)`. Numbers within a side (neighbours, folds, orders) stay plain
arrays: `side[numbers]` are positions again."""


def positions(of: object) -> Positions:
    """Whole numbers as positions, shape (m,).

    Example:
        >>> positions([4, 7]).tolist()
        [4, 7]
    """
    return Positions(np.asarray(of, np.int64).reshape(-1))


def per_item(n: int, at: Positions, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of some items as a column over all n, NaN elsewhere.

    Example:
        >>> per_item(3, positions([1]), np.array([0.5])).tolist()
        [nan, 0.5, nan]
    """
    column = np.full(n, np.nan)
    column[at] = values
    return column
