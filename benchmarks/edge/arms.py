"""The arms of `edge/run.py`: a public dataset, a number of train rows, and what was done to them."""

from __future__ import annotations

import csv
import json
import random
from typing import TYPE_CHECKING, NamedTuple

import classification_sets as sets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SEED = 0
SIZES = (48, 96, 384)
TEST, TEST_TEXTS = 200, 40
"""Held-out items, of labels and of responses."""
TEXT = 240
"""Characters of a response that are used."""
VARIANTS = ("plain", "shuffled", "noise20", "noise40", "twice")
CHANGED = ("banking:12", "clinc:12", "exercise:category")
TEXTS = (
    *("lib:numpy", "lib:pandas", "lib:sklearn", "lib:narwhals", "lib:clumper"),
    *("lib:fastmcp", "gsm8k", "instructions", "exercise:record", "rustsec:record"),
)
"""Prompts and responses: pages of libraries from popular to new, sums, how to do an exercise, and what is on
record of an exercise or a fault of a library, field by field in words of its own."""
TEXT_SIZES = (48, 96)
SOURCES = {"scope": "clinc", "instructions": "exercise"}
"""Where a set is from, where that is not its name before the colon."""


class Arm(NamedTuple):
    """A dataset, and what was done to it."""

    set: str
    rows: int
    variant: str

    @property
    def name(self) -> str:
        """As `--arm` takes it."""
        return f"{self.set}/{self.rows}/{self.variant}"

    @property
    def source(self) -> str:
        """The public dataset behind it: arms of one are not independent."""
        kind = self.set.partition(":")[0]
        return self.set if kind == "lib" else SOURCES.get(kind, kind)

    @property
    def task(self) -> str:
        """As the audit calls it."""
        return "generate" if self.set in TEXTS else "classify"

    @property
    def test(self) -> int:
        """Held-out items that are asked about."""
        return TEST_TEXTS if self.task == "generate" else TEST


def arms() -> list[Arm]:
    """All arms: every set and size as it is with the changed ones between them, other sources, then texts."""
    plain = [Arm(name, n, "plain") for n in SIZES for name in sets.NAMES]
    changed = [
        Arm(name, n, variant) for variant in VARIANTS[1:] for n in SIZES[1:] for name in CHANGED
    ]
    padded = [*changed, *[None] * len(plain)]
    mixed = [a for pair in zip(plain, padded, strict=False) for a in pair if a]
    long = [Arm(name, n, variant) for variant in VARIANTS[:2] for n in TEXT_SIZES for name in TEXTS]
    more = [Arm(name, n, "plain") for n in SIZES[1:] for name in sets.MORE]
    return [*mixed, *more, *long]


def write(arm: Arm, folder: Path) -> None:
    """The arm as a folder with a train side and a test side, which is never changed."""
    columns, pairs = texts(arm) if arm.task == "generate" else _labels(arm)
    held, rest = pairs[: arm.test], pairs[arm.test :]
    rng = random.Random(f"{arm.name} {SEED}")
    train = rng.sample(rest, min(arm.rows, len(rest)))
    train = _changed(arm.variant, train, sorted({said for _, said in pairs}), rng)
    folder.mkdir(parents=True, exist_ok=True)
    for side, rows in {"train": train, "test": held}.items():
        with (folder / f"{side}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)


def _changed(
    variant: str, train: list[tuple[str, str]], names: Sequence[str], rng: random.Random
) -> list[tuple[str, str]]:
    texts, said = [t for t, _ in train], [s for _, s in train]
    if variant == "shuffled":
        rng.shuffle(said)
    if variant.startswith("noise"):
        wrong = rng.sample(range(len(said)), len(said) * int(variant[5:]) // 100)
        for i in wrong:
            said[i] = rng.choice([name for name in names if name != said[i]])
    if variant == "twice":
        half = len(texts) // 2
        texts = [*texts[:half], *(f"{text}." for text in texts[: len(texts) - half])]
        said = [*said[:half], *said[: len(said) - half]]
    return list(zip(texts, said, strict=True))


def _labels(arm: Arm) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    read = sets.load(arm.set, SEED)
    return ("text", read.column), list(zip(read.texts, read.labels, strict=True))


def texts(arm: Arm) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    """Prompts and responses in an order of their own, each prompt once."""
    kind, _, name = arm.set.partition(":")
    if kind == "lib":
        (path,) = (sets.DATA / "lib_docs").glob(f"{name}_docs_*.jsonl")
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        asked = [
            f"{r['title']}: {r['section']}" if "section" in r else f"{r['name']}{r['signature']}"
            for r in rows
        ]
        pairs = [(f"Document {a}"[:TEXT], r["text"]) for a, r in zip(asked, rows, strict=True)]
    elif kind == "gsm8k":
        lines = (sets.DATA / "gsm8k" / "train.jsonl").read_text(encoding="utf-8").splitlines()
        pairs = [(r["question"], r["answer"]) for r in map(json.loads, lines)]
    elif arm.set == "rustsec:record":
        path = sets.DATA / "rustsec_time_split" / "rustsec.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines()
        fields = ("package", "informational", "categories", "keywords")
        pairs = [
            (f"{r['title']}. {r['text']}"[:TEXT], _record(r, fields))
            for r in map(json.loads, lines)
        ]
    else:
        path = sets.DATA / "free_exercise_db" / "exercises.json"
        rows = [r for r in json.loads(path.read_text(encoding="utf-8")) if r["instructions"]]
        if name == "record":
            fields = ("level", "category", "equipment", "force", "mechanic", "primaryMuscles")
            pairs = [
                (f"{r['name']}. {r['instructions'][0]}"[:TEXT], _record(r, fields)) for r in rows
            ]
        else:
            pairs = [(r["name"], " ".join(r["instructions"])) for r in rows]
    distinct = {prompt: response.strip()[:TEXT] for prompt, response in pairs if response.strip()}
    out = sorted(distinct.items())
    random.Random(f"{arm.set} {SEED}").shuffle(out)
    return ("prompt", "response"), out


def _record(row: dict[str, str | list[str] | None], fields: Sequence[str]) -> str:
    """`field: value; field: value`, the fields that the row has."""
    told = {f: ", ".join(v) if isinstance(v, list) else v for f in fields if (v := row.get(f))}
    return "; ".join(f"{field}: {value}" for field, value in told.items())
