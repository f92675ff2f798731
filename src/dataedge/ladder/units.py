"""The units that rungs are counted in."""

from __future__ import annotations

BITS = "bits/byte"
R2 = "R²"
"""Share of the variance around the train mean that predictions take away: 0 is as good as that mean."""
ABSOLUTE = "absolute error"
"""Mean distance of predictions from numbers, in the label's own unit."""
LOWER = (BITS, ABSOLUTE)
"""Units in which lower is better."""
PROPORTIONS = ("accuracy", "exact match")
"""Units of hits: their intervals are those of proportions, not bootstraps."""
BALANCED = "balanced accuracy"
"""Mean over labels of the accuracy on the items of each: the headline where one label is most of all."""
