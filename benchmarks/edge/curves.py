"""Does what two fine-tunes foretell come true on fine-tunes of the embedded model?

    python benchmarks/edge/curves.py --keep DIR --out benchmarks/results/edge/curves.json   # three hours
    python benchmarks/edge/curves.py --quick   # no fine-tune on 512 rows

Sets that no arm is of, with the recipe in force: 32, 128 and 512 train rows, judged on the same
held-out items. From the first two it is foretold what the third reaches, as an audit with `--pilot` does.

PASS: of at least eight sets, the 95 % interval of `tuned_all` covers what came of it in all but one, and the
lower end lies above it in none. With fewer sets the line says FAIL.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import numpy as np
from recipe import Candidate, tune

import classification_sets as sets
from dataedge.figure_arithmetic import summed
from dataedge.intervals import proportion
from dataedge.learning_curve.fine_tune_curve import Size, gain_of_more_rows
from dataedge.pilot.recipe import Recipe
from record import arguments, provenance, write_whole

SETS = (
    *("banking:20", "clinc:20", "mmlu:8", "exercise:equipment", "banking:8", "clinc:30"),
    *("exercise:force", "mmlu:20"),
)
SIZES = (32, 128, 512)
FEWEST = 8


def main() -> int:
    given = arguments(__doc__).parse_args()
    if not sets.DATA.is_dir():
        print(f"curves: FAIL no data at {sets.DATA}")
        return 1
    runs: list[dict[str, Any]] = []
    if given.out and given.out.is_file():
        runs = json.loads(given.out.read_text())["runs"]
    done = {(r["set"], r["rows"]) for r in runs}
    usual = Recipe()
    candidate = Candidate(*(getattr(usual, field) for field in Candidate._fields))
    with tempfile.TemporaryDirectory() as folder:
        keep = given.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        for name in SETS[:1] if given.quick else SETS:
            for n in SIZES[:2] if given.quick else SIZES:
                if (name, n) not in done:
                    runs.append(tune(keep, candidate, name, n))
                    last = runs[-1]
                    print(
                        f"  {name:20} {n:4} rows  {last['accuracy']:.3f}  {last['seconds']:.0f} s",
                        flush=True,
                    )
                    conclude(runs, given.out)
    return conclude(runs, given.out, shown=True)


def foretold(some: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """What the two smaller fine-tunes of a set say of the largest."""
    wrong = {
        n: 1.0 - np.array([int(hit) for hit in r["hits"]], np.float64) for n, r in some.items()
    }
    few, many, end = SIZES
    items, ones = np.arange(len(wrong[few])), np.ones(len(wrong[few]))
    guessed = 1.0 - np.array([int(hit) for hit in some[few]["commonest"]], np.float64)
    found = gain_of_more_rows(
        Size(few, wrong[few]), Size(many, wrong[many]), end, guessed, ones, items, "accuracy"
    )
    out = {"set": some[few]["set"], **{f"at_{n}": some[n]["accuracy"] for n in SIZES}}
    if found.value is None:
        return {**out, "refused": found.reason}
    tuned = proportion(1.0 - wrong[many], items, unit="accuracy")
    value, low, high = summed(tuned, found, (0.0, 1.0)).ends
    return {**out, "foretold": value, "low": low, "high": high}


def conclude(runs: list[dict[str, Any]], out: Path | None, *, shown: bool = False) -> int:
    """The table, the verdict, the file."""
    by_set: dict[str, dict[int, dict[str, Any]]] = {}
    for r in runs:
        by_set.setdefault(r["set"], {})[r["rows"]] = r
    table = [foretold(some) for some in by_set.values() if set(some) >= set(SIZES)]
    told = [r for r in table if "foretold" in r]
    covered = sum(r["low"] <= r["at_512"] <= r["high"] for r in told)
    too_sure = sum(r["low"] > r["at_512"] for r in told)
    passed = len(table) >= FEWEST and covered >= len(told) - 1 and not too_sure
    if out:
        whole = {**provenance("peft"), "pass": passed, "table": table, "runs": runs}
        write_whole(whole, out)
    if shown:
        for r in table:
            said = (
                r.get("refused")
                or f"foretold {r['foretold']:.3f} [{r['low']:.3f}, {r['high']:.3f}]"
            )
            print(f"  {r['set']:20} {r['at_32']:.3f}  {r['at_128']:.3f}  {r['at_512']:.3f}  {said}")
        print(
            f"curves: {'PASS' if passed else 'FAIL'} {len(table)} sets (>= {FEWEST}), {len(told)} told of, "
            f"{covered} covered, {too_sure} promised too surely"
        )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
