"""What an audit costs as the rows grow: seconds by stage, memory, sizes, and how each grows.

Short questions of 77 classes are made up (5 % of labels wrong, 3 % said twice) and audited whole, each size
in a process of its own. Vectors are the real embedder's up to 100,000 rows; above that they are drawn by
word, which the table says.

    python benchmarks/scale.py [--quick] [--rows 10000 100000] [--probe-items N] [--small] [--drawn]
        [--out FILE.json]

`--small` asks a model of 30,000 weights instead of the embedded one: what an audit costs beside its model, in
minutes instead of hours. `--drawn` draws the vectors at every size.

Checked at every size: what is neither embedding nor asking stays within its limit (120 seconds at 100,000
rows, in proportion, and never less than 60), peak memory (2 GiB at 100,000 rows, 8 GiB at a million), the
page within 3 MB, `dataedge.open` within a second, all but a twentieth of the seconds in a named stage, and no
stage of ten seconds or more growing faster than n^1.15 from the size before.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.models import tiny

import dataedge
from dataedge import pipeline
from dataedge.prepare.vectors import Embed
from record import provenance

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS, WIDTH = 77, 384
WRONG, TWICE = 0.05, 0.03
SYLLABLES = ("ba", "del", "fir", "gon", "hul", "jas", "kem", "lo", "mip", "nar", "pol", "qui")
EMBEDDED_TO = 100_000
MODELS = ("embed", "choices", "likelihood", "generate", "tokens", "request_seconds")
"""The stages that run a model."""
GROWTH, NAMED, PAGE, OPEN = 1.15, 0.95, 3_000_000, 1.0


def questions(rows: int, path: Path) -> None:
    """A CSV of `rows` short questions, whose topic words follow from their class."""
    rng = random.Random(rows)
    words = ["".join(rng.choices(SYLLABLES, k=rng.choice((2, 3)))) for _ in range(3000)]
    topics = [rng.sample(words, 25) for _ in range(LABELS)]
    written: list[tuple[str, int]] = []
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("text", "label"))
        for i in range(rows):
            if written and rng.random() < TWICE:
                text, label = rng.choice(written)
            else:
                label = rng.randrange(LABELS)
                a, b = rng.sample(topics[label], 2)
                x, y, z = rng.sample(words, 3)
                text = f"how do I {x} the {a} of my {y} when the {b} says {z}?"
                if i % 20 == 0:
                    written.append((text, label))
            said = rng.randrange(LABELS) if rng.random() < WRONG else label
            out.writerow((text, f"topic {said:02d}"))


class Drawn(Embed):
    """In the embedder's place where it takes hours: the sum of a vector drawn for each word."""

    def setup(self) -> None:
        """Nothing to load."""
        self.of_word: dict[str, NDArray[np.float64]] = {}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Columns unit, text → unit, vector."""
        found = np.array([self.drawn(text) for text in batch["text"].to_pylist()])
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        flat = pa.array(found.astype(np.float32).ravel())
        column = pa.FixedSizeListArray.from_arrays(flat, WIDTH)
        return pa.record_batch(
            {"unit": batch["unit"], "vector": column.cast(pa.list_(pa.float32()))}
        )

    def drawn(self, text: str) -> NDArray[np.float64]:
        """The vector of a text, shape (384,), of any length."""
        for word in (words := text.split()):
            if word not in self.of_word:
                rng = np.random.default_rng(zlib.crc32(word.encode()))
                self.of_word[word] = rng.standard_normal(WIDTH)
        total: NDArray[np.float64] = np.sum([self.of_word[word] for word in words], axis=0)
        return total


def audited(rows: int, probe_items: int, *, small: bool, drawn: bool) -> dict[str, Any]:
    """One audit in this process: its stages and sizes."""
    if drawn:
        pipeline.Embed = Drawn  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as made:
        data, out = Path(made) / "questions.csv", Path(made) / "out"
        questions(rows, data)
        model = tiny.taught(Path(made) / "tiny") if small else None
        started = time.perf_counter()
        report = dataedge.audit(
            data,
            out=str(out),
            model=model,
            probe_items=probe_items,
            quiet=not sys.stderr.isatty(),
        ).report
        wall = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        started = time.perf_counter()
        again = dataedge.open(out)
        opened = time.perf_counter() - started
        started = time.perf_counter()
        worst = again.items("suspects")
        looked = time.perf_counter() - started
        sizes = {path.name: path.stat().st_size for path in out.iterdir() if path.is_file()}
    return {
        "rows": rows,
        "model": "30,000 weights" if small else report.model.id,
        "vectors": "drawn" if drawn else "embedder",
        "seconds": wall,
        "peak_gib": peak,
        "open_seconds": opened,
        "suspects": len(worst),
        "suspects_seconds": looked,
        "bytes": sizes,
        "stages": {stage.name: stage.seconds for stage in report.stages},
        "verdict": report.verdict.label,
    }


def in_a_process_of_its_own(
    rows: int, probe_items: int, *, small: bool, drawn: bool
) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run(
            [
                *(sys.executable, __file__, "--one", str(rows), str(probe_items), file.name),
                *(["--small"] if small else []),
                *(["--drawn"] if drawn else []),
            ],
            check=True,
        )
        found: dict[str, Any] = json.loads(Path(file.name).read_text())
    return found


def beside_models(found: dict[str, Any]) -> float:
    """Seconds of an audit that are neither embedding nor asking, the unnamed ones among them."""
    of_models = sum(s for name, s in found["stages"].items() if name.startswith(MODELS))
    return float(found["seconds"] - of_models)


def judged(found: dict[str, Any], before: dict[str, Any] | None) -> list[str]:
    """What falls short at one size, each with its figures."""
    rows, short = found["rows"], []
    beside, allowed = beside_models(found), max(60.0, 120 * rows / 100_000)
    if beside > allowed:
        short.append(f"{beside:.0f} s beside the models (≤ {allowed:.0f})")
    memory = 2.0 if rows <= 100_000 else 8.0
    if found["peak_gib"] > memory:
        short.append(f"peak {found['peak_gib']:.2f} GiB (≤ {memory:.0f})")
    if found["bytes"]["report.html"] > PAGE:
        short.append(f"a page of {found['bytes']['report.html'] / 1e6:.1f} MB (≤ {PAGE / 1e6:.0f})")
    if found["open_seconds"] > OPEN:
        short.append(f"open {found['open_seconds']:.2f} s (≤ {OPEN:.0f})")
    named = sum(found["stages"].values()) / found["seconds"]
    if named < NAMED:
        short.append(f"{named:.1%} of the seconds in a named stage (≥ {NAMED:.0%})")
    for name, seconds in found["stages"].items():
        earlier = before["stages"].get(name, 0.0) if before else 0.0
        if seconds >= 10 and earlier >= 0.5:
            power = math.log(seconds / earlier) / math.log(rows / before["rows"])  # type: ignore[index]
            if power > GROWTH:
                short.append(f"{name} grows by n^{power:.2f} (≤ {GROWTH})")
    return short


def show(found: dict[str, Any]) -> None:
    stages = sorted(found["stages"].items(), key=lambda pair: -pair[1])
    print(
        f"{found['rows']:>9,} rows, vectors: {found['vectors']}: {found['seconds']:.0f} s, "
        f"{beside_models(found):.0f} of them beside the models; peak {found['peak_gib']:.2f} GiB; "
        f"open {found['open_seconds']:.2f} s; {found['suspects']:,} suspects read "
        f"in {found['suspects_seconds']:.2f} s"
    )
    print("          " + ", ".join(f"{n} {b / 1e6:.2f} MB" for n, b in found["bytes"].items()))
    print("          " + ", ".join(f"{n} {s:.0f} s" for n, s in stages if s >= 1), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 and 5,000 rows, fewer probes")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument(
        "--probe-items", type=int, default=400, help="held-out items asked about [400]"
    )
    parser.add_argument("--small", action="store_true", help="a base model of 30,000 weights")
    parser.add_argument("--drawn", action="store_true", help="vectors drawn by word at every size")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=3, metavar=("ROWS", "PROBES", "FILE"))
    args = parser.parse_args()
    if args.one:
        rows, probe_items, file = args.one
        Path(file).write_text(
            json.dumps(audited(int(rows), int(probe_items), small=args.small, drawn=args.drawn))
        )
        return 0
    sizes, probe_items = sorted(args.rows), args.probe_items
    if args.quick:
        sizes, probe_items = [1_000, 5_000], 60
    done: list[dict[str, Any]] = []
    short: list[str] = []
    for rows in sizes:
        found = in_a_process_of_its_own(
            rows, probe_items, small=args.small, drawn=args.drawn or rows > EMBEDDED_TO
        )
        show(found)
        short += [f"{rows:,} rows: {s}" for s in judged(found, done[-1] if done else None)]
        done.append(found)
        if args.out:
            record = {**provenance("sentence-transformers", "duckdb"), "passed": not short}
            args.out.write_text(
                json.dumps({**record, "short": short, "sizes": done}, indent=2) + "\n"
            )
    last = done[-1]
    print(
        f"scale: {'FAIL ' + '; '.join(short) if short else 'PASS'} — {last['rows']:,} rows in "
        f"{last['seconds']:.0f} s, {beside_models(last):.0f} s beside the models, "
        f"{last['peak_gib']:.2f} GiB, page {last['bytes']['report.html'] / 1e6:.2f} MB, "
        f"open {last['open_seconds']:.2f} s"
    )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
