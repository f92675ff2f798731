"""What more data would give: the posterior of a learning curve, its forecast, or no forecast.

A curve that falls back, jumps late, or is missed by its law is not extrapolated: the forecast then
has a reason and no figure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.learning_curve.checks import (
    LARGE,
    LEAST_SIZES,
    SURE,
    CurvePoints,
    Metric,
    ill_behaved,
    measured,
    too_few,
)
from dataedge.learning_curve.scaling_laws import ERROR_RATES, LOSSES, Fit, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.learning_curve.curve import Curve

    Floats = NDArray[np.floating[Any]]

_FURTHEST = 8  # times the largest size: no forecast beyond
_REACH = 64  # times the largest size: how far examples for a target are looked for
_LATE = 0.03  # share of rows in classes that a quarter of the train rows may lack
_DRAWS = 4000
_Z95 = 1.959964


@dataclass(frozen=True)
class Forecast:
    """A fitted curve. With a reason, it abstains: every figure is refused with it.

    Attributes:
        metric: accuracy or bits.
        points: what was fitted.
        fitted: the law's posterior; None when it abstains for want of points.
        reason: why it abstains; empty if it does not.
        seed: of the draws that intervals come from.
    """

    metric: Metric
    points: CurvePoints
    fitted: Fit | None = None
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
        if self.fitted is None or self.reason:
            return Figure.missing(self.reason, unit, "refused")
        top = float(self.points.sizes[-1])
        if n > _FURTHEST * top:
            reason = f"{n:.0f} rows are more than {_FURTHEST} times the {top:.0f} measured"
            return Figure.missing(reason, unit, "refused")
        rng = np.random.default_rng(self.seed)
        size = np.array([n], float)
        error = float(self.fitted.mean(size)[0])
        draws = self.fitted.draws(size, _DRAWS, rng)[:, 0]
        draws += rng.normal(0.0, self.points.noise[-1] * np.sqrt(self.points.shared), _DRAWS)
        if judged_on is not None and self.metric == "accuracy":
            draws += rng.normal(0.0, np.sqrt(error * max(1 - error, 0.0) / judged_on), _DRAWS)
        low, high = np.percentile(draws, [50 * (1 - level), 50 * (1 + level)])
        ends = [min(float(low), error), error, max(float(high), error)]
        if self.metric == "accuracy":
            ends = [1.0 - min(max(e, 0.0), 1.0) for e in reversed(ends)]
        detail = {"train_rows": float(n), "level": level}
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
        if after.value is None or self.fitted is None:
            return Figure.missing(after.reason, unit, after.status)
        sizes = np.array([start, end], float)
        value = float(-np.diff(self.fitted.mean(sizes))[0])
        rng = np.random.default_rng(self.seed)
        draws = -np.diff(self.fitted.draws(sizes, _DRAWS, rng), axis=1)[:, 0]
        low, high = np.percentile(draws, [50 * (1 - level), 50 * (1 + level)])
        ends = max(min(float(low), value), 0.0), max(float(high), value)
        detail = {"from": float(start), "to": float(end)}
        return Figure(value, *ends, int(self.points.sizes[-1]), unit, detail=detail)

    def examples_for(self, target: float | Figure, *, level: float = 0.95) -> Figure:
        """Train rows needed to reach a target accuracy (or to come down to a target of bits).

        Args:
            target: a number, or a figure whose 95 % interval is drawn from as two half normals.
            level: coverage of the interval.

        Returns:
            Figure in items: the size by which half of the posterior has reached the target. Its
            upper end is None where more than (1 − level) / 2 of it never does, or not with 64
            times the data. Refused where half of it levels off short of the target, or takes more
            than eight times the data at hand. The detail has `never`, the posterior share of
            curves whose asymptote lies short of the target.
        """
        if self.fitted is None or self.reason:
            return Figure.missing(self.reason, "items", "refused")
        rng = np.random.default_rng(self.seed)
        goal, middle = self._goals(target, rng)
        top = float(self.points.sizes[-1])
        goal = goal + rng.normal(0.0, self.points.noise[-1] * np.sqrt(self.points.shared), _DRAWS)
        need, never = self.fitted.first_below(
            goal, np.geomspace(float(self.points.sizes[0]), _REACH * top, 400), rng
        )
        tails = [(1 - level) / 2, 0.5, (1 + level) / 2]
        low, value, high = (float(q) for q in np.quantile(need, tails, method="nearest"))
        share = float(never.mean())
        detail = {"target": middle, "never": share}
        if value > _FURTHEST * top:
            end = self.at(_FURTHEST * top)
            stands = f"the curve stands at {end.value:.3f} [{end.low:.3f}, {end.high:.3f}]"
            reason = f"{middle:.3f} is not reached with {_FURTHEST} times the data: there {stands}"
            if share > 0.5:
                reason += f"; {share:.0%} of the fits level off short of it, however much there is"
            return replace(Figure.missing(reason, "items", "refused"), detail=detail)
        reason = ""
        if not np.isfinite(high):
            reason = f"{np.isinf(need).mean():.0%} of the fits never reach it, so there is no upper bound"
        return Figure(
            value,
            low,
            high if np.isfinite(high) else None,
            int(top),
            "items",
            reason=reason,
            detail=detail,
        )

    def _goals(self, target: float | Figure, rng: np.random.Generator) -> tuple[Floats, float]:
        """Errors to come down to, (draws,), and the target in its own unit."""
        if isinstance(target, Figure):
            if target.value is None:
                raise ValueError(f"a target without a value: {target.reason}")
            middle = target.value
            z = rng.normal(size=_DRAWS)
            below = 0.0 if target.low is None else middle - target.low
            above = 0.0 if target.high is None else target.high - middle
            drawn = middle + z * np.where(z < 0, below, above) / _Z95
        else:
            middle, drawn = target, np.full(_DRAWS, target)
        return (1.0 - drawn if self.metric == "accuracy" else drawn), middle


def forecast(curve: Curve, *, metric: Metric = "accuracy", seed: int = 0) -> Forecast:
    """The posterior of a curve, or why there is none."""
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
        f"classes with {late.max():.0%} of the rows appear only after {after:.0f} rows, and "
        "more may follow, so no forecast is made"
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
    return _fitted(points, too_few(points, len(values)), metric, seed)


def forecast_losses(sizes: Floats, losses: Floats, *, seed: int = 0) -> Forecast:
    """As `forecast_points`, from one run per size whose noise nobody measured.

    How far such losses scatter around a law is part of what is fitted.

    Args:
        sizes: shape (S,), increasing train sizes, at least five.
        losses: shape (S,), > 0, in bits or nats.
        seed: of the intervals' draws.
    """
    errors = np.asarray(losses, float)
    none = np.zeros(len(errors))
    points = CurvePoints(np.asarray(sizes, float), errors, none, 0.0, float(errors.max()))
    short = ""
    if len(errors) < LEAST_SIZES:
        short = (
            f"a curve of {len(errors)} sizes is too short for a forecast, which needs {LEAST_SIZES}"
        )
    return _fitted(points, short, "bits", seed)


def _fitted(points: CurvePoints, short: str, metric: Metric, seed: int) -> Forecast:
    reason = short or ill_behaved(points)
    if reason:
        return Forecast(metric, points, reason=reason, seed=seed)
    prior = ERROR_RATES if metric == "accuracy" else LOSSES
    found = fit(points.sizes, points.errors, points.own, prior, scale=points.scale)
    return Forecast(metric, points, found, _missed(points, found), seed)


def _missed(points: CurvePoints, fitted: Fit) -> str:
    late = points.sizes >= points.sizes[-1] / 4
    miss = np.abs(fitted.mean(points.sizes) - points.errors)[late]
    bound = np.maximum(LARGE * points.scale, SURE * points.own[late])
    if (miss > bound).any():
        at = float(points.sizes[late][(miss / bound).argmax()])
        return f"no curve fits the measurement at {at:.0f} rows, so no forecast is made"
    return ""
