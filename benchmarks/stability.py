"""Does the edge stay where it is when nothing but the machine, the precision or the seed changes?

    python benchmarks/stability.py --out benchmarks/results/stability.json --most 16   # five hours of a core
    python benchmarks/stability.py --out benchmarks/results/stability.json             # all 40
    python benchmarks/stability.py --quick                    # three seeds of one set

`data/outfits` and twelve classes of banking77 are audited with one and two threads, in float32 and in
bfloat16, with five seeds. The held-out items are the same in every audit, given as the dataset's own test
side: a seed draws demonstrations and says which of them are for development and which are reported on. So
what moves the edge is the asking, the learning, and which three quarters of the same items are counted.
The first 16 audits are of every seed on one machine and of one seed on every machine.

PASS: the standard deviation of the edge is at most 2 points on each set, and the verdict is the same in
every audit.

An audit that stands in the file of `--out`, or in the folder of `--keep`, is not done again. With `--set`
only those of one set are done, so that two processes may share a folder.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from record import provenance

ROOT = Path(__file__).resolve().parents[1]
BANKING = ROOT.parent / "shared" / "data" / "banking77"
HELD_OUT, LABELS, TRAIN = 400, 12, 360
SEEDS, THREADS, PRECISIONS = range(5), (1, 2), ("float32", "bfloat16")
MACHINE = (1, "bfloat16")
"""The one on which every seed comes first."""
LARGEST_SD = 0.02


class Run(NamedTuple):
    """One audit."""

    set: str
    seed: int
    threads: int
    precision: str

    @property
    def name(self) -> str:
        """Of its folder."""
        return "-".join(map(str, self))


def outfits(folder: Path) -> Path:
    """The sample with a test side of its own: items of which no text is in a train item are not needed."""
    with (ROOT / "data" / "outfits" / "outfits.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random.Random(1).shuffle(rows)
    return write(folder / "outfits", {"test": rows[:HELD_OUT], "train": rows[HELD_OUT:]})


def banking(folder: Path) -> Path:
    """Twelve labels of banking77, its own test side."""
    sides: dict[str, list[dict[str, str]]] = {}
    for side in ("train", "test"):
        with (BANKING / f"{side}.csv").open(newline="", encoding="utf-8") as file:
            sides[side] = list(csv.DictReader(file))
    rng = random.Random(5)
    chosen = set(rng.sample(sorted({row["category"] for row in sides["train"]}), LABELS))
    kept = {side: [r for r in rows if r["category"] in chosen] for side, rows in sides.items()}
    for rows in kept.values():
        rng.shuffle(rows)
    return write(
        folder / "banking", {"train": kept["train"][:TRAIN], "test": kept["test"][:HELD_OUT]}
    )


def write(folder: Path, sides: dict[str, list[dict[str, str]]]) -> Path:
    """One file per side."""
    folder.mkdir(parents=True, exist_ok=True)
    for side, rows in sides.items():
        with (folder / f"{side}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    return folder


SETS = {"outfits": outfits, "banking": banking}


def audit(run: Run, data: Path, folder: Path, *, probe_items: int) -> dict[str, Any]:
    """What an audit in a process of its own says."""
    out = folder / run.name
    if not (out / "report.json").is_file():
        started = time.perf_counter()
        command = [sys.executable, "-m", "dataedge", "audit", str(data), "--out", str(out)]
        flags = [
            "--seed",
            str(run.seed),
            "--dtype",
            run.precision,
            "--probe-items",
            str(probe_items),
        ]
        done = subprocess.run(
            [*command, *flags],
            env={**os.environ, "OMP_NUM_THREADS": str(run.threads)},
            capture_output=True,
            text=True,
            check=False,
        )
        if not (out / "report.json").is_file():
            raise RuntimeError(f"{run.name}: {done.stderr.strip().splitlines()[-1]}")
        print(f"{run.name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    rungs = {rung["rung"]: rung["value"] for rung in report["ladder"]}
    return {
        **run._asdict(),
        "verdict": report["verdict"]["label"],
        "edge": report["edge"]["value"],
        "low": report["edge"]["low"],
        "high": report["edge"]["high"],
        "without_data": rungs["without_data"],
        "with_data": rungs["with_data"],
    }


def wanted(*, quick: bool) -> list[Run]:
    """Every audit; those of every seed on one machine first, then of one seed on every machine."""
    if quick:
        return [Run("banking", seed, 2, "float32") for seed in range(3)]
    machines = [(threads, precision) for precision in PRECISIONS for threads in THREADS]
    cells = [(seed, *machine) for seed in SEEDS for machine in machines]
    cells.sort(key=lambda cell: (cell[1:] != MACHINE, cell[0]))
    return [Run(name, *cell) for cell in cells for name in SETS]


def spread(found: list[dict[str, Any]]) -> dict[str, float]:
    """Standard deviation of the edge: of all audits, of seeds on one machine, of machines with one seed."""
    return {
        "all": _deviation([one["edge"] for one in found]),
        "seeds": _within(found, ("threads", "precision")),
        "machines": _within(found, ("seed",)),
        "audits": len(found),
    }


def _within(found: list[dict[str, Any]], alike: tuple[str, ...]) -> float:
    """Pooled standard deviation within groups of audits that are alike in these."""
    groups: dict[tuple[Any, ...], list[float]] = {}
    for one in found:
        groups.setdefault(tuple(one[name] for name in alike), []).append(one["edge"])
    squares = sum((len(edges) - 1) * _deviation(edges) ** 2 for edges in groups.values())
    freedom = sum(len(edges) - 1 for edges in groups.values())
    return math.sqrt(squares / freedom) if freedom else float("nan")


def _deviation(edges: list[float]) -> float:
    return float(np.std(edges, ddof=1)) if len(edges) > 1 else 0.0


def known(out: Path | None) -> dict[Run, dict[str, Any]]:
    """The audits of an earlier run, by what was audited."""
    if out is None or not out.is_file():
        return {}
    audits = json.loads(out.read_text(encoding="utf-8"))["audits"]
    return {Run(*(one[name] for name in Run._fields)): one for one in audits}


def done(
    runs: list[Run], folder: Path, out: Path | None, *, probe_items: int
) -> list[dict[str, Any]]:
    """Every one of these audits, those done before included."""
    before = known(out)
    data = {name: SETS[name](folder / "data") for name in {run.set for run in runs}}
    found = []
    for run in runs:
        one = before.get(run) or audit(run, data[run.set], folder, probe_items=probe_items)
        found.append(one)
        print(
            f"{run.set:8} seed {run.seed}  {run.threads} threads  {run.precision:8}  "
            f"{one['verdict']:12} {one['edge']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]  "
            f"without {one['without_data']:.3f}  with {one['with_data']:.3f}",
            flush=True,
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="three seeds of banking77, 120 held out"
    )
    parser.add_argument("--keep", type=Path, help="where audits are kept")
    parser.add_argument("--most", type=int, help="of the audits, in order")
    parser.add_argument("--set", choices=list(SETS), help="audits of this one alone")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if not BANKING.is_dir():
        print("stability: FAIL no data: banking77 is missing")
        return 1
    probe_items = 120 if given.quick else HELD_OUT
    runs = [r for r in wanted(quick=given.quick)[: given.most] if given.set in (None, r.set)]
    with tempfile.TemporaryDirectory() as temporary:
        found = done(runs, given.keep or Path(temporary), given.out, probe_items=probe_items)
    return conclude(found, given.out)


def conclude(found: list[dict[str, Any]], out: Path | None) -> int:
    """The figures, the file, the verdict."""
    short, figures = [], {}
    for name in {one["set"]: None for one in found}:
        own = [one for one in found if one["set"] == name]
        figures[name] = spread(own)
        if figures[name]["all"] > LARGEST_SD:
            short.append(f"{name}: SD {figures[name]['all']:.3f}")
        if len({one["verdict"] for one in own}) > 1:
            short.append(f"{name}: verdicts differ")
    if out:
        record = {**provenance(), "passed": not short, "spread": figures, "audits": found}
        out.write_text(json.dumps(record, indent=1) + "\n")
    shown = ", ".join(
        f"{name} {f['all']:.3f} ({f['audits']} audits; seeds alone {f['seeds']:.3f}, machines alone "
        f"{f['machines']:.3f})"
        for name, f in figures.items()
    )
    print(
        f"stability: {'FAIL' if short else 'PASS'} SD of the edge: {shown} (≤ {LARGEST_SD})"
        + "".join(f"; {s}" for s in short)
    )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
