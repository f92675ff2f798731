"""What a test could have found: power at the rows it had, and when to say so.

One effect size serves all three tests, the *item AUROC*: how often what was exposed scores above
what was not. With normal scores of equal spread, an AUROC a is a shift of d = √2·Φ⁻¹(a) standard
deviations (Green & Swets 1966). Levels are one-sided: exposure makes text likelier, never less.

- Two arms of n rows (control set): Φ(d·√(n/2) − z), so that .52 / .60 / .80 need 3,990 / 157 / 15
  rows per arm for 80 % at α = .01. (For means of normal scores; ranks of 15 rows reach about 70 %.)
- One row against K decoys of its own (random field), and one order against K shuffles (order
  test): the rank among the decoys, divided by K, has mean 1/2 and variance (K+2)/(12K) if nothing
  was seen; with AUROC a its mean is a, and its variance follows from how often two decoys stand
  below the same value. Their mean over n is taken as normal.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from dataedge.figures import Figure

ALPHA = 0.01
"""From here a p-value is called a finding."""
ENOUGH = 0.8
"""Power from which silence says something."""


def shift(auroc: float) -> float:
    """Standard deviations between two normal distributions with this AUROC.

    Example:
        >>> shift(0.5), round(shift(0.8), 2)
        (0.0, 1.19)
    """
    return math.sqrt(2.0) * float(ndtri(auroc))


def two_arms(n: int, auroc: float, alpha: float = ALPHA) -> float:
    """Power of a comparison of two arms of n rows each.

    Example:
        >>> [round(two_arms(n, a), 2) for n, a in ((3990, 0.52), (157, 0.60), (15, 0.80))]
        [0.8, 0.8, 0.82]
    """
    return float(ndtr(shift(auroc) * math.sqrt(n / 2) - ndtri(1 - alpha))) if n > 0 else 0.0


def rows_per_arm(auroc: float, power: float = ENOUGH, alpha: float = ALPHA) -> int:
    """Rows that each arm needs.

    Example:
        >>> [rows_per_arm(a) for a in (0.52, 0.60, 0.80)]
        [3990, 157, 15]
    """
    wanted = float(ndtri(1 - alpha) + ndtri(power))
    return math.ceil(2 * (wanted / shift(auroc)) ** 2)


def among_decoys(n: int, decoys: int, auroc: float, alpha: float = ALPHA) -> float:
    """Power of a mean rank over n values, each among so many decoys of its own.

    Example:
        >>> round(among_decoys(100, 19, 0.60), 2), round(among_decoys(10, 9, 0.80), 2)
        (0.84, 0.8)
    """
    if n <= 0 or decoys <= 0:
        return 0.0
    flat = math.sqrt((decoys + 2) / (12 * decoys))
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    below = ndtr(nodes + shift(auroc))  # the share of decoys below a value that stands there
    pair = float((weights * below**2).sum() / weights.sum())
    spread = math.sqrt(auroc * (1 - auroc) / decoys + (1 - 1 / decoys) * (pair - auroc**2))
    return float(ndtr((math.sqrt(n) * (auroc - 0.5) - ndtri(1 - alpha) * flat) / spread))


def concluded(p: float, n: int, power: float, *, at: float, found: str, **detail: Any) -> Figure:
    """A p-value as a figure: ok where it finds something or could have, else underpowered.

    Args:
        p: the test's p-value.
        n: rows (or shards) that it rests on.
        power: at the item AUROC `at`, with these n.
        at: the effect that the test is asked to find.
        found: a sentence for a p-value below ALPHA.
        detail: stored with the figure.
    """
    detail |= {"power": round(power, 3), "power_at_auroc": at, "alpha": ALPHA}
    if p < ALPHA:
        return Figure(p, n=n, unit="p", reason=found, detail=detail)
    chance = f"an item AUROC of {at:.2f} would have shown with a probability of {power:.2f}"
    if power < ENOUGH:
        reason = f"too little to tell: {chance}"
        return Figure(p, n=n, unit="p", status="underpowered", reason=reason, detail=detail)
    return Figure(p, n=n, unit="p", reason=f"no sign of exposure; {chance}", detail=detail)
