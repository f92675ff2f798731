"""Many small files read together are what they are one by one."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from dataedge.errors import AuditError
from dataedge.load import small_files
from dataedge.load.folder import read_path

ODD: list[dict[str, Any]] = [
    {"text": "plain", "label": "a"},
    {"text": 'quotes " and \\ and \n', "label": "ü€😀"},
    {"text": "numbers", "label": 12345678901234567890123},
    {"text": "a small one", "label": 1.5e-07},
    {"text": "true", "label": True},
    {"text": "nothing", "label": None},
    {"text": "nested", "label": {"a": [1, {"b": None}], "c": " "}},
    {"text": "a list", "label": [1, "two", None]},
    {"text": "", "label": ""},
    {"text": "slash", "label": "x"},
]


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_files, "MANY", 8)


def one_by_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(small_files, "MANY", 10**9)
        return read_path(folder, str(folder))


def same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    together, alone = read_path(folder, str(folder)), one_by_one(folder, monkeypatch)
    return bool(
        together.data.equals(alone.data)
        and together.data.schema.equals(alone.data.schema, check_metadata=True)
        and (together.parts, together.notes) == (alone.parts, alone.notes)
    )


def read_together(folder: Path) -> int:
    files = [small_files.Named(p, p.name, None) for p in sorted(folder.iterdir())]
    return len(small_files.read_small(files))


def objects(folder: Path, n: int = 20) -> None:
    for i in range(n):
        row = ODD[i % len(ODD)]
        text = json.dumps(row, ensure_ascii=bool(i % 2), indent=[None, 2, "\t"][i % 3])
        (folder / f"{i:03d}.json").write_text(text, encoding="utf-8")


def test_objects_of_their_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects(tmp_path)
    assert read_together(tmp_path) == 20
    assert same(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff{"text": "with a mark", "label": "a"}',
        '[{"text": "a list", "label": "a"}, {"text": "of two", "label": "b"}]',
        '{"text": "one", "label": "a"}\n{"text": "two", "label": "b"}',
        '{"rows": [{"text": "inside", "label": "a"}]}',
        '{"text": "twice", "text": "the same key", "label": "a"}',
        '{"label": "b", "text": "another order"}',
        '{"text": NaN, "label": "a"}',
    ],
)
def test_what_is_no_plain_object_is_read_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    objects(tmp_path)
    (tmp_path / "0050.json").write_text(text, encoding="utf-8")
    assert same(tmp_path, monkeypatch)


@pytest.mark.parametrize("text", ["{", "[" * 5_000, '{"text": "a"} x', "7", "\udcff", ""])
def test_what_is_broken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    objects(tmp_path)
    (tmp_path / "007.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    said = []
    for read in (lambda: read_path(tmp_path, "data"), lambda: one_by_one(tmp_path, monkeypatch)):
        with pytest.raises(AuditError) as caught:
            read()
        said.append((caught.value.message, caught.value.hint))
    assert said[0][0].replace(str(tmp_path), "data") == said[1][0].replace(str(tmp_path), "data")
    assert "007.json" in said[0][0]


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_rows_under_the_same_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    between = "\t" if suffix == "tsv" else ","
    for i in range(22):
        rows = [("text", "label"), *((f"{i} {k} ünd", str(k)) for k in range(i % 4 + 1))]
        if i % 5 == 0:
            rows.append(('"a quoted\nline and ""more"""', "007"))
        if i % 7 == 0:
            rows.append(("", ""))
        content = "\n".join(between.join(row) for row in rows)
        (tmp_path / f"{i:03d}.{suffix}").write_text(content + "\n" * (i % 2), encoding="utf-8")
    assert read_together(tmp_path) == 22
    assert same(tmp_path, monkeypatch)


def test_another_header_and_lines_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(30):
        header, more = ("text,label", "") if i % 2 else ("label,text", "")
        more = "too,many,fields\n" if i == 11 else more
        (tmp_path / f"{i:03d}.csv").write_text(f"{header}\na{i},b{i}\nc{i},d{i}\n{more}")
    assert read_together(tmp_path) == 15  # of the other header a line cannot be read
    assert same(tmp_path, monkeypatch)
    assert "011.csv, line 4" in " ".join(read_path(tmp_path, "data").notes)


def test_splits_are_those_of_the_names(tmp_path: Path) -> None:
    for split, n in (("train", 60), ("test", 55)):
        for i in range(n):
            (tmp_path / f"{split}-{i:03d}.csv").write_text(f"text,label\n{split} {i},a\n")
    table = read_path(tmp_path, "data")
    assert [table.part_splits().count(s) for s in ("train", "test")] == [60, 55]


def test_thousands_of_files_take_seconds(tmp_path: Path) -> None:
    """A reader for each took 30 to 50 ms; `benchmarks/malformed.py` reads 20,000."""
    for i in range(3_000):
        (tmp_path / f"{i}.csv").write_text(f"text,label\nsome words {i},{i % 2}\n")
    started = time.process_time()
    assert len(read_path(tmp_path, "data")) == 3_000
    assert time.process_time() - started < 30
