"""One arm: audited, then really fine-tuned, and the two compared on the same held-out items."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import arms
import numpy as np
from baselines import baselines

import dataedge
from record import provenance

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dataedge.finished_audit import Audit

MINUTES = 60.0
"""A fine-tune may take; none is stopped by it."""
RUNGS = ("chance", "zero_shot", "few_shot", "without_data", "retrieved", "prompted", "learned")


class Gains(NamedTuple):
    """What two rungs reached, in the direction of a gain, on the items that both have."""

    above: NDArray[np.float64]
    below: NDArray[np.float64]
    weight: NDArray[np.float64]
    clusters: NDArray[np.int64]

    @property
    def difference(self) -> float:
        """Per unit of weight: an item, or a byte."""
        return float((self.above - self.below).sum() / self.weight.sum())

    @property
    def error(self) -> float:
        """Standard error of it over clusters of items, of a ratio of sums (Cochran 1977, section 6.4)."""
        left = self.above - self.below - self.difference * self.weight
        _, inverse = np.unique(self.clusters, return_inverse=True)
        sums = np.bincount(inverse, left)
        k = len(sums)
        return float(np.sqrt(k / max(k - 1, 1) * np.square(sums).sum()) / self.weight.sum())


Outcomes = dict[str, dict[str, tuple[float, float, int, int]]]


def outcomes(audit: Audit) -> Outcomes:
    """Rung → item → gain, weight, cluster, code of the answer (0 where answers do not count alike)."""
    out: Outcomes = {}
    query = "select rung, item, gain, weight, cluster, label from outcomes join items using (item)"
    for rung, item, *figures in audit.sql(query).fetchall():
        out.setdefault(rung, {})[item] = tuple(figures)
    return out


def gains(above: dict[str, Any], below: dict[str, Any]) -> Gains:
    """Two rungs on the items that both have."""
    both = sorted(above.keys() & below.keys())
    one, other, weight, cluster, label = np.array([[above[i][0], *below[i]] for i in both]).T
    codes = np.unique(label, return_inverse=True)[1]
    if codes.any():  # balanced accuracy: every answer weighs as much as the others
        share = len(codes) / (codes.max() + 1) / np.bincount(codes)[codes]
        one, other = one * share, other * share
        weight = share
    return Gains(one, other, weight, cluster.astype(np.int64))


def compare(arm: arms.Arm, keep: Path, minutes: float = MINUTES) -> dict[str, Any]:
    """Audit an arm, then fine-tune on all of its train rows: one row of the results.

    What is foretold is without any fine-tune. Texts have a short one unasked: it is run between the two, and
    what it measures stands beside.
    """
    place = keep / arm.name.replace(":", "-").replace("/", "-")
    arms.write(arm, place / "data")
    options: dict[str, Any] = {
        "out": str(place / "audit"),
        "probe_items": arm.test,
        "task": arm.task,
    }
    started = time.perf_counter()
    foretold = dataedge.audit(place / "data", pilot=0, **options)
    seconds = time.perf_counter() - started
    before, beside = outcomes(foretold), baselines(foretold)
    if arm.task == "generate":
        beside["short"] = dataedge.audit(place / "data", **options).report.tuning_gain.value
    # takes the place of the others in the store
    tuned = dataedge.audit(place / "data", pilot=minutes, **options)
    return {**row(arm, foretold, tuned, before, outcomes(tuned), seconds), **beside}


def row(
    arm: arms.Arm,
    foretold: Audit,
    tuned: Audit,
    before: Outcomes,
    after: Outcomes,
    seconds: float,
) -> dict[str, Any]:
    """What was foretold, what came of it, and how far apart they lie.

    Realised is what one ends up with: the fine-tune where development items prefer it to the best prompting,
    and that prompting where they do not. `residual` is that less `learned`, `residual_edge` the same of what
    the edge counts: for text its task part with the fine-tune in the mixture, less the one without.
    Predictions are those of the measurement, before they are widened by what this benchmark found.
    """
    report = foretold.report
    sign = -1.0 if report.edge.unit == "bits/byte" else 1.0
    reached = next(r for r in tuned.report.ladder if r.rung == "tuned")
    preferred = reached.detail["preferred_to_prompting"]
    ended = after["tuned"] if preferred else before["prompted"]
    apart, own = gains(ended, before["learned"]), gains(ended, before["without_data"])
    text = arm.task == "generate"
    edges = [a.report.edge.value for a in (foretold, tuned)]
    moved = edges[1] - edges[0] if None not in edges else None
    with_data = gains(ended, before["with_data"])
    rungs = {r.rung: r.value for r in report.ladder}
    predicted = report.tuning_gain.value
    if predicted is not None and not np.isclose(
        predicted, sign * (rungs["learned"] - rungs["prompted"]), atol=1e-6
    ):
        raise AssertionError(f"{arm.name}: what was foretold is not learned - prompted")
    return {
        "arm": arm.name,
        **arm._asdict(),
        "source": arm.source,
        "task": arm.task,
        "unit": report.edge.unit,
        "train_items": report.dataset.splits["train"],
        "evaluation_items": len(apart.above),
        "verdict": report.verdict.label,
        "edge": report.edge.value,
        **measured(report.edge, "edge"),
        "predicted": predicted,
        **measured(report.tuning_gain, "predicted"),
        **{rung: rungs.get(rung) for rung in RUNGS},
        "with_data": rungs.get("with_data"),
        "tuned": reached.value,
        "nothing_learned": before["learned"] == before["without_data"],
        "preferred": preferred,
        "realised": gains(ended, before["prompted"]).difference,
        "tuned_gain": sign * (reached.value - rungs["prompted"]),
        "realised_edge": edges[1] if text else own.difference,
        "realised_edge_error": own.error,
        "residual": apart.difference,
        "residual_error": apart.error,
        "residual_edge": moved if text else with_data.difference,
        "residual_edge_error": with_data.error,
        "epochs": reached.detail["epochs"],
        "best_epoch": reached.detail["best_epoch"],
        "forgotten": reached.detail["forgotten_bits_per_byte"],
        "audit_seconds": seconds,
        "tuning_minutes": reached.detail["minutes"],
        "model": report.model.id,
        "version": report.tool.version,
        "date": provenance()["date"],
    }


def measured(found: Any, name: str) -> dict[str, float | None]:
    """The ends of the measurement's interval."""
    ends = getattr(found, "measurement", None) or found
    return {f"{name}_low": ends.low, f"{name}_high": ends.high}
