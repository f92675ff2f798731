"""Does the forecast of a learning curve hold on curves that nobody here produced?

60 real curves (../shared/data/tuning_curves, Lin et al. 2024): test loss of 30 pretrained models
fine-tuned on 200 to 1,638,400 rows of two data sets. The forecast sees the sizes up to an eighth of the
largest and names the loss at the largest. Errors are of ln loss, positive where the loss came out too
high; intervals are of 90 %.

The halves are the two data sets. The priors of losses were chosen for flan's curves; gigaword's were
looked at beside them, so that they are no third set. Both are reported, the thresholds are for all.

    python benchmarks/forecast.py [--quick] [--out benchmarks/results/forecast.json]
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from dataedge.learning_curve.forecast import forecast_losses
from record import provenance

CURVES = Path(__file__).resolve().parents[2] / "shared" / "data" / "tuning_curves"
HALVES = {"develop": "flan", "evaluate": "gigaword"}
AHEAD = 8
LEVEL = 0.90


def curves(data: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Model, sizes and losses of each curve; the loss before any tuning is left out."""
    with (CURVES / f"{data}.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    columns = sorted((c for c in rows[0] if c.isdigit() and c != "0"), key=int)
    sizes = np.array(columns, float)
    return [(r["config name"], sizes, np.array([float(r[c]) for c in columns])) for r in rows]


def foretold(half: str, model: str, sizes: np.ndarray, losses: np.ndarray) -> dict[str, Any]:
    """One curve's forecast from its first eighth, and what it came to."""
    seen = sizes <= sizes[-1] / AHEAD
    found = forecast_losses(sizes[seen], losses[seen])
    figure = found.at(sizes[-1], level=LEVEL)
    out = {"set": half, "model": model, "now": losses[seen][-1], "truth": losses[-1]}
    out |= {"forecast": figure.value, "low": figure.low, "high": figure.high}
    out |= {"abstained": found.reason}
    if figure.value is not None and figure.low is not None and figure.high is not None:
        out["error"] = float(np.log(figure.value / losses[-1]))
        out["covered"] = bool(figure.low <= losses[-1] <= figure.high)
    return out


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    told = [r for r in rows if not r["abstained"]]
    errors = np.array([r["error"] for r in told])
    changes = np.array([np.log(r["now"] / r["truth"]) for r in told])
    return {
        "curves": len(rows),
        "abstained": len(rows) - len(told),
        "median": float(np.median(np.abs(errors))),
        "p90": float(np.quantile(np.abs(errors), 0.9)),
        "bias": float(errors.mean()),
        "coverage": float(np.mean([r["covered"] for r in told])),
        "median_no_change": float(np.median(changes)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="every third curve")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    args = parser.parse_args()
    if not CURVES.is_dir():
        print("forecast: FAIL ../shared/data/tuning_curves is absent")
        return 1
    start, rows = time.perf_counter(), []
    for half, data in HALVES.items():
        rows += [foretold(half, *curve) for curve in curves(data)[:: 3 if args.quick else 1]]
    seconds = time.perf_counter() - start
    result: dict[str, Any] = {**provenance(), "level": LEVEL, "ahead": AHEAD}
    for half in HALVES:
        result[half] = summary([r for r in rows if r["set"] == half])
    got = result["all"] = summary(rows)
    print(f"{'':10}" + "".join(f"{name:>17}" for name in got))
    for name in (*HALVES, "all"):
        print(f"{name:10}" + "".join(f"{round(v, 4):17}" for v in result[name].values()))
    checks = {
        f"median error {got['median']:.3f}": got["median"] <= 0.035,
        f"90th percentile {got['p90']:.3f}": got["p90"] <= 0.12,
        f"bias {got['bias']:+.3f}": abs(got["bias"]) <= 0.01,
        f"coverage {got['coverage']:.0%}": 0.85 <= got["coverage"] <= 0.95,
        f"abstained on {got['abstained']}": got["abstained"] <= 0.15 * got["curves"],
    }
    result |= {"passed": all(checks.values()), "seconds": round(seconds, 1), "rows": rows}
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    words = ", ".join(f"{'' if ok else 'MISSED '}{what}" for what, ok in checks.items())
    print(
        f"forecast: {'PASS' if all(checks.values()) else 'FAIL'} {words} of {got['curves']} curves"
    )
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
