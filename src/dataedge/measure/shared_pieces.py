"""Two texts per item: the edge where neither text was learned from, and what shared texts do to its interval.

A premise with five hypotheses, or a product with ten questions, makes items that err together, and
lets a learner remember the piece instead of learning the task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from dataedge.figures import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

FEWEST = 20
"""Items without a known piece below which the figure says `underpowered`."""


def edge_of_unseen_pieces(
    gains: Floats,
    pairs: Sequence[tuple[str, ...]],
    learned_from: Sequence[tuple[str, ...]],
    *,
    unit: str = "accuracy",
) -> Figure:
    """Edge over the evaluation items neither of whose texts stands in a train item.

    Args:
        gains: shape (n,), with_data − without_data of each evaluation item.
        pairs: their two texts.
        learned_from: those of the train items.
        unit: of the gains.

    Returns:
        Figure with a dyadic-robust interval; the detail has the edge over `all` items with an
        interval of the same kind, and `seen`, over those with a known piece.

    Example:
        >>> pairs = [(f"a{i}", f"b{i}") for i in range(40)]
        >>> edge_of_unseen_pieces(np.ones(40), pairs, pairs[:10]).n
        30
    """
    if not pairs or any(len(p) != 2 for p in pairs):
        return Figure.missing("items do not have two texts", unit)
    known = {_plain(piece) for pair in learned_from for piece in pair}
    plain = [(_plain(a), _plain(b)) for a, b in pairs]
    unseen = np.array([a not in known and b not in known for a, b in plain])
    detail = {
        name: _brief(gains[mask], [p for p, m in zip(plain, mask, strict=True) if m])
        for name, mask in (("all", np.ones(len(gains), bool)), ("seen", ~unseen))
        if mask.any()
    }
    n = int(unseen.sum())
    if n < 2:
        reason = f"{n} of {len(pairs)} items have two texts that no train item has"
        return Figure(None, n=n, unit=unit, status="skipped", reason=reason, detail=detail)
    fresh = gains[unseen]
    value, half = (
        float(fresh.mean()),
        half_width(fresh, [p for p, u in zip(plain, unseen, strict=True) if u]),
    )
    few = f"only {n} items have two texts that no train item has" if n < FEWEST else ""
    status: Any = "underpowered" if few else "ok"
    return Figure(value, value - half, value + half, n, unit, status, few, detail)


def half_width(gains: Floats, pairs: Sequence[tuple[str, str]], *, level: float = 0.95) -> float:
    """Half the interval of a mean whose items share pieces.

    Dyadic-robust variance (Fafchamps and Gubert 2007; Aronow, Samii and Assenova 2015): products of
    residuals of all items that share a piece, Σ over pieces of (Σ residuals)² less what pairs that
    share both have twice; never below the variance of independent items. Student's t on the number
    of pieces of the side that has fewer.

    Args:
        gains: shape (n,), n ≥ 2.
        pairs: the two pieces of each item.
        level: coverage of the interval.
    """
    n = len(gains)
    rest = gains - gains.mean()
    names: dict[str, int] = {}
    codes = np.array([[names.setdefault(p, len(names)) for p in pair] for pair in pairs])
    codes.sort(1)
    twice = codes[:, 0] == codes[:, 1]
    total = float(
        np.square(
            np.bincount(codes[:, 0], rest, len(names))
            + np.bincount(codes[~twice, 1], rest[~twice], len(names))
        ).sum()
    )
    own = np.unique(codes[~twice], axis=0, return_inverse=True)[1].ravel()
    both = float(np.square(np.bincount(own, rest[~twice])).sum()) if len(own) else 0.0
    pieces = min(len({a for a, _ in pairs}), len({b for _, b in pairs}))
    shared = (total - both) * pieces / max(pieces - 1, 1)
    alone = float(rest @ rest) * n / (n - 1)
    spread = np.sqrt(max(shared, alone)) / n
    return float(stdtrit(max(pieces - 1, 1), (1 + level) / 2) * spread)


def _brief(gains: Floats, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    value = float(gains.mean())
    half = half_width(gains, pairs) if len(gains) > 1 else None
    ends = (None, None) if half is None else (value - half, value + half)
    return {"value": value, "low": ends[0], "high": ends[1], "n": len(gains)}


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
