"""Is a killed audit the same as one that nothing disturbed, once it has gone on?

Small audits of labels, of responses, of plain text and with a pilot are killed (SIGKILL, which nothing can
catch) at random moments of random stages: while the models load, while texts are embedded, questions asked,
learners fitted, a model tuned, the report written. The same command is then given again, and killed again,
five times; then it runs to its end.

    python benchmarks/faults.py [--quick] [--seed N] [--out FILE.json]

PASS: every report is that of the undisturbed audit, times apart, and for every kill at most one batch was
asked, or one step computed, a second time. `--quick` kills 20 times, the whole benchmark 200 times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dataedge.report.model import without_timings
from record import provenance
from same_reports import ELSEWHERE, differences, passages, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KILLS_IN_A_ROW = 5
LOADING, REPORT = "loading", "report"
SMALL = ("--probe-items", "40", "--quiet")
LONGEST = 600.0
"""Seconds after which an audit of this size is said to hang."""


class Case(NamedTuple):
    """One dataset and what it is audited with."""

    name: str
    path: Path
    flags: Sequence[str]


class Run(NamedTuple):
    """What one process did.

    Attributes:
        stages: each stage and when it began, in seconds after the start.
        begun: stage and units of every batch and step that was begun.
        seconds: until its end.
        code: its exit code; below 0 if it was killed.
        said: the end of what it said.
    """

    stages: list[tuple[str, float]]
    begun: list[tuple[str, tuple[str, ...]]]
    seconds: float
    code: int
    said: str


class Chain(NamedTuple):
    """One audit that was killed several times and then went on to its end."""

    case: str
    killed_in: list[str]
    again: int
    differs: list[str]


def watched(descriptor: int, command: list[str]) -> None:
    """Run the command line in this process, and write down what it begins."""
    from dataedge import pipeline
    from dataedge.cli import main as run_command
    from dataedge.engine import local
    from dataedge.progress import Progress

    out = os.fdopen(descriptor, "w", buffering=1)
    task, build = Progress.task, pipeline.build
    attempt, once = local.attempt, local.Engine.once

    def task_seen(self: Any, name: str, total: int) -> Any:
        out.write(f"stage {name}\n")
        return task(self, name, total)

    def attempt_seen(stage: Any, batch: Any) -> Any:
        out.write(f"batch {stage.name} {' '.join(batch['unit'].to_pylist())}\n")
        return attempt(stage, batch)

    def once_seen(self: Any, step: Any, inputs: Any, compute: Any) -> Any:
        key = local.digest([step.name, sorted((k, local.digest(v)) for k, v in inputs.items())])

        def begun(advance: Any) -> Any:
            out.write(f"batch {step.name} {key[:32]}\n")
            return compute(advance)

        return once(self, step, inputs, begun)

    def build_seen(*args: Any, **options: Any) -> Any:
        out.write(f"stage {REPORT}\n")
        return build(*args, **options)

    Progress.task = task_seen  # type: ignore[method-assign]
    local.attempt = attempt_seen
    local.Engine.once = once_seen  # type: ignore[method-assign, assignment]
    pipeline.build = build_seen
    sys.argv = ["dataedge", *command]
    run_command()


def run(case: Case, model: str, out: Path, kill: tuple[str, float] | None = None) -> Run:
    """An audit in a process of its own, killed so many seconds after a stage began, or never."""
    reader, writer = os.pipe()
    command = ["audit", str(case.path), "--out", str(out), "--model", model, *SMALL, *case.flags]
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), "--watched", str(writer), *command],
        pass_fds=(writer,),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    os.close(writer)
    stages, begun = [(LOADING, 0.0)], []
    timers = [threading.Timer(LONGEST, process.kill)]
    if kill and kill[0] == LOADING:
        timers.append(threading.Timer(kill[1], process.send_signal, [signal.SIGKILL]))
    for timer in timers:
        timer.start()
    with os.fdopen(reader) as lines:
        for line in lines:
            kind, name, *units = line.split()
            if kind == "batch":
                begun.append((name, tuple(units)))
                continue
            stages.append((name, time.monotonic() - started))
            if kill and kill[0] == name and len(timers) == 1:
                timers.append(threading.Timer(kill[1], process.send_signal, [signal.SIGKILL]))
                timers[-1].start()
    said = process.communicate()[0]
    for timer in timers:
        timer.cancel()
    return Run(stages, begun, time.monotonic() - started, process.returncode, said[-2000:])


def lengths(whole: Run) -> list[tuple[str, float]]:
    """The stages of an undisturbed run in their order, each once, with how long it was."""
    ends = [at for _, at in whole.stages[1:]] + [whole.seconds]
    found: dict[str, float] = {}
    for (name, at), end in zip(whole.stages, ends, strict=True):
        found.setdefault(name, end - at)
    return list(found.items())


def begun_again(runs: Sequence[Run]) -> int:
    """How many batches and steps were begun though all or some of them had been begun before."""
    seen: set[tuple[str, str]] = set()
    again = 0
    for each in runs:
        for stage, units in each.begun:
            asked = {(stage, unit) for unit in units}
            again += bool(asked & seen)
            seen |= asked
    return again


def report(out: Path) -> Any:
    return without_timings(json.loads((out / "report.json").read_text(encoding="utf-8")))


def chain(
    case: Case, model: str, folder: Path, whole: Run, kills: int, rng: random.Random
) -> Chain:
    """Kill one audit several times, let it end, and compare."""
    stages = lengths(whole)
    order = [name for name, _ in stages]
    out = folder / "killed"
    shutil.rmtree(out, ignore_errors=True)
    runs, killed_in = [], []
    # as likely in a long stage as in a short one; later kills hit later stages, or the stage is done
    for name in sorted(rng.choices(order, k=kills), key=order.index):
        wait = rng.uniform(0, dict(stages)[name])
        runs.append(run(case, model, out, (name, wait)))
        if runs[-1].code == -signal.SIGKILL:
            killed_in.append(name)
        elif runs[-1].code != 0:
            raise RuntimeError(f"{case.name}: exit {runs[-1].code}\n{runs[-1].said}")
    runs.append(run(case, model, out))
    if runs[-1].code != 0:
        raise RuntimeError(f"{case.name}: exit {runs[-1].code}\n{runs[-1].said}")
    found = differences(report(folder / "whole"), report(out))
    differs = [f"{d.field}: {d.before} → {d.after}" for d in found if d.field not in ELSEWHERE]
    return Chain(case.name, killed_in, begun_again(runs), differs)


def cases(folder: Path) -> Iterator[Case]:
    """Labels, the same with a pilot, responses, and text alone."""
    import pandas as pd

    frame = pd.DataFrame(rows())
    label = str(frame.columns[-1])
    text = [c for c in frame.columns if c != label]
    frame.to_csv(folder / "labels.csv", index=False)
    pairs = [
        {"prompt": f"{i}. {row[text[0]]}", "completion": f"{row[text[-1]]}: {row[label]}"}
        for i, row in enumerate(frame.to_dict("records"))
    ]
    (folder / "responses.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    (folder / "text.txt").write_text("\n\n".join(passages()))
    yield Case("labels", folder / "labels.csv", ())
    yield Case("labels, pilot", folder / "labels.csv", ("--pilot", "5"))
    yield Case("responses", folder / "responses.jsonl", ("--no-pilot",))
    yield Case("text", folder / "text.txt", ("--no-pilot",))


def main() -> int:
    if sys.argv[1:2] == ["--watched"]:
        watched(int(sys.argv[2]), sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 kills instead of 200")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    wanted, rng = 20 if args.quick else 200, random.Random(args.seed)
    from tests.models import tiny

    done: list[Chain] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        model = tiny.taught(folder / "tiny")
        prepared = []
        for case in cases(folder):
            own = folder / case.name.replace(", ", "_")
            whole = run(case, model, own / "whole")
            if whole.code != 0:
                raise RuntimeError(f"{case.name}: exit {whole.code}\n{whole.said}")
            prepared.append((case, own, whole))
            print(f"{case.name:14} undisturbed in {whole.seconds:.0f} s: ", end="")
            print(", ".join(name for name, _ in lengths(whole)), flush=True)
        while (so_far := sum(len(c.killed_in) for c in done)) < wanted:
            case, own, whole = prepared[len(done) % len(prepared)]
            kills = min(KILLS_IN_A_ROW, wanted - so_far)
            done.append(chain(case, model, own, whole, kills, rng))
            last = done[-1]
            print(
                f"{last.case:14} killed in {', '.join(last.killed_in) or 'nothing'}: "
                f"{last.again} begun again, {len(last.differs)} fields differ",
                flush=True,
            )
            for line in last.differs[:5]:
                print(f"    {line[:160]}")
    where = Counter(name for c in done for name in c.killed_in)
    kills = sum(where.values())
    other = [c.case for c in done if c.differs]
    more = [c.case for c in done if c.again > len(c.killed_in)]
    good = not other and not more
    if args.out:
        record = {
            **provenance("duckdb"),
            "passed": good,
            "kills": dict(where),
            "chains": [c._asdict() for c in done],
        }
        args.out.write_text(json.dumps(record, indent=2) + "\n")
    print(
        f"faults: {'PASS' if good else 'FAIL'} {kills} kills in {len(where)} stages of {len(done)} audits; "
        f"{len(done) - len(other)} reports as undisturbed, {sum(c.again for c in done)} batches or steps "
        f"begun again (≤ {kills}, one a kill)" + (f"; more in {more}" if more else "")
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
