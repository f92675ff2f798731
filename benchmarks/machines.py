"""The same audit on every machine: instruction sets, threads and precisions that differ.

    python benchmarks/machines.py --out benchmarks/results/machines.json   # an hour on two cores
    python benchmarks/machines.py --quick                                  # under ten minutes

Combinations of `ONEDNN_MAX_CPU_ISA`, `ATEN_CPU_CAPABILITY`, threads and precision run, as far as this
processor has them: the plainest of all, every set of oneDNN with the newest of ATen, every set of
ATen with the newest of oneDNN, and one thread. In a process of its own each does the capability tests of
the embedded model, scores 200 questions of banking77 with 12 labels, and audits 240 rows of the same
12 labels with 60 held-out items, each label replaced by the number of a queue: an edge that no rounding
takes away, so that a verdict which differs is the machine's. The scores are compared with those in
float32 on one thread. A processor without bfloat16 multiplies the same rounded numbers in float32.

With `--keep DIR` a combination that was run before is not run again.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from record import provenance

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "banking77"
LABELS = 12
ROWS = 240
HELD_OUT = 60
ITEMS = {False: 200, True: 60}
LARGEST_DIFFERENCE = 1e-3
LEAST_AGREEMENT = 0.98
NEEDS = {
    "AVX2": "avx2",
    "AVX512_CORE": "avx512f",
    "AVX512_CORE_BF16": "avx512_bf16",
    "AVX512_CORE_AMX": "amx_bf16",
}
ATEN_NEEDS = {"default": "", "avx2": "avx2", "avx512": "avx512f"}


@dataclass(frozen=True)
class Machine:
    """What one process is told of the machine that it runs on."""

    onednn: str
    aten: str
    threads: int
    dtype: str

    @property
    def name(self) -> str:
        """What it is called in the table."""
        return f"{self.onednn}-{self.aten}-{self.threads}-{self.dtype}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its process."""
        return {
            **os.environ,
            "ONEDNN_MAX_CPU_ISA": self.onednn,
            "ATEN_CPU_CAPABILITY": self.aten,
            "OMP_NUM_THREADS": str(self.threads),
        }


def machines(*, quick: bool) -> list[Machine]:
    """The combinations that this processor has; the first one is the reference."""
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    onednn = [name for name, flag in NEEDS.items() if flag in flags] or ["DEFAULT"]
    aten = [name for name, flag in ATEN_NEEDS.items() if not flag or flag in flags]
    precisions = ("float32", "bfloat16")
    one_by_one = [
        *itertools.product(onednn[:1], aten[:1], (1, 2), precisions),  # the plainest
        *itertools.product(onednn, aten[-1:], (2,), precisions),  # each oneDNN
        *itertools.product(onednn[-1:], aten, (2,), precisions),  # each ATen
        *itertools.product(onednn[-1:], aten[-1:], (1,), precisions),  # one thread
    ]
    every = [Machine(*values) for values in dict.fromkeys(one_by_one)]
    if not quick:
        return every
    last = Machine(onednn[-1], aten[-1], 2, "float32")
    return [every[0], last, Machine(onednn[-1], aten[-1], 2, "bfloat16")]


def banking() -> tuple[list[tuple[str, str]], list[str]]:
    """Train rows and test questions of twelve labels, drawn once and for all."""
    with (DATA / "train.csv").open(newline="") as file:
        train = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    with (DATA / "test.csv").open(newline="") as file:
        asked = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    rng = random.Random(12)
    chosen = set(rng.sample(sorted({label for _, label in train}), LABELS))
    kept = [row for row in train if row[1] in chosen]
    rng.shuffle(kept)
    return kept[:ROWS], [text for text, label in asked if label in chosen]


def child(machine: Machine, model: str, items: int, audit: bool, out: Path) -> None:
    """Handshake, scores and audit of one combination, written as JSON."""
    import torch

    import dataedge
    from dataedge.models import open_model

    torch.set_num_threads(machine.threads)
    started = time.perf_counter()
    opened = open_model(model, dtype=machine.dtype)  # type: ignore[arg-type]
    can = opened.capabilities
    record: dict[str, Any] = {
        "machine": asdict(machine),
        "torch": {
            "capability": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
        },
        "handshake": {
            "believed": can.token_logprobs,
            "tree": opened.tree,
            "scatter_nats": can.scatter_nats,
            "changed_answers": can.changed_answers,
            "notes": list(can.notes),
            "seconds": time.perf_counter() - started,
        },
    }
    if items:
        rows, asked = banking()
        labels = sorted({f" {label.replace('_', ' ')}" for _, label in rows})
        prompts = [f"Customer: {text}\nTopic:" for text in asked[:items]]
        record["scores"] = opened.score_choices(prompts, labels).tolist()
    if audit:
        import pandas as pd

        queues = {label: f"queue {k + 1}" for k, label in enumerate(sorted({y for _, y in rows}))}
        frame = pd.DataFrame([(text, queues[y]) for text, y in rows], columns=["text", "queue"])
        with tempfile.TemporaryDirectory() as folder:
            found = dataedge.audit(
                frame, out=folder, model=model, dtype=machine.dtype, probe_items=HELD_OUT
            )
        record["audit"] = {
            "verdict": found.verdict.label,
            "edge": found.edge.value,
            "low": found.edge.low,
            "high": found.edge.high,
            "without_data": float(found.ladder.loc["without_data", "value"]),
        }
    record["seconds"] = time.perf_counter() - started
    out.write_text(json.dumps(record))


def run(machine: Machine, items: int, folder: Path) -> dict[str, Any]:
    """The record of one combination; where its process failed, why."""
    out = folder / f"{machine.name}-{items}.json"
    if not out.exists():
        asked = [f"--{key}={value}" for key, value in asdict(machine).items()]
        command = [sys.executable, __file__, "--child", f"--items={items}", "--audit", *asked]
        done = subprocess.run(
            [*command, "--out", str(out)],
            env=machine.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return {"machine": asdict(machine), "failed": last}
    record: dict[str, Any] = json.loads(out.read_text())
    return record


def compare(record: dict[str, Any], reference: np.ndarray) -> dict[str, Any]:
    """Its scores against those in float32 on one thread."""
    scores = np.array(record.pop("scores"))
    difference = np.abs(scores - reference)
    return {
        **record,
        "largest": float(difference.max()),
        "mean": float(difference.mean()),
        "agreement": float((scores.argmax(1) == reference.argmax(1)).mean()),
    }


def shortcomings(records: list[dict[str, Any]]) -> list[str]:
    """What falls short, one phrase each."""
    short = []
    for one in records:
        name = Machine(**one["machine"]).name
        if "failed" in one:
            short.append(f"{name} failed: {one['failed'][:80]}")
            continue
        if not one["handshake"]["believed"]:
            short.append(f"{name}: not believed")
        if one["machine"]["dtype"] == "float32" and one["largest"] > LARGEST_DIFFERENCE:
            short.append(f"{name}: {one['largest']:.1e} from float32 on one thread")
        if one["agreement"] < LEAST_AGREEMENT:
            short.append(f"{name}: same label on {one['agreement']:.1%}")
    verdicts = {one["audit"]["verdict"] for one in records if "audit" in one}
    if len(verdicts) != 1:
        short.append(f"verdicts differ: {', '.join(sorted(verdicts))}")
    return short


def table(records: list[dict[str, Any]]) -> None:
    print(f"{'combination':34} {'largest':>8} {'mean':>8} {'same':>6} {'changed':>8}  verdict")
    for one in records:
        name = Machine(**one["machine"]).name
        if "failed" in one:
            print(f"{name:34} failed: {one['failed'][:60]}")
            continue
        changed = one["handshake"]["changed_answers"]
        shown = "" if changed is None else f"{changed:.2%}"
        audit = one["audit"]
        print(
            f"{name:34} {one['largest']:8.1e} {one['mean']:8.1e} {one['agreement']:6.1%} {shown:>8}  "
            f"{audit['verdict']} {audit['edge']:+.3f} [{audit['low']:+.3f}, {audit['high']:+.3f}]"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three combinations, 60 questions")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path, help="where records of combinations are kept")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--audit", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--model", default="embedded", help=argparse.SUPPRESS)
    parser.add_argument("--items", type=int, default=0, help=argparse.SUPPRESS)
    for key, kind in (("onednn", str), ("aten", str), ("threads", int), ("dtype", str)):
        parser.add_argument(f"--{key}", type=kind, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        machine = Machine(args.onednn, args.aten, args.threads, args.dtype)
        child(machine, args.model, args.items, args.audit, args.out)
        return 0
    chosen = machines(quick=args.quick)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = []
        for machine in chosen:
            found.append(run(machine, ITEMS[args.quick], folder))
            print(f"{machine.name} done", file=sys.stderr, flush=True)
    if "failed" in found[0]:
        print(f"machines: FAIL the reference failed: {found[0]['failed']}")
        return 1
    reference = np.array(found[0]["scores"])
    records = [one if "failed" in one else compare(one, reference) for one in found]
    table(records)
    short = shortcomings(records)
    done = [one for one in records if "failed" not in one]
    exact = max(one["largest"] for one in done if one["machine"]["dtype"] == "float32")
    same = min(one["agreement"] for one in done)
    if args.out:
        result = {
            **provenance("sentence-transformers"),
            "passed": not short,
            "short": short,
            "combinations": records,
        }
        args.out.write_text(json.dumps(result, indent=2) + "\n")
    word = "FAIL" if short else "PASS"
    print(
        f"machines: {word} {len(done)} of {len(records)} combinations conclude; float32 within "
        f"{exact:.1e} nats (≤ {LARGEST_DIFFERENCE:.0e}); same label on {same:.1%} at least "
        f"(≥ {LEAST_AGREEMENT:.0%}); verdicts {'differ' if any('verdict' in s for s in short) else 'equal'}"
        + "".join(f"; {s}" for s in short)
    )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
