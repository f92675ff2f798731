"""Is the base model asked as well as anyone could cheaply ask it, and the same each time?

    python benchmarks/asking.py --keep DIR --out benchmarks/results/asking.json   # ten hours on two cores
    python benchmarks/asking.py --quick                                           # under ten minutes

On real classification sets with 48, 96 and 384 train rows and three seeds (demonstrations, and which
held-out items are for development), `without_data` is compared with a plain harness written from the
papers alone: three templates, 0, 8 and 16 demonstrations, raw scores, batch calibration (Zhou et al.
2023) and contextual calibration (Zhao et al. 2021). The harness takes the best of these 27 *with
hindsight*, on the very evaluation items.

PASS: `without_data` is at least that best − 2 points on the mean and − 6 points in every cell (mean
over seeds), never below the most frequent label − 1 point, with a standard deviation over seeds of at
most 3 points on the mean, in at most 1.2 times the time of the search for one prompt that it
replaces (by the schedules of both, at the seconds per prompt measured here, retrieved ones included).

With `--keep DIR` answers are kept, and what was done before is not done again. Cells that stand in the file
of `--out` are not measured again either, so that the run goes on from day to day: the file is written after
every cell. What changes the asking asks for an empty file. Until the last cell is there the line says FAIL.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

import classification_sets as sets
import set_workspace
from dataedge.ladder.label_prompts import LabelPrompts
from dataedge.prompt import panel
from dataedge.prompt.calibration import log_softmax
from dataedge.prompt.scores import Choices, ask_choices
from dataedge.prompt.search import schedule
from dataedge.store import Store
from record import arguments, provenance, write_whole

if TYPE_CHECKING:
    from dataedge.prompt.workspace import Workspace

ROWS, SEEDS, HELD_OUT = (48, 96, 384), 3, 160
QUICK = (("clinc:5", 48), ("banking:5", 96), ("rustsec", 96), ("scope", 48))
QUICK_HELD_OUT = 88
SHOTS = (0, 8, 16)
SHOT_CHARACTERS = 4000
"""Demonstrations of the harness take at most this many characters together."""
TEMPLATES = (
    ("Text: {text}\nLabel: {label}", "\n\n"),
    ("Input: {text}\nOutput: {label}", "\n\n"),
    ("{text}\n{column}: {label}", "\n\n"),
)
MEAN, CELL, CHANCE, SPREAD, TIME = 0.02, 0.06, 0.01, 0.03, 1.2


@dataclass(frozen=True)
class Cell:
    """One set, number of train rows and seed: accuracies on the evaluation items."""

    set: str
    rows: int
    seed: int
    labels: int
    chance: float
    hindsight: float
    zero_shot: float
    few_shot: float
    without_data: float
    time: float
    """Seconds of asking over those of the search that it replaces."""
    date: str


def main() -> int:
    given = arguments(__doc__).parse_args()
    if not sets.DATA.is_dir():
        print(f"asking: FAIL no data at {sets.DATA}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        keep = given.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        cells = [] if given.quick else known(given.out)
        every = wanted(quick=given.quick)
        for cell in every:
            if cell[:3] not in {(c.set, c.rows, c.seed) for c in cells}:
                cells.append(run(keep, *cell))
                write(cells, len(every), given.out)
    return report(cells, len(every), given.out)


def known(out: Path | None) -> list[Cell]:
    """Cells that were measured before."""
    if out is None or not out.is_file():
        return []
    return [Cell(**cell) for cell in json.loads(out.read_text())["table"]]


def wanted(*, quick: bool) -> list[tuple[str, int, int, int]]:
    """Set, train rows, seed and held-out items of every cell; all sets first, then more of each."""
    if quick:
        return [(name, rows, 0, QUICK_HELD_OUT) for name, rows in QUICK]
    return [(n, rows, seed, HELD_OUT) for seed in range(SEEDS) for rows in ROWS for n in sets.NAMES]


def run(keep: Path, name: str, rows: int, seed: int, held_out: int) -> Cell:
    """Ask in both ways."""
    file = keep / f"{name.replace(':', '-')}-{rows}-{seed}-{held_out}.json"
    if file.is_file():
        cell = Cell(**json.loads(file.read_text()))
    else:
        started = time.perf_counter()
        cell = measure(keep, name, rows, seed, held_out)
        file.write_text(json.dumps(asdict(cell)))
        print(f"  {time.perf_counter() - started:.0f} s", end="")
    print(
        f"  {name:18} {rows:4} rows  seed {seed}  {cell.labels:3} labels  chance {cell.chance:.3f}  "
        f"hindsight {cell.hindsight:.3f}  without_data {cell.without_data:.3f}  "
        f"(one prompt: {cell.zero_shot:.3f}, {cell.few_shot:.3f})  time {cell.time:.2f}",
        flush=True,
    )
    return cell


def measure(keep: Path, name: str, rows: int, seed: int, held_out: int) -> Cell:
    """The cell, asked anew as far as the store does not know it."""
    column = sets.load(name, 0).column
    with Store(keep / f"store-{name.replace(':', '-')}-{held_out}") as store:
        workspace = set_workspace.workspace(store, name, rows, seed, held_out)
        asking = LabelPrompts(workspace)
        outcomes = asking.ask(retrieved=False).outcomes
        accuracy = {rung: float(outcomes[rung].gain.mean()) for rung in outcomes}
        y = workspace.label_numbers
        most = int(np.bincount(y[workspace.splits.train], minlength=asking.K).argmax())
        return Cell(
            name,
            rows,
            seed,
            asking.K,
            float((y[workspace.splits.evaluation] == most).mean()),
            hindsight(workspace, column),
            accuracy["zero_shot"],
            accuracy.get("few_shot", accuracy["zero_shot"]),
            accuracy["without_data"],
            relative_time(workspace),
            provenance()["date"],
        )


def hindsight(s: Workspace, column: str) -> float:
    """Best accuracy of the plain harness on the evaluation items."""
    y, items = s.label_numbers[s.evaluation], s.dataset.items
    shuffled = [int(i) for i in s.splits.train]
    random.Random(1000 + s.seed).shuffle(shuffled)
    # round-robin over labels, as the papers' balanced draws
    by_label: dict[str, list[int]] = {}
    for i in shuffled:
        by_label.setdefault(items[i].target, []).append(i)
    turns = max(map(len, by_label.values()))
    drawn = [group[t] for t in range(turns) for group in by_label.values() if t < len(group)]
    names = [label.replace("_", " ").replace("-", " ") for label in s.dataset.labels]
    said = dict(zip(s.dataset.labels, names, strict=True))
    stage = Choices(s.lazy_model, [f" {name}" for name in names])
    best = 0.0
    for template, between in TEMPLATES:
        for k in SHOTS:
            shown = drawn[:k]
            if sum(len(items[i].text) for i in shown) > SHOT_CHARACTERS:
                continue

            def write(text: str, label: str, template: str = template) -> str:
                return template.format(text=text, label=label, column=column.capitalize())

            before = "".join(write(items[i].text, said[items[i].target]) + between for i in shown)
            texts = [items[i].text for i in s.evaluation] + ["N/A", "", "[MASK]"]
            prompts = [before + write(text, "").rstrip(" ") for text in texts]
            scores = log_softmax(ask_choices(s.engine, stage, prompts).scores)
            asked, empty = scores[:-3], scores[-3:]
            for offset in (0.0, asked.mean(axis=0), empty.mean(axis=0)):
                best = max(best, float(((asked - offset).argmax(axis=1) == y).mean()))
    return best


def relative_time(s: Workspace) -> float:
    """Tokens of asking, by its schedule, over those of the search for one prompt per rung."""
    development, evaluation = len(s.development), len(s.evaluation)
    templates = sum(map(s.usable, s.probe.templates))
    label_forms, few, near = (
        len(panel.forms(s)),
        s.shot_counts("random"),
        s.shot_counts("retrieved"),
    )
    base = panel.zero_shot(s)[0]
    bare = s.prompt_tokens(base) + label_tokens(s)
    each = [s.prompt_tokens(p) + label_tokens(s) for p in panel.retrieved(s, base)]

    def searched(candidates: int, keep: int, reported: int) -> int:
        return schedule(candidates, development, keep) + reported * evaluation if candidates else 0

    sizes = panel.sizes(templates, label_forms, len(few), len(near))
    now = sum(
        searched(sizes[r], panel.FINALISTS[r], panel.FINALISTS[r])
        for r in ("zero_shot", "few_shot")
    )
    before = searched(3 * label_forms, 2, 1) + searched(2 * len(few), 2, 1)
    screened = min(25, development)
    retrieved_now = retrieved_before = 0.0
    if each:
        retrieved_now = screened * sum(each) + (development - screened + evaluation) * max(each)
        second = sorted(each)[-2:]
        retrieved_before = (
            screened * sum(each) + (development - screened) * sum(second) + evaluation * max(each)
        )
    return (now * bare + retrieved_now) / (before * bare + retrieved_before)


def label_tokens(s: Workspace) -> float:
    """Tokens that are run for the labels behind one prompt."""
    from dataedge.models import trie

    local: Any = s.lazy_model.model
    choices = local.tokens.continuations(s.prompter.choices(panel.zero_shot(s)[0]))
    return float(len(trie.build(choices).tokens))


def found_in(cells: list[Cell], every: int) -> tuple[dict[str, Any], bool]:
    """The figures, and whether they pass.

    Args:
        cells: measured until now.
        every: cells there are to measure.
    """
    means: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells:
        means.setdefault((cell.set, cell.rows), []).append(cell)

    def mean(group: list[Cell], field: str) -> float:
        return float(np.mean([getattr(c, field) for c in group]))

    groups = list(means.values())
    behind = [mean(g, "without_data") - mean(g, "hindsight") for g in groups]
    over_chance = [mean(g, "without_data") - mean(g, "chance") for g in groups]
    spread = float(
        np.mean([np.std([c.without_data for c in g], ddof=1) for g in groups if len(g) > 1] or [0])
    )
    one = [mean(g, "few_shot") - mean(g, "hindsight") for g in groups]
    found = {
        "cells": len(cells),
        "cells_wanted": every,
        "means": len(groups),
        "against_hindsight_mean": float(np.mean(behind)),
        "against_hindsight_worst": min(behind),
        "one_prompt_against_hindsight_mean": float(np.mean(one)),
        "over_chance_worst": min(over_chance),
        "sd_over_seeds": spread,
        "time": float(np.mean([c.time for c in cells])),
    }
    passed = (
        len(cells) >= every
        and found["against_hindsight_mean"] >= -MEAN
        and found["against_hindsight_worst"] >= -CELL
        and found["over_chance_worst"] >= -CHANCE
        and found["sd_over_seeds"] <= SPREAD
        and found["time"] <= TIME
    )
    return found, passed


def write(cells: list[Cell], every: int, out: Path | None) -> None:
    """The file, whole or not there."""
    if out is None:
        return
    found, passed = found_in(cells, every)
    written = {**provenance(), "pass": passed, **found, "table": [asdict(c) for c in cells]}
    write_whole(written, out)


def report(cells: list[Cell], every: int, out: Path | None) -> int:
    """The verdict, and the file."""
    write(cells, every, out)
    found, passed = found_in(cells, every)
    print(
        f"asking: {'PASS' if passed else 'FAIL'} {len(cells)} of {every} cells, "
        f"without_data − hindsight best: {found['against_hindsight_mean']:+.3f} on the mean of "
        f"{found['means']} (≥ −{MEAN}), worst {found['against_hindsight_worst']:+.3f} (≥ −{CELL}); "
        f"one prompt {found['one_prompt_against_hindsight_mean']:+.3f}; "
        f"over chance worst {found['over_chance_worst']:+.3f} (≥ −{CHANCE}); SD over seeds "
        f"{found['sd_over_seeds']:.3f} (≤ {SPREAD}); time {found['time']:.2f} × the search before (≤ {TIME})"
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
