"""Does the audit foretell what a real fine-tune gains over good prompting?

    python benchmarks/edge/run.py --keep DIR                 # runs the arms that have no row yet, for hours
    python benchmarks/edge/run.py --arm clinc:5/48/plain     # one of them
    python benchmarks/edge/run.py --report                   # the table of the committed rows, no run
    python benchmarks/edge/run.py --quick                    # one small arm, nothing is kept

An arm is a classification set, a number of train rows, and what was done to them: nothing, labels shuffled, a
fifth or two fifths of them wrong, or half of the rows said twice. It is audited first, as anyone would, and
what the audit predicts is written down; then the same base model is fine-tuned on the same train rows
(`--pilot`, one recipe for all arms) and asked about the same test items. One row per arm, with the recipe's
outcome and the seconds, goes to results/edge/classify.parquet.

Realised is tuned − prompted, predicted is learned − prompted. PASS needs 40 arms: Spearman's correlation at
least .95, mean absolute error at most 3.5 points, 85 % or more of the realised gains inside the interval that
the audit gave, the verdict right in 90 % of the arms whose gain over `without_data` lies outside δ ± one
standard error, no arm with shuffled labels called an edge.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import classification_sets as sets
import dataedge
from record import provenance

ROWS = Path(__file__).resolve().parents[1] / "results" / "edge" / "classify.parquet"
SIZES, TEST, MINUTES, SEED = (48, 96, 384), 200, 60.0, 0
VARIANTS = ("plain", "shuffled", "noise20", "noise40", "twice")
FEWEST_ARMS, CORRELATION, ERROR, COVERED, RIGHT = 40, 0.95, 0.035, 0.85, 0.90
QUICK = "clinc:5/48/plain"
DELTA = 0.02


class Arm(NamedTuple):
    """A dataset, and what was done to it."""

    set: str
    rows: int
    variant: str

    @property
    def name(self) -> str:
        """As `--arm` takes it."""
        return f"{self.set}/{self.rows}/{self.variant}"


def arms() -> list[Arm]:
    """All arms: every set and size as it is, then the changed ones of 96 and 384 rows."""
    plain = [Arm(name, n, "plain") for n in SIZES for name in sets.NAMES]
    changed = [
        Arm(name, n, variant)
        for variant in VARIANTS[1:]
        for n in SIZES[1:]
        for name in ("banking:12", "clinc:12", "exercise:category")
    ]
    return [
        a for pair in zip(plain, [*changed, *[None] * len(plain)], strict=False) for a in pair if a
    ]


def write(arm: Arm, folder: Path, test: int) -> None:
    """The arm as a folder with a train side and a test side, which is never changed."""
    read = sets.load(arm.set, SEED)
    pairs = list(zip(read.texts, read.labels, strict=True))
    held, rest = pairs[:test], pairs[test:]
    rng = random.Random(f"{arm.name} {SEED}")
    train = rng.sample(rest, min(arm.rows, len(rest)))
    names = sorted({label for _, label in pairs})
    texts, labels = [t for t, _ in train], [label for _, label in train]
    if arm.variant == "shuffled":
        rng.shuffle(labels)
    if arm.variant.startswith("noise"):
        wrong = rng.sample(range(len(labels)), len(labels) * int(arm.variant[5:]) // 100)
        for i in wrong:
            labels[i] = rng.choice([name for name in names if name != labels[i]])
    if arm.variant == "twice":
        half = len(texts) // 2
        texts = [*texts[:half], *(f"{text}." for text in texts[: len(texts) - half])]
        labels = [*labels[:half], *labels[: len(labels) - half]]
    folder.mkdir(parents=True, exist_ok=True)
    sides = {"train": list(zip(texts, labels, strict=True)), "test": held}
    for side, rows in sides.items():
        with (folder / f"{side}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("text", read.column))
            writer.writerows(rows)


def run(arm: Arm, keep: Path, test: int) -> dict[str, Any]:
    """Audit, then fine-tune: one row."""
    place = keep / arm.name.replace(":", "-").replace("/", "-")
    write(arm, place / "data", test)
    options: dict[str, Any] = {
        "out": str(place / "audit"),
        "probe_items": test,
        "text_column": "text",
        "task": "classify",
    }
    started = time.perf_counter()
    before = dataedge.audit(place / "data", **options).report
    seconds = time.perf_counter() - started
    after = dataedge.audit(place / "data", pilot=MINUTES, **options).report
    rungs = {r.rung: r.value for r in after.ladder}
    tuned = next(r for r in after.ladder if r.rung == "tuned")
    return {
        "arm": arm.name,
        **arm._asdict(),
        "train_items": after.dataset.splits["train"],
        "evaluation_items": tuned.n,
        "verdict": before.verdict.label,
        "predicted": before.tuning_gain.value,
        "predicted_low": before.tuning_gain.low,
        "predicted_high": before.tuning_gain.high,
        **{rung: rungs.get(rung) for rung in ("chance", "zero_shot", "without_data", "prompted")},
        "learned": rungs.get("learned"),
        "tuned": tuned.value,
        "tuned_low": tuned.low,
        "tuned_high": tuned.high,
        "epochs": tuned.detail["epochs"],
        "best_epoch": tuned.detail["best_epoch"],
        "forgotten": tuned.detail["forgotten_bits_per_byte"],
        "audit_seconds": seconds,
        "tuning_minutes": tuned.detail["minutes"],
        "date": provenance()["date"],
    }


def known() -> list[dict[str, Any]]:
    """The rows that are there."""
    return pq.read_table(ROWS).to_pylist() if ROWS.is_file() else []


def store(row: dict[str, Any]) -> None:
    """Add a row, in place of an older one of the same arm."""
    rows = [r for r in known() if r["arm"] != row["arm"]] + [row]
    ROWS.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), ROWS)


def report(rows: list[dict[str, Any]], out: Path | None) -> int:
    """The table, the verdict, the file."""
    from scipy.stats import spearmanr

    print(
        f"{'arm':34} {'prompted':>8} {'learned':>8} {'tuned':>8}  predicted            realised  verdict"
    )
    for r in rows:
        print(
            f"{r['arm']:34} {r['prompted']:8.3f} {r['learned']:8.3f} {r['tuned']:8.3f}  "
            f"{r['predicted']:+.3f} [{r['predicted_low']:+.3f}, {r['predicted_high']:+.3f}]  "
            f"{r['tuned'] - r['prompted']:+.3f}  {r['verdict']}"
        )
    if not rows:
        print("edge: FAIL no arm has been run")
        return 1
    predicted = np.array([r["predicted"] for r in rows])
    realised = np.array([r["tuned"] - r["prompted"] for r in rows])
    inside = [
        r["predicted_low"] <= g <= r["predicted_high"] for r, g in zip(rows, realised, strict=True)
    ]
    judged = [r for r in rows if outside(r)]
    right = [(r["verdict"] == "edge") == (r["tuned"] - r["without_data"] > DELTA) for r in judged]
    misled = sum(r["variant"] == "shuffled" and r["verdict"] == "edge" for r in rows)
    found = {
        "arms": len(rows),
        "spearman": float(spearmanr(predicted, realised)[0]) if len(rows) > 2 else None,
        "mean_absolute_error": float(np.abs(predicted - realised).mean()),
        "mean_error": float((predicted - realised).mean()),
        "covered": float(np.mean(inside)),
        "judged": len(judged),
        "verdict_right": float(np.mean(right)) if right else None,
        "shuffled_called_edge": misled,
    }
    passed = (
        found["arms"] >= FEWEST_ARMS
        and (found["spearman"] or 0.0) >= CORRELATION
        and found["mean_absolute_error"] <= ERROR
        and found["covered"] >= COVERED
        and (found["verdict_right"] or 0.0) >= RIGHT
        and not misled
    )
    if out:
        out.write_text(json.dumps({**provenance("peft"), "pass": passed, **found}, indent=1) + "\n")
    shown = {k: f"{v:.3f}" if isinstance(v, float) else v for k, v in found.items()}
    print(
        f"edge: {'PASS' if passed else 'FAIL'} {shown['arms']} arms (≥ {FEWEST_ARMS}), Spearman "
        f"{shown['spearman']} (≥ {CORRELATION}), mean absolute error {shown['mean_absolute_error']} "
        f"(≤ {ERROR}), mean error {shown['mean_error']}, covered {shown['covered']} "
        f"(≥ {COVERED}), verdict right {shown['verdict_right']} of {shown['judged']} (≥ {RIGHT}), "
        f"{misled} shuffled called edge"
    )
    return 0 if passed else 1


def outside(row: dict[str, Any]) -> bool:
    """Whether the realised gain over `without_data` is clearly on one side of δ."""
    gain, n = row["tuned"] - row["without_data"], row["evaluation_items"]
    error = np.sqrt(
        (row["tuned"] * (1 - row["tuned"]) + row["without_data"] * (1 - row["without_data"])) / n
    )
    return bool(abs(gain - DELTA) > error)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--report", action="store_true")
    arguments.add_argument("--arm")
    arguments.add_argument("--keep", type=Path)
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    if given.report:
        return report(known(), given.out)
    if not sets.DATA.is_dir():
        print(f"edge: FAIL no data at {sets.DATA}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        keep = given.keep or Path(folder)
        if given.quick:
            (arm,) = [a for a in arms() if a.name == QUICK]
            return report([run(arm, keep, 88)], given.out)
        wanted = [a for a in arms() if given.arm in (None, a.name)]
        if not wanted:
            print(f"edge: FAIL no arm is called {given.arm!r}; the first is {arms()[0].name}")
            return 1
        done = set() if given.arm else {r["arm"] for r in known()}
        for arm in wanted:
            if arm.name not in done:
                row = run(arm, keep, TEST)
                store(row)
                print(
                    f"{arm.name}: {row['audit_seconds']:.0f} s, {row['tuning_minutes']:.1f} min",
                    flush=True,
                )
    return report(known(), given.out)


if __name__ == "__main__":
    sys.exit(main())
