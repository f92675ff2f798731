"""Does any input end in a traceback, or take more than a gibibyte or twenty seconds?

Files of every format and reading of columns are mutated, in their values, their names and their bytes
(`tests/load/malformed.py`), some with descriptions, links, scripts and pickles beside them; to these come
inputs that are made to be costly (`tests/load/costly.py`): a million columns, nesting, compressed emptiness.
Each is read as an audit reads it and checked as `dataedge check` does, in a process of its own. There what
ends a reader ends the input's process; the costly ones, and every twentieth of the others, are read once
more as a command reads them, by a process with limits, and come out the same.

    python benchmarks/malformed.py [--quick] [--from N] [--out FILE.json]

PASS: each is read or refused with a sentence and a hint, within 1 GiB and 20 seconds, and nothing that it
brings was run. `--quick` goes through 1,000 inputs instead of 10,000.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.load import costly, malformed

from record import provenance

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS, GIBIBYTES = 20, 1.0
TRACE = Path("/tmp/was_run")
"""What a pickle that is among the inputs would make."""


class Outcome(NamedTuple):
    """What came of one input.

    Attributes:
        kind: read, refused, crash, slow, large, killed, differs.
        said: the sentence, or the end of the traceback.
        seconds: of both readers.
        gib: peak memory of the process.
    """

    kind: str
    said: str
    seconds: float
    gib: float


def made(make: Callable[[Path], Path], folder: Path) -> Path:
    """One input, made in a fork: what it takes to make it would count as what it takes to read it."""
    where = folder / "where"
    child = os.fork()
    if not child:
        try:
            where.write_bytes(os.fsencode(make(folder / "in")))
        finally:
            if not where.exists():
                traceback.print_exc()
            os._exit(0)
    os.waitpid(child, 0)
    if not where.exists():
        raise SystemExit("malformed: FAIL an input could not be made")
    return Path(os.fsdecode(where.read_bytes()))


def outcome(path: Path, here: bool, apart: bool) -> tuple[str, str]:
    """What comes of one input, read in this process, in one of its own, or in both, which are to agree."""
    found = []
    for wanted, where in ((here, "0"), (apart, "1")):
        if wanted:
            os.environ["DATAEDGE_APART"] = where
            found.append(malformed.outcome(path))
    if found[0] != found[-1]:
        return "differs", f"{found[0]}, apart {found[-1]}"
    return found[0]


def judged(make: Callable[[Path], Path], *, here: bool = True, apart: bool = False) -> Outcome:
    """One input, made and read in a fork of this process each."""
    folder = Path(tempfile.mkdtemp())
    told = folder / "told.json"
    (folder / "in").mkdir()
    path = made(make, folder)
    started = time.monotonic()
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        told.write_text(json.dumps(outcome(path, here, apart)))
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    seconds, gib = time.monotonic() - started, usage.ru_maxrss / 2**20
    kind, said = json.loads(told.read_text()) if told.exists() else ("killed", f"status {status}")
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        kind, said = "slow", f"over {SECONDS} s"
    elif gib > GIBIBYTES:
        kind, said = "large", f"{gib:.2f} GiB"
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(kind, said, seconds, gib)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 inputs")
    parser.add_argument("--from", dest="start", type=int, default=10_000, metavar="N")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    TRACE.unlink(missing_ok=True)
    inputs: dict[str, Callable[[], Outcome]] = {}
    for name, make in costly.INPUTS.items():
        inputs[name] = partial(judged, make)
        inputs[f"{name}, apart"] = partial(judged, make, here=False, apart=True)
    shown = set(inputs)
    for number in range(args.start, args.start + (1_000 if args.quick else 10_000)):
        make = partial(malformed.make, number=number)
        inputs[str(number)] = partial(judged, make, apart=number % 20 == 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    counts: Counter[str] = Counter()
    harm: dict[str, Outcome] = {}
    slowest = largest = Outcome("", "", 0.0, 0.0)
    for done, (name, judge) in enumerate(inputs.items(), 1):
        found = judge()
        counts[found.kind] += 1
        slowest = max(slowest, found, key=lambda o: o.seconds)
        largest = max(largest, found, key=lambda o: o.gib)
        if found.kind not in ("read", "refused"):
            harm[name] = found
            print(f"{name}: {found.kind}: {found.said.strip()[-600:]}", flush=True)
        if name in shown or done % 1000 == 0:
            print(
                f"{name:32} {found.kind:8} {found.seconds:5.1f} s {found.gib:.2f} GiB  {found.said[:90]}",
                flush=True,
            )
    ran = TRACE.exists()
    good = not harm and not ran
    if args.out:
        record: dict[str, Any] = {
            **provenance("duckdb", "pyarrow", "datasets"),
            "passed": good,
            "inputs": len(inputs),
            "counts": dict(counts),
            "slowest_seconds": round(slowest.seconds, 2),
            "largest_gib": round(largest.gib, 3),
            "harm": {name: o._asdict() for name, o in harm.items()},
        }
        args.out.write_text(json.dumps(record, indent=2) + "\n")
    print(
        f"malformed: {'PASS' if good else 'FAIL'} {len(inputs):,} inputs: {counts['read']:,} read, "
        f"{counts['refused']:,} refused, {len(harm):,} did harm"
        + (", and a pickle was run" if ran else "")
        + f"; at most {slowest.seconds:.1f} s (≤ {SECONDS}) and {largest.gib:.2f} GiB (≤ {GIBIBYTES:g})"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
