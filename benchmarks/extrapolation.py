"""Does a fine-tune on all rows do what two fine-tunes on fewer rows foretell?

    python benchmarks/extrapolation.py [--quick] [--out benchmarks/results/extrapolation.json]

Real learning curves of fine-tunes that nobody here made: test loss of 30 models on two sets of texts
(../shared/data/tuning_curves, Lin et al. 2024), and accuracy of one model on five sets of labels
(../shared/data/icl_vs_finetune, Bertsch et al. 2024). A pilot sees n/4 and n rows, from the smallest sizes
on, and says what 2 n, 4 n and 8 n rows reach. Errors are of ln loss, or of the error rate, positive where
it came out too high, that is where too little was promised; intervals are of 90 %.

The priors (`learning_curve/fine_tune_curve.py`) were set on these curves as a whole: five floors were tried
for labels and three for losses. They are one number each, but no curve here is unseen.

PASS, each for losses and labels: at every distance the intervals cover at least 85 %, the median error is at
most half of what the change not told would be, and on the mean no more than .03 too much is promised.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dataedge.learning_curve.fine_tune_curve import FEWER, PRIORS, SEED_SPREAD
from dataedge.learning_curve.scaling_laws import fit
from forecast import curves
from record import provenance

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LABELS = DATA / "icl_vs_finetune" / "icl_vs_finetune_llama2.csv"
AHEAD = (2, 4, 8)
LARGEST = 6400
"""Rows of a pilot on texts at most: its sizes are those of pilots, not of pretraining."""
ITEMS = 250
"""Test items behind an accuracy."""
LEVEL, COVERED, HALF, TOO_MUCH = 0.90, 0.85, 0.5, 0.03


class Curve(NamedTuple):
    """Of a real fine-tune."""

    set: str
    sizes: np.ndarray
    errors: np.ndarray


def losses() -> list[Curve]:
    """Test loss in nats."""
    return [Curve(f"{d} {m}", n, e) for d in ("flan", "gigaword") for m, n, e in curves(d)]


def error_rates() -> list[Curve]:
    """1 − accuracy, mean of five runs."""
    with LABELS.open(encoding="utf-8", newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["arm"].startswith("finetune")]
    found = []
    for name in dict.fromkeys(r["dataset"] for r in rows):
        some = sorted(
            (int(r["n"]), 1.0 - float(r["accuracy"])) for r in rows if r["dataset"] == name
        )
        n, e = np.array(some, float).T
        found.append(Curve(name, n, e))
    return found


def judge(metric: Any, every: list[Curve], ahead: int) -> dict[str, Any]:
    """All pilots that the curves have room for."""
    rng = np.random.default_rng(0)
    error, covered, untold = [], [], []
    labels = metric == "accuracy"
    for curve in every:
        at = {float(n): i for i, n in enumerate(curve.sizes)}
        for n, last in at.items():
            first, end = at.get(n / FEWER), at.get(n * ahead)
            if first is None or end is None or (n > LARGEST and not labels):
                continue
            seen, truth = curve.errors[[first, last]], curve.errors[end]
            # items are shared by the sizes: half of their variance; runs are means of five
            luck = (
                np.sqrt(seen * (1 - seen) / ITEMS / 2 + SEED_SPREAD**2 / 5)
                if labels
                else 0.0 * seen
            )
            scale = 1.0 if labels else float(seen.max())
            found = fit(np.array([n / FEWER, n]), seen, luck, PRIORS[metric], scale=scale)
            there = np.array([n * ahead])
            drawn = found.draws(there, 2000, rng)[:, 0]
            if labels:  # the truth has its own luck
                drawn += rng.normal(0.0, float(luck[-1]), len(drawn))
            low, high = np.percentile(drawn, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
            pair = np.array([float(found.mean(there)[0]), seen[-1]])
            missed = pair - truth if labels else np.log(pair / truth)
            error.append(missed[0])
            untold.append(missed[1])
            covered.append(bool(low <= truth <= high))
    return {
        "metric": metric,
        "ahead": ahead,
        "pilots": len(error),
        "bias": float(np.mean(error)),
        "median_error": float(np.median(np.abs(error))),
        "p90_error": float(np.percentile(np.abs(error), 90)),
        "covered": float(np.mean(covered)),
        "median_change_untold": float(np.median(np.abs(untold))),
    }


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--quick", action="store_true", help="every third curve of losses")
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    if not LABELS.is_file():
        print(f"extrapolation: FAIL no data at {DATA}")
        return 1
    texts = losses()[:: 3 if given.quick else 1]
    rows = [
        judge(metric, every, ahead)
        for metric, every in (("bits", texts), ("accuracy", error_rates()))
        for ahead in AHEAD
    ]
    short = []
    for r in rows:
        name = f"{'losses' if r['metric'] == 'bits' else 'labels'} at {r['ahead']} n"
        print(
            f"  {name:14} {r['pilots']:4} pilots  bias {r['bias']:+.3f}  median error "
            f"{r['median_error']:.3f} of {r['median_change_untold']:.3f}  90th percentile "
            f"{r['p90_error']:.3f}  covered {r['covered']:.2f}"
        )
        if r["covered"] < COVERED:
            short.append(f"{name}: covered {r['covered']:.2f} (>= {COVERED})")
        if r["median_error"] > HALF * r["median_change_untold"]:
            short.append(f"{name}: median error {r['median_error']:.3f}")
        if r["bias"] < -TOO_MUCH:
            short.append(f"{name}: {-r['bias']:.3f} too much promised (<= {TOO_MUCH})")
    if given.out:
        whole = {**provenance(), "pass": not short, "table": rows}
        given.out.write_text(json.dumps(whole, indent=1) + "\n")
    told = "; ".join(short) or (
        f"two sizes foretell 2 to 8 times the rows: bias {min(r['bias'] for r in rows):+.3f} to "
        f"{max(r['bias'] for r in rows):+.3f}, covered {min(r['covered'] for r in rows):.2f} at least"
    )
    print(f"extrapolation: {'FAIL' if short else 'PASS'} {told}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
