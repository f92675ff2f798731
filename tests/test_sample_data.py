"""The samples are what their READMEs say: rows that follow from the criteria, queries of the language."""

from __future__ import annotations

import csv
import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "data"
CLAUSES = {
    "tie": 1, "keep": 2, "span": 2, "lack": 3, "heap": 4, "tell": 5, "tot": 5, "avg": 5, "mid": 5,
    "top": 5, "low": 5, "kin": 5, "part": 5, "void": 5, "first": 5, "last": 5, "over": 6, "file": 7,
    "cut": 8, "show": 9,
}  # fmt: skip
PARTS = {"hour", "day", "week", "month", "quarter", "year", "dow", "before", "after"}


def pairs() -> list[dict[str, str]]:
    lines = (DATA / "query_language" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def specification() -> tuple[dict[str, set[str]], set[str]]:
    """Fields per store, and the codes, as the specification's tables have them."""
    text = (DATA / "query_language" / "specification.md").read_text(encoding="utf-8")
    chapters = re.findall(r"### 1\.\d+ ([A-Z]{3}),.*?\n(.*?)(?=\n### |\n## )", text, re.DOTALL)
    fields = {
        store: set(re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE)) for store, body in chapters
    }
    return fields, set(re.findall(r"`([A-Z][A-Z0-9]{0,2})`", text))


def mistakes(query: str, fields: dict[str, set[str]], codes: set[str]) -> list[str]:
    """What a query does that the specification does not allow."""
    store, *clauses = query.split(" ~ ")
    tied = {store} | {c.split()[1] for c in clauses if c.split()[0] in ("tie", "lack")}
    words = [c.split()[0] for c in clauses]
    wrong = [w for w in words if w not in CLAUSES] + sorted(tied - set(fields))
    order = [CLAUSES.get(w, 0) for w in words]
    wrong += ["order"] * (order != sorted(order))
    for name, field, part in re.findall(r"\b([A-Z]{3})\.([a-z]+)(?::([a-z]+)\b(?!\.))?", query):
        if name not in tied or field not in fields.get(name, ()):
            wrong.append(f"{name}.{field}")
        if part and part not in PARTS:
            wrong.append(part)
    for value in re.findall(r"[=!]([A-Z][A-Z0-9/]*)(?![\w.])", query):
        wrong += [code for code in value.split("/") if code not in codes]
    return wrong


def test_queries_are_of_the_language_and_none_occurs_twice() -> None:
    fields, codes = specification()
    found = pairs()
    assert (len(fields), len(found)) == (12, 300)
    for column in ("question", "query"):
        assert len({row[column] for row in found}) == 300
    assert {row["query"]: mistakes(row["query"], fields, codes) for row in found} == {
        row["query"]: [] for row in found
    }


@pytest.mark.parametrize(
    "query",
    [
        "BRT ~ show BRT.ship ~ keep BRT.quay=N1",
        "BRT ~ keep BRT.tug=BRA",
        "BRT ~ keep SKY.wind^30",
        "MAN ~ keep MAN.ware=XYZ",
        "TIM ~ tell",
        "BRT ~ sort BRT.arr",
        "CRN ~ heap CRN.at:fortnight ~ tell",
    ],
)
def test_a_wrong_query_would_be_seen(query: str) -> None:
    assert mistakes(query, *specification())


def test_every_store_and_nearly_every_field_is_asked_for() -> None:
    fields, _ = specification()
    asked = " ".join(row["query"] for row in pairs())
    named = {f"{store}.{field}" for store, own in fields.items() for field in own}
    assert {store for store in fields if f"{store} ~" in asked} == set(fields)
    assert len([name for name in named if f"{name}" in asked]) > 0.8 * len(named)


def test_questions_are_no_near_copies_of_each_other() -> None:
    """Words in common over words in either: templates filled in twice would lie near 1."""
    words = [set(re.findall(r"\w+", row["question"].lower())) for row in pairs()]
    nearest = [
        max(len(a & b) / len(a | b) for j, b in enumerate(words) if j != i)
        for i, a in enumerate(words)
    ]
    assert max(nearest) < 0.75
    assert sorted(nearest)[150] < 0.4


def test_sheets_follow_from_the_sessions() -> None:
    folder = DATA / "workouts" / "strict"
    sheet: Any = runpy.run_path(str(folder / "make.py"))["sheet"]
    with (folder / "sessions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = (folder.parent / "workouts.jsonl").read_text(encoding="utf-8").splitlines()
    assert [row["session"] for row in rows] == [json.loads(line)["completion"] for line in lines]
    assert all(sheet(row["session"]) == row["sheet"] for row in rows)
    listed = re.findall(r"`(\w+)` \| (\d+) \|", (folder / "README.md").read_text(encoding="utf-8"))
    counts = {name: sum(row["sheet"] == name for row in rows) for name, _ in listed}
    assert counts == {name: int(n) for name, n in listed}
    assert sum(counts.values()) == len(rows)
