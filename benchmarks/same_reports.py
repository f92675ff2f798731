"""Reports before and after a change of the code that is to change nothing.

    git worktree add ../before <commit>
    python benchmarks/same_reports.py --before ../before/src --keep ../same_reports
    python benchmarks/same_reports.py --before ../before/src --quick      # under ten minutes

The sample datasets, and one small dataset of each input format, are audited with the code of `--before`;
then the same audit goes on with the present code, from a copy of the store, so that answers of the model
and whatever else is kept under an unchanged key are reused. The two reports are compared field by field,
without times. PASS: no field differs. `--renamed OLD=NEW` (repeatable) says that a key has a new name.

With `--keep DIR` an audit with the earlier code that was done before is not done again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from dataedge.report.model import without_timings
from record import provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
SMALL = ["--limit", "120", "--probe-items", "40"]
SAMPLES: dict[str, list[str]] = {
    "outfits": [],
    "workouts": ["--probe-items", "100"],
    "library/inhouse": [],
    "library/popular": [],
}
ELSEWHERE = ("config.passed.out", "config.effective.out", "dataset.path")
"""Fields that name where the audit lies."""


class Case(NamedTuple):
    """One dataset that is audited twice."""

    name: str
    path: Path
    flags: Sequence[str]


class Difference(NamedTuple):
    """One field of two reports that differs."""

    field: str
    before: Any
    after: Any


def rows() -> list[dict[str, str]]:
    """The first rows of a labelled sample, as text."""
    with (DATA / "outfits" / "outfits.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))[:120]


def passages() -> list[str]:
    """The first responses of a sample of text."""
    lines = (DATA / "workouts" / "workouts.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["completion"] for line in lines[:120]]


def formats(folder: Path) -> Iterator[Case]:
    """One small dataset of each input format and of each reading of columns."""
    import datasets
    import pandas as pd
    import pyarrow as pa
    import pyarrow.feather

    frame = pd.DataFrame(rows())
    label = str(frame.columns[-1])
    text = [c for c in frame.columns if c != label]
    pairs = [
        {"prompt": f"{i}. {row[text[0]]}", "completion": f"{row[text[-1]]}: {row[label]}"}
        for i, row in enumerate(frame.to_dict("records"))
    ]
    writers: dict[str, Callable[[Path], object]] = {
        "rows.csv": lambda p: frame.to_csv(p, index=False),
        "rows.tsv": lambda p: frame.to_csv(p, index=False, sep="\t"),
        "rows.json": lambda p: frame.to_json(p, orient="records"),
        "rows.jsonl": lambda p: frame.to_json(p, orient="records", lines=True),
        "rows.parquet": frame.to_parquet,
        "rows.feather": lambda p: pyarrow.feather.write_feather(pa.Table.from_pandas(frame), p),
        "saved": lambda p: datasets.Dataset.from_pandas(frame).save_to_disk(str(p)),
        "pairs.jsonl": lambda p: p.write_text("\n".join(map(json.dumps, pairs))),
        "chat.jsonl": lambda p: p.write_text("\n".join(json.dumps(_chat(pair)) for pair in pairs)),
        "preferences.jsonl": lambda p: p.write_text(
            "\n".join(json.dumps(_preference(pairs, i)) for i in range(len(pairs)))
        ),
        "text.txt": lambda p: p.write_text("\n\n".join(passages())),
    }
    for name, write in writers.items():
        path = folder / name
        if not path.exists():
            write(path)
        yield Case(name, path, SMALL)


def _chat(pair: dict[str, str]) -> dict[str, Any]:
    said = (("user", pair["prompt"]), ("assistant", pair["completion"]))
    return {"messages": [{"role": role, "content": text} for role, text in said]}


def _preference(pairs: list[dict[str, str]], i: int) -> dict[str, str]:
    other = pairs[(i + 7) % len(pairs)]["completion"]
    return {"prompt": pairs[i]["prompt"], "chosen": pairs[i]["completion"], "rejected": other}


def audit(case: Case, source: Path, out: Path) -> dict[str, Any]:
    """The report of a dataset, audited with the package in `source`."""
    command = [sys.executable, "-m", "dataedge", "audit", str(case.path), "--out", str(out)]
    done = subprocess.run(
        [*command, *case.flags],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    if not (out / "report.json").is_file():
        raise RuntimeError(f"{case.name}: {done.stderr.strip().splitlines()[-1]}")
    report: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return report


def differences(before: Any, after: Any, field: str = "") -> Iterator[Difference]:
    """Fields whose values differ.

    Example:
        >>> list(differences({"a": [1, 2]}, {"a": [1, 3]}))
        [Difference(field='a.1', before=2, after=3)]
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from differences(before.get(key), after.get(key), f"{field}.{key}".lstrip("."))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{field}.{at}")
    elif before != after:
        yield Difference(field, before, after)


def renamed(value: Any, names: dict[str, str]) -> Any:
    """Plain data with keys under their new names."""
    if isinstance(value, dict):
        return {names.get(k, k): renamed(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [renamed(v, names) for v in value]
    return value


def compare(case: Case, before: Path, folder: Path, names: dict[str, str]) -> list[Difference]:
    """What differs between the two reports of a dataset."""
    first, second = folder / "before" / case.name, folder / "after" / case.name
    if not (first / "report.json").is_file():
        audit(case, before, first)
    shutil.rmtree(second, ignore_errors=True)
    shutil.copytree(first, second)
    was = json.loads((first / "report.json").read_text(encoding="utf-8"))
    now = audit(case, ROOT / "src", second)
    found = differences(without_timings(renamed(was, names)), without_timings(now))
    return [d for d in found if d.field not in ELSEWHERE]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="src of the earlier code")
    parser.add_argument("--quick", action="store_true", help="the input formats alone")
    parser.add_argument("--renamed", action="append", default=[], metavar="OLD=NEW")
    parser.add_argument("--keep", type=Path, help="where audits with the earlier code are kept")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    names = dict(pair.split("=", 1) for pair in args.renamed)
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        (folder / "data").mkdir(parents=True, exist_ok=True)
        cases = list(formats(folder / "data"))
        if not args.quick:
            cases += [Case(name, DATA / name, flags) for name, flags in SAMPLES.items()]
        for case in cases:
            found = compare(case, args.before.resolve(), folder, names)
            results[case.name] = [d._asdict() for d in found]
            print(
                f"{case.name:20} {'same' if not found else f'{len(found)} fields differ'}",
                flush=True,
            )
            for d in found[:10]:
                print(f"    {d.field}: {str(d.before)[:60]} → {str(d.after)[:60]}")
    changed = [name for name, found in results.items() if found]
    if args.out:
        record = {**provenance(), "passed": not changed, "differences": results}
        args.out.write_text(json.dumps(record, indent=2) + "\n")
    print(
        f"same_reports: {'FAIL' if changed else 'PASS'} {len(results) - len(changed)} of {len(results)} "
        "reports are the same" + (f"; not {', '.join(changed)}" if changed else "")
    )
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
