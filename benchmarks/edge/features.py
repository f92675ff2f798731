"""Do hidden states of the base model, beside sentence vectors, tell better what a fine-tune reaches?

    python benchmarks/edge/features.py --keep DIR --out benchmarks/results/edge/features.json   # ten minutes
    python benchmarks/edge/features.py --quick                                             # three arms

For every arm of labels that was tuned (`results/edge/arms.parquet`) the proxy learner is fitted on the same
train rows with three sets of features: the sentence vectors that it has, hidden states of the base model
(mean and last state of a layer two thirds up), and both as blocks. Each is judged on the arm's held-out
items, and against what the fine-tune was right in: the absolute difference after the mean one of the other
sources is taken off, so that a set of features is not blamed for what a table of fine-tunes mends.

PASS: no set of features is more than a point nearer to the fine-tunes, on the mean, than the one in force.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import arms
import numpy as np
import pandas as pd
from hidden_states import hidden_states

import classification_sets as sets
from dataedge.config import make_config
from dataedge.engine.local import Engine
from dataedge.learner.classifier import Learner
from dataedge.load import load
from dataedge.pilot.run import own_copy
from dataedge.prepare.vectors import Embed, embed
from dataedge.progress import Progress
from dataedge.store import Store
from record import arguments, provenance, write_whole
from set_workspace import base_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

RESULTS = HERE.parent / "results" / "edge" / "arms.parquet"
IN_FORCE = "vectors"
FEATURES = {"vectors": (0,), "hidden": (1,), "both": (0, 1)}
"""Blocks of each set of features."""
NEARER = 0.01


def main() -> int:
    given = arguments(__doc__).parse_args()
    if not sets.DATA.is_dir():
        print(f"features: FAIL no data at {sets.DATA}")
        return 1
    rows = pd.read_parquet(RESULTS).query("task == 'classify'").to_dict("records")
    if given.quick:
        rows = sorted(rows, key=lambda row: row["train_items"])[:3]
    with tempfile.TemporaryDirectory() as folder:
        keep = given.keep or Path(folder)
        table = [measured(keep, row) for row in rows]
    return report(table, given.out)


def measured(keep: Path, row: dict[str, Any]) -> dict[str, Any]:
    """Accuracy of the learner on each set of features, beside that of the fine-tune."""
    arm = arms.Arm(row["set"], row["rows"], row["variant"])
    folder = keep / arm.name.replace("/", "-").replace(":", "-")
    arms.write(arm, folder / "data")
    dataset = load(folder / "data", task="classify")
    texts = [item.text for item in dataset.items]
    held = np.array([item.split == "test" for item in dataset.items])
    y = np.array([dataset.labels.index(str(item.target)) for item in dataset.items])
    with Store(folder / "features") as store:
        engine = Engine(store, Progress(quiet=True))
        vectors = embed(engine, Embed(make_config({}, None)[0].embedder), texts)
    made = folder / "hidden.npy"
    if not made.is_file():
        np.save(made, hidden_states(own_copy(base_model()[0]), texts))
    blocks = (vectors, np.load(made))
    found = {}
    for name, which in FEATURES.items():
        some = [np.asarray(blocks[b], np.float64) for b in which]
        learner = Learner().fit([b[~held] for b in some], y[~held], len(dataset.labels))
        found[name] = right(learner.predict_proba([b[held] for b in some]), y, held, row["unit"])
    print(
        f"  {arm.name:26} fine-tune {row['tuned']:.3f}  "
        + "  ".join(f"{name} {value:.3f}" for name, value in found.items()),
        flush=True,
    )
    return {"arm": arm.name, "source": row["source"], "tuned": row["tuned"], **found}


def right(proba: Floats, y: Ints, held: Bools, unit: str) -> float:
    """What the arm counts: accuracy, or where one label is nearly all, that of each label alike.

    Args:
        proba: shape (m, K), of the held-out items.
        y: shape (n,), codes of all items.
        held: shape (n,), which of them are held out; the others are the train side.
        unit: of the arm.
    """
    if not unit.startswith("balanced"):
        return float((proba.argmax(axis=1) == y[held]).mean())
    frequency = np.bincount(y[~held], minlength=proba.shape[1]) + 1.0
    hits = (proba / frequency).argmax(axis=1) == y[held]
    return float(np.mean([hits[y[held] == label].mean() for label in np.unique(y[held])]))


def distances(table: list[dict[str, Any]], name: str) -> list[float]:
    """Of the fine-tunes, once the mean difference of the other sources is taken off."""
    out = []
    for row in table:
        others = [r["tuned"] - r[name] for r in table if r["source"] != row["source"]]
        out.append(abs(row["tuned"] - row[name] - float(np.mean(others or [0.0]))))
    return out


def report(table: list[dict[str, Any]], out: Path | None) -> int:
    """The verdict, and the file."""
    found = {
        name: {
            "accuracy": float(np.mean([row[name] for row in table])),
            "distance": float(np.mean(distances(table, name))),
        }
        for name in FEATURES
    }
    nearest = min(found, key=lambda name: found[name]["distance"])
    passed = found[IN_FORCE]["distance"] <= found[nearest]["distance"] + NEARER
    if out:
        write_whole({**provenance(), "pass": passed, "features": found, "table": table}, out)
    told = "; ".join(
        f"{name}: right in {f['accuracy']:.3f}, {f['distance']:.3f} from the fine-tunes"
        for name, f in found.items()
    )
    print(
        f"features: {'PASS' if passed else 'FAIL'} {len(table)} arms; {told} (in force: {IN_FORCE})"
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
