"""Numbers that are to be classified: four classes by quartile."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = 4


class Bins:
    """Classes of about equal frequency, named by their bounds.

    Args:
        values: all numbers of the column; those that are not finite are left out.

    Attributes:
        names: of the classes, lowest first; fewer than four where one value is that frequent.

    Example:
        >>> bins = Bins([1, 2, 3, 4, 5, 6, 7, 8.5])
        >>> bins.names
        ('below 2.75', '2.75 to 4.5', '4.5 to 6.25', '6.25 or more')
        >>> bins.of(2.75), bins.of(-10)
        ('2.75 to 4.5', 'below 2.75')
    """

    def __init__(self, values: Sequence[float]) -> None:
        finite = np.array([v for v in values if math.isfinite(v)], float)
        cuts = np.quantile(finite, np.arange(1, PARTS) / PARTS) if len(finite) else []
        lowest = float(finite.min()) if len(finite) else 0.0
        # shown and used to four digits, so that a class is what its name says
        self._edges = sorted({float(f"{c:.4g}") for c in cuts if float(f"{c:.4g}") > lowest})
        shown = [f"{e:.4g}" for e in self._edges]
        middle = [f"{a} to {b}" for a, b in pairwise(shown)]
        ends = (f"below {shown[0]}", f"{shown[-1]} or more") if shown else ("any", "")
        self.names = (ends[0], *middle, *ends[1:]) if shown else ("any",)

    def of(self, value: float) -> str:
        """The class of a number; a bound belongs to the class above it."""
        return self.names[bisect_right(self._edges, value)]
