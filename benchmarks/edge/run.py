"""Does the audit foretell what a real fine-tune gains over good prompting?

    python benchmarks/edge/run.py --keep DIR                 # runs the arms that have no row yet, for hours
    python benchmarks/edge/run.py --arm clinc:5/48/plain     # one of them
    python benchmarks/edge/run.py --report                   # the table of the committed rows, no run
    python benchmarks/edge/run.py --fit                      # and the table that ships with the package
    python benchmarks/edge/run.py --quick                    # one small arm, nothing is kept

An arm is a dataset, a number of train rows, and what was done to them: nothing, answers shuffled, a fifth or
two fifths of the labels wrong, or half of the rows said twice. It is audited first, as anyone would, and what
the audit foretells is written down; then the same base model is fine-tuned on the same train rows (`--pilot`,
one recipe for all arms) and asked about the same held-out items. One row per arm goes to
results/edge/arms.parquet.

PASS for labels needs 40 arms: Spearman's correlation of foretold and realised gain over the best prompting at
least .95 and above that of every baseline, mean absolute error at most 3.5 points, 90 % prediction intervals
that cover 85 to 95 % with every source foretold from the others, the verdict right in 90 % of the arms whose
gain over `without_data` lies outside δ ± one standard error, no arm with shuffled labels called an edge. For
text 12 arms: mean error within .01 bits per byte, mean absolute error at most .03, coverage the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import arms
import pyarrow as pa
import pyarrow.parquet as pq
from scored import DELTA, Scores, score
from table import TABLE, fitted

import classification_sets as sets
from comparison import compare
from record import provenance

ROWS = HERE.parent / "results" / "edge" / "arms.parquet"
QUICK = "clinc:5/48/plain"


def known() -> list[dict[str, Any]]:
    """The rows that are there."""
    return pq.read_table(ROWS).to_pylist() if ROWS.is_file() else []


def store(row: dict[str, Any]) -> None:
    """Add a row, in place of an older one of the same arm."""
    rows = [r for r in known() if r["arm"] != row["arm"]] + [row]
    columns = dict.fromkeys(name for r in rows for name in r)
    rows = [{name: r.get(name) for name in columns} for r in rows]
    ROWS.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), ROWS)


def show(rows: list[dict[str, Any]]) -> None:
    """One line per arm."""
    print(
        f"{'arm':32} {'without':>8} {'prompted':>8} {'learned':>8} {'tuned':>8}  foretold"
        f"{'realised':>22}  verdict, true gain"
    )
    for r in sorted(rows, key=lambda r: (r["task"], r["arm"])):
        print(
            f"{r['arm']:32} {r['without_data']:8.3f} {r['prompted']:8.3f} {r['learned']:8.3f} "
            f"{r['tuned']:8.3f}  {r['predicted']:+.3f} [{r['predicted_low']:+.3f}, "
            f"{r['predicted_high']:+.3f}]  {r['realised']:+.3f}  {r['verdict']} {r['realised_edge']:+.3f}"
        )


def conclude(rows: list[dict[str, Any]], out: Path | None) -> int:
    """The table, the figures, the verdict, the file."""
    if not rows:
        print("edge: FAIL no arm has been run")
        return 1
    show(rows)
    found: list[Scores] = []
    for task in ("classify", "generate"):
        some = [r for r in rows if r["task"] == task]
        if len(some) > 2:
            found.append(score(task, some))
            print(found[-1].table)
    short = [s for scores in found for s in scores.short] or ([] if found else ["too few arms"])
    if out:
        figures = {s.task: s.figures for s in found}
        plain = {**provenance("peft"), "passed": not short, "short": short, **figures}
        out.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    print(
        f"edge: {'FAIL ' + '; '.join(short) if short else 'PASS'} ({len(rows)} arms, δ {DELTA:g})"
    )
    return 1 if short else 0


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for flag in ("--quick", "--report", "--fit"):
        arguments.add_argument(flag, action="store_true")
    arguments.add_argument("--arm")
    arguments.add_argument("--keep", type=Path)
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    if given.fit:
        TABLE.write_text(json.dumps(fitted(known()), indent=1) + "\n", encoding="utf-8")
    if given.report or given.fit:
        return conclude(known(), given.out)
    if not sets.DATA.is_dir():
        print(f"edge: FAIL no data at {sets.DATA}")
        return 1
    every = {a.name: a for a in arms.arms()}
    with tempfile.TemporaryDirectory() as folder:
        keep = given.keep or Path(folder)
        if given.quick:
            return conclude([compare(every[QUICK], keep)], given.out)
        if given.arm and given.arm not in every:
            print(f"edge: FAIL no arm is called {given.arm!r}; the first is {next(iter(every))}")
            return 1
        done = {r["arm"] for r in known()}
        wanted = [given.arm] if given.arm else [name for name in every if name not in done]
        for name in wanted:
            row = compare(every[name], keep)
            store(row)
            print(
                f"{name}: foretold {row['predicted']:+.3f}, realised {row['realised']:+.3f}; audit "
                f"{row['audit_seconds']:.0f} s, fine-tune {row['tuning_minutes']:.1f} min",
                flush=True,
            )
    return conclude(known(), given.out)


if __name__ == "__main__":
    sys.exit(main())
