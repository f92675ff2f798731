"""What more data would give: a learning curve's law, its forecast with an interval, or no forecast.

A curve that falls back, jumps late, or is missed by the law that its own first part suggests is
not extrapolated: the forecast then has a reason and no figure.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.learning_curve.checks import (
    LARGE,
    SURE,
    CurvePoints,
    Metric,
    ill_behaved,
    measured,
    too_few,
)
from dataedge.learning_curve.scaling_laws import LAWS, Fit, extrapolation_loss, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.learning_curve.curve import Curve

    Floats = NDArray[np.floating[Any]]

_FURTHEST = 8  # times the largest size: no forecast beyond
_REACH = 64  # times the largest size: how far examples for a target are looked for
_LATE = 0.03  # share of rows in classes that a quarter of the train rows may lack
_DRAWS = 4000
_SPREAD = 0.7  # of the fit, set on the development curves of `benchmarks/volume.py`


@dataclass(frozen=True)
class Forecast:
    """A fitted curve. With a reason, it abstains: every figure is refused with it.

    Attributes:
        metric: accuracy or bits.
        points: what was fitted.
        fits: each law's fit; empty when it abstains for want of points.
        law: the one chosen by extrapolation loss.
        losses: extrapolation loss of each law, in the metric's unit.
        reason: why it abstains; empty if it does not.
        seed: of the draws that intervals come from.
    """

    metric: Metric
    points: CurvePoints
    fits: dict[str, Fit] = field(default_factory=dict)
    law: str = ""
    losses: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    seed: int = 0

    def at(self, n: float, *, level: float = 0.95, judged_on: int | None = None) -> Figure:
        """Forecast at n train rows.

        Args:
            n: up to eight times the largest size of the curve.
            level: coverage of the interval.
            judged_on: widen the interval to what that many new held-out rows would show, not only
                what the learner is worth on average (accuracy only).
        """
        unit = "accuracy" if self.metric == "accuracy" else "bits/item"
        if self.reason:
            return Figure.missing(self.reason, unit, "refused")
        top = float(self.points.sizes[-1])
        if n > _FURTHEST * top:
            reason = f"{n:.0f} rows are more than {_FURTHEST} times the {top:.0f} measured"
            return Figure.missing(reason, unit, "refused")
        rng = np.random.default_rng(self.seed)
        fitted = self.fits[self.law]
        values = fitted.values(np.array([n]))[:, 0]
        error = float(fitted.weight @ values)
        draws = error + _SPREAD * (rng.choice(values, _DRAWS, p=fitted.weight) - error)
        draws += rng.normal(0.0, self.points.noise[-1] * np.sqrt(self.points.shared), _DRAWS)
        if judged_on is not None and self.metric == "accuracy":
            draws += rng.normal(0.0, np.sqrt(error * (1 - error) / judged_on), _DRAWS)
        low, high = np.percentile(draws, [50 * (1 - level), 50 * (1 + level)])
        ends = [min(float(low), error), error, max(float(high), error)]
        if self.metric == "accuracy":
            ends = [1.0 - min(max(e, 0.0), 1.0) for e in reversed(ends)]
        detail = {"law": self.law, "train_rows": float(n), "level": level}
        return Figure(ends[1], max(ends[0], 0.0), ends[2], int(top), unit, detail=detail)

    def gain(self, start: float, end: float, *, level: float = 0.95) -> Figure:
        """Accuracy gained (or bits saved) from one number of train rows to a larger one.

        What the sizes share, such as how hard the held-out rows are, cancels.

        Args:
            start: train rows now.
            end: up to eight times the largest size of the curve.
            level: coverage of the interval.
        """
        unit = "accuracy" if self.metric == "accuracy" else "bits/item"
        after = self.at(end, level=level)
        if after.value is None:
            return Figure.missing(after.reason, unit, after.status)
        fitted = self.fits[self.law]
        values = fitted.values(np.array([start, end], float))
        saved = values[:, 0] - values[:, 1]
        value = float(fitted.weight @ saved)
        rng = np.random.default_rng(self.seed)
        draws = value + _SPREAD * (rng.choice(saved, _DRAWS, p=fitted.weight) - value)
        draws += rng.normal(0.0, self.points.own[-1], _DRAWS)
        low, high = np.percentile(draws, [50 * (1 - level), 50 * (1 + level)])
        ends = max(min(float(low), value), 0.0), max(float(high), value)
        detail = {"law": self.law, "from": float(start), "to": float(end)}
        return Figure(value, *ends, int(self.points.sizes[-1]), unit, detail=detail)

    def examples_for(self, target: float, *, level: float = 0.95) -> Figure:
        """Train rows needed to reach a target accuracy (or to come down to a target of bits).

        Returns:
            Figure in items; its upper end is None where part of the fits never gets there.
            Refused where the curve levels off before, or where that is more than eight times the
            data at hand.
        """
        if self.reason:
            return Figure.missing(self.reason, "items", "refused")
        goal = 1.0 - target if self.metric == "accuracy" else target
        top = float(self.points.sizes[-1])
        grid = np.geomspace(float(self.points.sizes[0]), _REACH * top, 400)
        fitted = self.fits[self.law]
        # every law falls with size, so the first size at which the goal is met can be halved in on
        first = bisect_left(grid, True, key=lambda n: bool(fitted.mean(np.array([n]))[0] <= goal))
        if first == len(grid) or grid[first] > _FURTHEST * top:
            end = float(fitted.mean(np.array([_FURTHEST * top]))[0])
            end = 1.0 - end if self.metric == "accuracy" else end
            reason = (
                f"{target:g} is not reached with {_FURTHEST} times the data at hand, where the "
                f"curve stands at {end:.3f}"
            )
            return Figure.missing(reason, "items", "refused")
        rng = np.random.default_rng(self.seed)
        some = rng.choice(len(fitted.weight), _DRAWS // 4, p=fitted.weight)
        shift = rng.normal(0.0, self.points.noise[-1] * np.sqrt(self.points.shared), len(some))
        drawn, which = np.unique(some, return_inverse=True)
        there = fitted.values(grid, drawn)[which] + shift[:, None] <= goal
        need = np.where(there.any(1), grid[there.argmax(1)], np.inf)
        low, high = np.quantile(need, [(1 - level) / 2, (1 + level) / 2], method="nearest")
        value = float(grid[first])
        open_end = not np.isfinite(high)
        return Figure(
            value,
            min(float(low), value) if np.isfinite(low) else value,
            None if open_end else max(float(high), value),
            int(top),
            "items",
            reason="part of the fits never reaches it, so there is no upper end"
            if open_end
            else "",
            detail={"law": self.law, "target": target},
        )

    def prior_examples(self, *, level: float = 0.95) -> Figure:
        """Prior knowledge in examples: D_l^(1/β) of the rectified law, whichever law was chosen."""
        if self.reason:
            return Figure.missing(self.reason, "items", "refused")
        fitted = self.fits["rectified"]
        order = np.argsort(fitted.prior, kind="stable")
        reached = np.cumsum(fitted.weight[order])
        tails = ((1 - level) / 2, 0.5, (1 + level) / 2)
        places = np.minimum(np.searchsorted(reached, tails), len(order) - 1)
        low, value, high = (float(fitted.prior[order][p]) * fitted.n_max for p in places)
        return Figure(value, low, high, int(fitted.n_max), "items", detail={"chosen": self.law})


def forecast(curve: Curve, *, metric: Metric = "accuracy", seed: int = 0) -> Forecast:
    """Fit both laws to a curve and choose one, or abstain."""
    values = 1.0 - curve.accuracy if metric == "accuracy" else curve.bits
    rows = int(np.isfinite(curve.residual).sum())
    found = forecast_points(
        curve.sizes, values, rows, metric=metric, independent=curve.independent, seed=seed
    )
    late = np.where(curve.sizes >= curve.sizes[-1] / 4, curve.late, 0.0)
    if late.max(initial=0.0) <= _LATE:
        return found
    after = curve.sizes[late > _LATE][-1]
    reason = (
        f"classes with {late.max():.0%} of the rows appear only after {after:.0f} rows, so that "
        "more may follow: ill-behaved"
    )
    return replace(found, reason=reason)


def forecast_points(
    sizes: Floats,
    values: Floats,
    rows: int,
    *,
    metric: Metric = "accuracy",
    independent: int = 5,
    seed: int = 0,
) -> Forecast:
    """As `forecast`, from bare points.

    Args:
        sizes: shape (S,), increasing train sizes.
        values: shape (R, S), error rate (1 − accuracy) or bits, per order.
        rows: distinct held-out rows behind them.
        metric: accuracy or bits.
        independent: orders whose held-out rows do not overlap.
        seed: of the intervals' draws.
    """
    points = measured(
        np.asarray(sizes, float), np.asarray(values, float), rows, metric, independent
    )
    reason = too_few(points, len(values)) or ill_behaved(points)
    if reason:
        return Forecast(metric, points, reason=reason, seed=seed)
    args = (points.sizes, points.errors, points.own)
    fits: dict[str, Fit] = {law: fit(law, *args, scale=points.scale) for law in LAWS}
    tried = {law: extrapolation_loss(law, *args, scale=points.scale) for law in LAWS}
    losses: dict[str, float] = {k: loss for k, loss in tried.items() if loss is not None}
    law = min(losses, key=losses.__getitem__) if losses else "power"
    reason = _missed(points, fits[law])
    return Forecast(metric, points, fits, law, losses, reason, seed)


def _missed(points: CurvePoints, fitted: Fit) -> str:
    late = points.sizes >= points.sizes[-1] / 4
    miss = np.abs(fitted.mean(points.sizes) - points.errors)[late]
    bound = np.maximum(LARGE * points.scale, SURE * points.own[late])
    if (miss > bound).any():
        at = float(points.sizes[late][(miss / bound).argmax()])
        return f"no law comes near the point at {at:.0f} rows: ill-behaved"
    return ""
