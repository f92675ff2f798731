"""Real classification sets of many kinds, read from the shared data folder; nothing is copied."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NAMES = (
    *("banking:5", "banking:12", "banking:30", "clinc:5", "clinc:12", "clinc:30"),
    *("pubmed", "exercise:level", "exercise:category", "exercise:muscle"),
    *("rustsec", "mmlu:6", "scope"),
)
"""`scope` has 85 % of its rows in one class; a number is how many classes are drawn."""
MORE = ("library", "bible:12", "steps", "speaker")
"""Of other sources, for real fine-tunes alone: which library a page of documentation is from, which book a
verse, how many steps a sum takes, who of Shakespeare's speaks."""
TEXT = 240
"""Characters of a text that are used."""


class Rows(NamedTuple):
    """Texts and labels, shuffled, and what the label column is called."""

    texts: list[str]
    labels: list[str]
    column: str


def load(name: str, seed: int) -> Rows:
    """A set by name; classes and order are drawn by the seed.

    Raises:
        FileNotFoundError: the shared data folder is not there.
    """
    kind, _, argument = name.partition(":")
    rng = random.Random(f"{name} {seed}")
    pairs, column = _READERS[kind](argument, rng)
    if argument.isdigit():
        usual = [label for label, n in Counter(label for _, label in pairs).items() if n >= 20]
        kept = set(rng.sample(sorted(usual), int(argument)))
        pairs = [pair for pair in pairs if pair[1] in kept]
    distinct = {text.strip()[:TEXT]: label for text, label in pairs if text.strip()}
    common = Counter(distinct.values())
    rows = [(text, label) for text, label in distinct.items() if common[label] >= 8]
    rng.shuffle(rows)
    return Rows([text for text, _ in rows], [label for _, label in rows], column)


def _csv(path: str) -> list[dict[str, str]]:
    csv.field_size_limit(10_000_000)
    with (DATA / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _banking(_: str, __: random.Random) -> tuple[list[tuple[str, str]], str]:
    rows = _csv("banking77/train.csv") + _csv("banking77/test.csv")
    return [(r["text"], r["category"]) for r in rows], "category"


def _clinc(_: str, __: random.Random) -> tuple[list[tuple[str, str]], str]:
    rows = [r for r in _csv("clinc_oos/data_full.csv") if r["intent"] != "oos"]
    return [(r["text"], r["intent"]) for r in rows], "intent"


def _scope(_: str, rng: random.Random) -> tuple[list[tuple[str, str]], str]:
    rows = _csv("clinc_oos/data_full.csv")
    outside = [r["text"] for r in rows if r["intent"] == "oos"]
    inside = rng.sample([r["text"] for r in rows if r["intent"] != "oos"], len(outside) * 85 // 15)
    return [(t, "in scope") for t in inside] + [(t, "out of scope") for t in outside], "scope"


def _pubmed(_: str, __: random.Random) -> tuple[list[tuple[str, str]], str]:
    rows = _csv("pubmedqa/pqal_flat.csv")
    return [(r["question"], r["final_decision"]) for r in rows], "answer"


def _exercise(column: str, __: random.Random) -> tuple[list[tuple[str, str]], str]:
    rows = _csv("free_exercise_db/exercises.csv")
    name = {"muscle": "primary_muscle"}.get(column, column)
    return [(f"{r['name']}. {r['instructions']}", r[name]) for r in rows if r[name]], column


def _rustsec(_: str, __: random.Random) -> tuple[list[tuple[str, str]], str]:
    lines = (DATA / "rustsec_time_split" / "rustsec.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in lines.splitlines()]
    return [(r["title"], r["categories"][0]) for r in rows if r["categories"]], "category"


def _mmlu(_: str, __: random.Random) -> tuple[list[tuple[str, str]], str]:
    rows = _csv("mmlu_redux/mmlu_redux.csv")
    return [(r["question"], r["subject"]) for r in rows], "subject"


def _library(_: str, __: random.Random) -> tuple[list[tuple[str, str]], str]:
    pairs = []
    for path in sorted((DATA / "lib_docs").glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        pairs += [(json.loads(line)["text"], path.stem.partition("_")[0]) for line in lines]
    return pairs, "library"


def _bible(_: str, __: random.Random) -> tuple[list[tuple[str, str]], str]:
    return [(r["text"], r["book"]) for r in _csv("known_texts/kjv_verses.csv")], "book"


def _steps(_: str, __: random.Random) -> tuple[list[tuple[str, str]], str]:
    """A step of a solution is a line with a sum in it."""
    lines = (DATA / "gsm8k" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [(r["question"], f"{r['answer'].count('<<')} steps") for r in rows], "solution"


def _speaker(_: str, __: random.Random) -> tuple[list[tuple[str, str]], str]:
    """The eight who speak most, a speech of three lines or more each."""
    text = (DATA / "known_texts" / "tinyshakespeare.txt").read_text(encoding="utf-8")
    speeches = [speech.partition(":\n") for speech in text.split("\n\n")]
    said = [(words.replace("\n", " "), who) for who, _, words in speeches if words.count("\n") >= 2]
    most = {who for who, _ in Counter(who for _, who in said).most_common(8)}
    return [(words, who) for words, who in said if who in most], "speaker"


_READERS = {
    "banking": _banking,
    "clinc": _clinc,
    "scope": _scope,
    "pubmed": _pubmed,
    "exercise": _exercise,
    "rustsec": _rustsec,
    "mmlu": _mmlu,
    "library": _library,
    "bible": _bible,
    "steps": _steps,
    "speaker": _speaker,
}
