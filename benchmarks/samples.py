"""The sample datasets, audited as a user would: each must come out as it is made to.

    python benchmarks/samples.py --out benchmarks/results/samples.json   # over an hour on two cores
    python benchmarks/samples.py --quick                                 # under ten minutes

What is expected of each, and with how many held-out items, stands in its `expected.json`. Beyond the
verdicts: a library that the model has read about is known better, and gives less, than one that it has
not; workouts are barely defined by their prompts, the same workouts under criteria that can be checked
have an edge; a query language that does not fit the prompt is a reason to fine-tune. `--quick` audits the
two samples with labels, with few held-out items.

With `--keep DIR` answers that were given before are not asked again, so that a run that was stopped goes
on. Times are those of the run in which the answers were given.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import dataedge
from record import provenance

DATA = Path(__file__).resolve().parents[1] / "data"
SAMPLES = (
    "outfits",
    "workouts/strict",
    "library/inhouse",
    "library/popular",
    "workouts",
    "query_language",
)
QUICK = ("outfits", "workouts/strict")
QUICK_ITEMS = 60
MOST_DEFINED = 0.05
"""Of workouts: the share of a response's bits that its prompt tells."""
MEASURES = ("known_share", "surprisal_bits_per_byte")


def audited(sample: str, folder: Path, items: int | None) -> dict[str, Any]:
    """The figures of one sample's audit, and what was expected of it."""
    expected = json.loads((DATA / sample / "expected.json").read_text())
    items = items or expected.get("probe_items")
    out = folder / sample.replace("/", "-")
    kept = out.with_suffix(".seconds")
    started = time.perf_counter()
    audit = dataedge.audit(DATA / sample, out=str(out), probe_items=items)
    if not kept.exists():
        kept.write_text(f"{time.perf_counter() - started:.0f}")
    verdict = audit.verdict
    wanted = {key: value for key, value in expected.items() if key != "probe_items"}
    found = {"verdict": verdict.label, "limited_by": verdict.limited_by, "advice": verdict.advice}
    return {
        "sample": sample,
        "expected": wanted,
        "missed": {key: found[key] for key, value in wanted.items() if found[key] != value},
        **found,
        "probe_items": items,
        "edge": brief(audit.edge),
        "parts": {name: brief(figure) for name, figure in audit.edge.parts.items()},
        "tuning_gain": brief(audit.tuning_gain),
        "defined_share": audit.measures["definedness"].detail.get("share"),
        **{name: audit.measures[name].value for name in MEASURES},
        "reasons": {reason.id: reason.answer for reason in audit.reasons},
        "seconds": int(kept.read_text()),
    }


def brief(figure: Any) -> list[float] | None:
    """Value and interval of a figure; None where there is none."""
    if figure.value is None:
        return None
    return [round(float(x), 4) for x in (figure.value, figure.low, figure.high)]


def shortcomings(found: dict[str, dict[str, Any]]) -> list[str]:
    """What is not as it should be, one phrase each."""
    short = [
        f"{name}: {key} is {got}, not {one['expected'][key]}"
        for name, one in found.items()
        for key, got in one["missed"].items()
    ]
    if {"library/inhouse", "library/popular"} <= set(found):
        short += compared(found["library/popular"], found["library/inhouse"])
    if "workouts" in found:
        told = found["workouts"]["defined_share"]
        if not told < MOST_DEFINED:
            short.append(f"workouts: their prompts tell {told:.0%} of the responses")
    if "query_language" in found:
        answer = found["query_language"]["reasons"]["prompting_impractical"]
        if answer != "supported":
            short.append(f"query_language: that it does not fit the prompt is {answer}")
    return short


def compared(popular: dict[str, Any], inhouse: dict[str, Any]) -> list[str]:
    """What contradicts that the model has read about one library and not about the other."""
    short = []
    if not popular["known_share"] > inhouse["known_share"]:
        short.append("the popular library is not known better")
    if not popular["surprisal_bits_per_byte"] < inhouse["surprisal_bits_per_byte"]:
        short.append("the popular library surprises more")
    if not popular["edge"][0] < inhouse["edge"][0]:
        short.append("the popular library gives more")
    return short


def table(found: dict[str, dict[str, Any]]) -> None:
    print(f"{'sample':16} {'verdict':13} {'advice':13} {'edge':>26} {'known':>6} {'seconds':>8}")
    for name, one in found.items():
        value, low, high = one["edge"]
        known = one["known_share"]
        print(
            f"{name:16} {one['verdict']:13} {one['advice']:13} "
            f"{f'{value:+.3f} [{low:+.3f}, {high:+.3f}]':>26} "
            f"{'' if known is None else f'{known:.2f}':>6} {one['seconds']:8}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two samples, few held-out items")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path, help="where audits are kept")
    args = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for sample in QUICK if args.quick else SAMPLES:
            found[sample] = audited(sample, folder, QUICK_ITEMS if args.quick else None)
            print(f"{sample} done", file=sys.stderr, flush=True)
    table(found)
    short = shortcomings(found)
    if args.out:
        result = {**provenance(), "passed": not short, "short": short, "samples": found}
        args.out.write_text(json.dumps(result, indent=2) + "\n")
    right = sum(not one["missed"] for one in found.values())
    word = "FAIL" if short else "PASS"
    print(
        f"samples: {word} {right} of {len(found)} come out as expected"
        + "".join(f"; {s}" for s in short)
    )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
