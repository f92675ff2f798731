"""Which learning rate and how many passes make a good fine-tune, chosen once on sets that no arm is of.

    python benchmarks/edge/recipe.py --keep DIR --out benchmarks/results/edge/recipe.json   # hours
    python benchmarks/edge/recipe.py --quick                                              # one set

Every candidate fine-tunes the embedded model on the same train rows as a pilot would, with the best pass
kept by development items, and is judged on held-out items, calibrated on development items as a pilot's
answers are. Where the last pass and that of the least loss were held against each other, `development_bits`
has what they were judged by and `judged_accuracy` what each is right in, the last one first. The sets are
other classes of public data that arms draw from, and columns of it that no arm reads, so that choosing here
flatters no arm.

PASS: no candidate is more than a point of accuracy, on the mean of the sets, ahead of the recipe in force.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import arms
import numpy as np

import classification_sets as sets
from dataedge.pilot.answers import Example
from dataedge.pilot.fine_tune import fine_tuned
from dataedge.pilot.recipe import Recipe
from dataedge.pilot.run import examples_of, own_copy
from dataedge.prompt import calibration
from dataedge.prompt.label_prior import LabelPrior
from dataedge.store import Store
from record import arguments, provenance, write_whole
from set_workspace import base_model, workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

SETS = (
    *(("banking:8", 48), ("clinc:20", 96), ("mmlu:8", 48), ("banking:20", 384)),
    ("exercise:equipment", 96),
)
"""Sets, and train rows of each."""
TEXTS = (("lib:requests", 64),)
"""Prompts and responses that no arm has; few passes, as a short fine-tune has."""
DRAW = 1
"""Of their classes; arms have draw 0."""
HELD_OUT = 240
AHEAD = 0.01


class Candidate(NamedTuple):
    """What may differ from one recipe to another; see `Recipe`."""

    learning_rate: float
    epochs: int
    steps: int
    most: int

    @property
    def recipe(self) -> Recipe:
        """Whole."""
        return replace(Recipe(), **self._asdict())

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.learning_rate:g}, {self.steps} steps"


RATES = (5e-4, 2e-3, 1e-3, 4e-3)
LENGTHS = ((4, 100, 12), (8, 200, 24))
SHORT = (4, 0, 4)
"""Lengths of those on texts."""
CANDIDATES = tuple(Candidate(rate, *length) for length in LENGTHS for rate in RATES)


def main() -> int:
    given = arguments(__doc__).parse_args()
    if not sets.DATA.is_dir():
        print(f"recipe: FAIL no data at {sets.DATA}")
        return 1
    rows: list[dict[str, Any]] = []
    if given.out and given.out.is_file():
        rows = json.loads(given.out.read_text())["table"]
    every = [
        (candidate, *one)
        for length in LENGTHS
        for one in SETS
        for candidate in CANDIDATES
        if candidate[1:] == length
    ]
    every += [(Candidate(rate, *SHORT), *one) for one in TEXTS for rate in RATES]
    if given.quick:
        every = [(candidate, *SETS[0]) for candidate in CANDIDATES[:2]]
    done = {(r["set"], r["rows"], candidate_of(r)) for r in rows}
    with tempfile.TemporaryDirectory() as folder:
        keep = given.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        for candidate, name, n in every:
            if (name, n, candidate) not in done:
                tuned = tune_text if (name, n) in TEXTS else tune
                rows.append(tuned(keep, candidate, name, n))
                show(rows[-1])
                write(rows, len(every), given.out)
    return report(rows, len(every), given.out)


def tune(keep: Path, candidate: Candidate, name: str, n: int) -> dict[str, Any]:
    """One fine-tune, and what it then says of the held-out items."""
    with Store(keep / f"store-{name.replace(':', '-')}") as store:
        s = workspace(store, name, n, 0, HELD_OUT, draw=DRAW)
        train, held = (examples_of(s, side) for side in (s.splits.train, s.development))
        strategy = s.bare_strategy()
        choices = s.prompter.choices(strategy)
        sides = [s.prompts(strategy, side) for side in (s.development, s.evaluation)]
        model = own_copy(s.lazy_model)
        y = s.label_numbers
        K = len(choices)
        prior: dict[str, Any] = {
            "prior": LabelPrior.of(y[s.splits.train], K),
            "kinds": ("none",),
        }
        seen, of_passes = [], []
        labels, right = y[s.development], y[s.evaluation]

        def asked() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            development, evaluation = (model.score_choices(p, choices) for p in sides)
            fitted = calibration.fit(development, labels, **prior)
            return development, fitted.log_proba(evaluation)

        def judge() -> float:
            scores, said = asked()
            of_passes.append(float((said.argmax(axis=1) == right).mean()))
            said = calibration.out_of_fold(scores, labels, **prior)
            seen.append(float(-said[np.arange(len(labels)), labels].mean() / np.log(2)))
            return seen[-1]

        started = time.perf_counter()
        with fine_tuned(
            model, train, held, candidate.recipe, seconds=1e9, seed=0, judge=judge
        ) as trained:
            spent = time.perf_counter() - started
            _, said = asked()
        commonest = int(np.bincount(y[s.splits.train]).argmax())
        return {
            "set": name,
            "rows": n,
            **candidate._asdict(),
            "labels": K,
            "accuracy": float((said.argmax(axis=1) == right).mean()),
            "bits": float(-said[np.arange(len(right)), right].mean() / np.log(2)),
            "items": len(right),
            "hits": "".join(str(int(hit)) for hit in said.argmax(axis=1) == right),
            "commonest": "".join(str(int(hit)) for hit in right == commonest),
            "passes": trained.epochs,
            "best_pass": trained.best,
            "development_losses": [round(loss, 4) for loss in trained.losses],
            "development_bits": seen,
            "judged_accuracy": of_passes,
            "seconds": round(spent, 1),
        }


def tune_text(_: Path, candidate: Candidate, name: str, n: int) -> dict[str, Any]:
    """The same of responses, in bits per byte of held-out ones."""
    arm = arms.Arm(name, n, "plain")
    _, pairs = arms.texts(arm)
    every = [Example(f"{prompt}\n", response) for prompt, response in pairs]
    held, train = every[: arms.TEST_TEXTS], every[arms.TEST_TEXTS :][:n]
    development, evaluation = held[: len(held) // 4], held[len(held) // 4 :]
    model = own_copy(base_model()[0])
    started = time.perf_counter()
    with fine_tuned(model, train, development, candidate.recipe, seconds=1e9, seed=0) as trained:
        spent = time.perf_counter() - started
        scored = model.score([e.prompt for e in evaluation], [e.answer for e in evaluation])
    size = sum(len(e.answer.encode()) for e in evaluation)
    return {
        "set": name,
        "rows": len(train),
        **candidate._asdict(),
        "labels": 0,
        "accuracy": None,
        "bits": float(-sum(s.logprobs.sum() for s in scored) / np.log(2) / size),
        "items": len(evaluation),
        "passes": trained.epochs,
        "best_pass": trained.best,
        "development_losses": [round(loss, 4) for loss in trained.losses],
        "seconds": round(spent, 1),
    }


def candidate_of(row: dict[str, Any]) -> Candidate:
    """That a row is of."""
    return Candidate(*(row[field] for field in Candidate._fields))


def show(row: dict[str, Any]) -> None:
    """One line."""
    print(
        f"  {row['set']:20} {row['rows']:4} rows  {candidate_of(row).name:16}  "
        f"accuracy {row['accuracy'] or 0:.3f}  bits {row['bits']:.3f}  best pass {row['best_pass']} of "
        f"{row['passes']}  {row['seconds']:.0f} s",
        flush=True,
    )


def means(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of each candidate that was tried on every set."""
    found: dict[str, dict[str, float]] = {}
    for candidate in CANDIDATES:
        some = [r for r in rows if candidate_of(r) == candidate]
        if some:
            found[candidate.name] = {
                "sets": len(some),
                **{
                    f: float(np.mean([r[f] for r in some])) for f in ("accuracy", "bits", "seconds")
                },
            }
    return found


def write(rows: list[dict[str, Any]], every: int, out: Path | None) -> None:
    """The file, whole or not there."""
    if out is None:
        return
    whole = {**provenance("peft"), "runs": len(rows), "runs_wanted": every, "means": means(rows)}
    write_whole({**whole, "table": rows}, out)


def report(rows: list[dict[str, Any]], every: int, out: Path | None) -> int:
    """The verdict."""
    write(rows, every, out)
    found = means(rows)
    whole = {
        name: m for name, m in found.items() if m["sets"] == max(f["sets"] for f in found.values())
    }
    for name, m in found.items():
        print(
            f"  {name:18} {m['sets']:.0f} sets: accuracy {m['accuracy']:.3f}, bits {m['bits']:.3f}"
        )
    best = max(whole, key=lambda name: whole[name]["accuracy"])
    ours = Candidate(*(getattr(Recipe(), field) for field in Candidate._fields)).name
    behind = whole[best]["accuracy"] - whole[ours]["accuracy"] if ours in whole else 1.0
    passed = len(rows) >= every and behind <= AHEAD
    print(
        f"recipe: {'PASS' if passed else 'FAIL'} {len(rows)} of {every} runs; the recipe in force is "
        f"{behind:.3f} behind the best, {best} (<= {AHEAD})"
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
