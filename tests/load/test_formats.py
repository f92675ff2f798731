"""Every input format gives the same items, and a folder's files are chosen and noted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataedge.errors import AuditError
from dataedge.items import Dataset, Task
from dataedge.load import load
from dataedge.load.passages import HEAD, head_and_rest, passages

ROWS = [
    {"text": 'He said "hi", then left', "label": "a"},
    {"text": "a line\nand another ☕", "label": "b"},
    {"text": "plain words here", "label": "a"},
    {"text": "plain words here", "label": "a"},
]
SHARED = Path(__file__).parents[3] / "shared" / "data"


def write_csv(path: Path) -> None:
    pd.DataFrame(ROWS).to_csv(path, index=False)


def write_tsv(path: Path) -> None:
    pd.DataFrame(ROWS).to_csv(path, index=False, sep="\t")


def write_semicolons(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + pd.DataFrame(ROWS).to_csv(index=False, sep=";").encode())


def write_crlf(path: Path) -> None:
    path.write_bytes(pd.DataFrame(ROWS).to_csv(index=False, lineterminator="\r\n").encode())


def write_jsonl(path: Path) -> None:
    path.write_text("\n".join(json.dumps(r) for r in ROWS), encoding="utf-8")


def write_marked(path: Path) -> None:
    path.write_text("\n".join(json.dumps(r) for r in ROWS), encoding="utf-8-sig")


def write_json(path: Path) -> None:
    path.write_text(json.dumps(ROWS, indent=1), encoding="utf-8")


def write_wrapped(path: Path) -> None:
    path.write_text(json.dumps({"version": 1, "tags": ["x"], "rows": ROWS}), encoding="utf-8")


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


def write_arrow_stream(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def write_arrow_file(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def assert_rows(found: Dataset) -> None:
    assert found.task is Task.CLASSIFY
    assert [(i.texts[0], i.target, i.count) for i in found.items] == [
        ('He said "hi", then left', "a", 1),
        ("a line\nand another ☕", "b", 1),
        ("plain words here", "a", 2),
    ]
    assert found.rows == 4
    assert [i.row for i in found.items] == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.csv", write_csv),
        ("a.tsv", write_tsv),
        ("a [1]*.csv", write_semicolons),
        ("a.jsonl", write_jsonl),
        ("marked.jsonl", write_marked),
        ("a.json", write_json),
        ("lines.json", write_jsonl),
        ("wrapped.json", write_wrapped),
        ("a.parquet", write_parquet),
        ("stream.arrow", write_arrow_stream),
        ("file.arrow", write_arrow_file),
    ],
)
def test_every_format_gives_the_same_items(tmp_path, name, write):
    write(tmp_path / name)
    assert_rows(load(tmp_path / name))
    assert_rows(load(str(tmp_path)))


def test_csv_with_crlf_keeps_its_rows(tmp_path):
    write_crlf(tmp_path / "a.csv")
    found = load(tmp_path / "a.csv")
    assert [i.target for i in found.items] == ["a", "b", "a"]


def test_objects_of_a_program(tmp_path):
    frame = pd.DataFrame(ROWS)
    made = datasets.Dataset.from_list(ROWS)
    assert_rows(load(frame))
    assert_rows(load(made))
    assert_rows(load(made.select([0, 1, 2, 3])))  # an index over the rows
    made.save_to_disk(str(tmp_path / "saved"))
    assert_rows(load(tmp_path / "saved"))
    assert {p.name for p in (tmp_path / "saved").iterdir() if "cache" in p.name} == set()


def test_class_labels_become_their_names(tmp_path):
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    rows = {"text": ["good one", "bad one", "fine one", "who knows"], "label": [1, 0, 1, -1]}
    made = datasets.Dataset.from_dict(rows, features=features)
    made.to_parquet(tmp_path / "a.parquet")
    made.save_to_disk(str(tmp_path / "saved"))
    for source in (made, tmp_path / "a.parquet", tmp_path / "saved"):
        found = load(source)
        assert [i.target for i in found.items] == ["pos", "neg", "pos", ""]
        assert [i.label_missing for i in found.items] == [False, False, False, True]


def test_dataset_dict_brings_its_split(tmp_path):
    rows = [{"text": f"text number {i}", "label": "ab"[i % 2]} for i in range(6)]
    made = datasets.DatasetDict(
        {
            "test": datasets.Dataset.from_list(rows[4:]),
            "train": datasets.Dataset.from_list(rows[:4]),
        }
    )
    made.save_to_disk(str(tmp_path / "saved"))
    for source in (made, tmp_path / "saved"):
        found = load(source)
        assert [i.split for i in found.items] == ["train"] * 4 + ["test"] * 2


def test_mixed_types_in_a_frame():
    frame = pd.DataFrame(
        {
            "text": ["two words", 12, {"a": 1}, None, "more words", "other words"],
            "label": [1.0, 0.0, 1.0, 1.0, float("nan"), 0.0],
        }
    )
    found = load(frame)
    assert [(i.text, i.target) for i in found.items] == [
        ("two words", "1"),
        ("12", "0"),
        ("more words", ""),
        ("other words", "0"),
    ]
    notes = " ".join(found.notes)
    assert "row 3: column 'text' holds an object" in notes
    assert "row 4: column 'text' is empty" in notes
    assert "row 5: no label" in notes


def test_files_named_by_split_are_the_dataset(tmp_path):
    for name, split in [
        ("train-00000-of-00002", "a"),
        ("train-00001-of-00002", "b"),
        ("test", "c"),
    ]:
        rows = [{"text": f"{split} text {i}", "label": "xy"[i % 2]} for i in range(4)]
        pd.DataFrame(rows).to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "categories.json").write_text('["x", "y"]')
    (tmp_path / "README.md").write_text("Not data.")
    (tmp_path / ".hidden.csv").write_text("q\n1\n")
    (tmp_path / "train").mkdir()
    found = load(tmp_path)
    assert [i.split for i in found.items] == ["train"] * 8 + ["test"] * 4
    assert any("left out categories.json" in n for n in found.notes)


def test_validation_is_the_test_only_where_there_is_none(tmp_path):
    for name in ("data_train", "data_val"):
        rows = [{"text": f"{name} text {i}", "label": "xy"[i % 2]} for i in range(4)]
        pd.DataFrame(rows).to_csv(tmp_path / f"{name}.csv", index=False)
    assert [i.split for i in load(tmp_path).items] == ["train"] * 4 + ["test"] * 4
    rows = [{"text": f"held text {i}", "label": "xy"[i % 2]} for i in range(2)]
    pd.DataFrame(rows).to_csv(tmp_path / "data_test.csv", index=False)
    assert [i.split for i in load(tmp_path).items] == ["train"] * 8 + ["test"] * 2


def test_a_copy_in_train_makes_a_test_item_a_train_item():
    frame = pd.DataFrame(
        {
            "text": ["one text", "one text", "two texts", "three texts"],
            "label": ["a", "a", "b", "a"],
            "split": ["test", "train", "train", "test"],
        }
    )
    found = load(frame)
    assert [i.split for i in found.items] == ["train", "train", "test"]
    assert any("several splits: 1 items" in n for n in found.notes)


def test_a_folder_prefers_formats_in_order(tmp_path):
    write_json(tmp_path / "z.json")
    write_csv(tmp_path / "y.csv")
    write_jsonl(tmp_path / "x.jsonl")
    (tmp_path / "notes.txt").write_text("Some notes.")
    found = load(tmp_path)
    assert_rows(found)
    assert any("left out notes.txt, y.csv, z.json (read: x.jsonl)" in n for n in found.notes)


def test_files_of_one_format_are_put_together(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nfirst words,x\nsecond words,y\n")
    (tmp_path / "b.csv").write_text("label,text\nx,third words\n,no label here\n")
    found = load(tmp_path)
    assert [(i.text, i.target, i.row) for i in found.items][:3] == [
        ("first words", "x", 1),
        ("second words", "y", 2),
        ("third words", "x", 3),
    ]
    assert any("b.csv, row 2: no label" in n for n in found.notes)


def test_text_files_are_a_corpus(tmp_path):
    paragraphs = [f"Paragraph {i} says this. " + "It has words of its own. " * 12 for i in range(9)]
    (tmp_path / "a.txt").write_text("\n\n".join(paragraphs))
    (tmp_path / "b.md").write_text("# Title\n\n" + "\n\n".join(p.upper() for p in paragraphs))
    found = load(tmp_path)
    assert found.task is Task.CORPUS
    whole = [i.texts[0] + i.target for i in found.items]
    assert sum(f"Paragraph {i} says" in p for p in whole for i in range(9)) == 9
    assert all(80 <= len(p) <= 900 for p in whole)
    assert all(len(i.texts[0]) <= HEAD and i.target.startswith((" ", "\n")) for i in found.items)


def test_passages_of_long_text_without_an_end():
    assert "".join(passages("x" * 5000)) == "x" * 5000
    assert all(len(p) <= 1500 for p in passages("word " * 3000))
    assert passages("  \n\n ") == []
    assert head_and_rest("x" * 1000) == ("x" * 200, "x" * 800)


def test_rows_of_a_text_only_table_are_passages_of_their_own(tmp_path):
    rows = [
        "Short row.",
        "Another short one.",
        " ".join(f"Sentence {i} is here." for i in range(200)),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": r}) for r in rows))
    found = load(tmp_path)
    assert found.task is Task.CORPUS
    assert [i.text + i.target for i in found.items[:2]] == rows[:2]
    assert len(found.items) > 5
    assert {i.row for i in found.items} == {1, 2, 3}


def test_limit_is_a_sample_that_does_not_depend_on_the_order():
    rows = [{"text": f"text number {i}", "label": "ab"[i % 2]} for i in range(50)]
    one = load(pd.DataFrame(rows), limit=10, seed=1)
    two = load(pd.DataFrame(rows[::-1]), limit=10, seed=1)
    other = load(pd.DataFrame(rows), limit=10, seed=2)
    assert {i.id for i in one.items} == {i.id for i in two.items} != {i.id for i in other.items}
    assert len(one.items) == 10
    assert one.rows == 50
    assert [i.row for i in one.items] == sorted(i.row for i in one.items)


def test_fingerprint_is_that_of_the_content(tmp_path):
    write_csv(tmp_path / "a.csv")
    write_parquet(tmp_path / "b.parquet")
    one, two = load(tmp_path / "a.csv"), load(tmp_path / "b.parquet")
    assert one.fingerprint == two.fingerprint == load(pd.DataFrame(ROWS[::-1])).fingerprint


def test_a_megabyte_of_text_in_one_cell(tmp_path):
    big = "word " * 210_000
    rows = [{"text": big, "label": "a"}, *ROWS]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(r) for r in rows))
    pd.DataFrame(rows).to_csv(tmp_path / "b.csv", index=False)
    for name in ("a.jsonl", "b.csv"):
        assert load(tmp_path / name).items[0].text == big.strip()


def test_loading_imports_no_torch(tmp_path):
    write_csv(tmp_path / "a.csv")
    code = (
        "import sys; from dataedge.load import load; "
        f"load({str(tmp_path / 'a.csv')!r}); "
        "sys.exit('torch' in sys.modules or 'datasets' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there")
@pytest.mark.parametrize(
    ("path", "flags", "task", "labels", "at_least"),
    [
        ("banking77", {}, Task.CLASSIFY, 77, 13_000),
        ("clinc_oos/data_small.csv", {}, Task.CLASSIFY, 151, 16_000),
        ("gsm8k/train.jsonl", {}, Task.GENERATE, 0, 7_000),
        ("known_texts/us_constitution.txt", {}, Task.CORPUS, 0, 40),
        ("mmlu_redux/mmlu_redux.csv", {"text_column": "question,choices"}, Task.CLASSIFY, 4, 5_600),
        ("pubmedqa/pqal_flat.csv", {}, Task.CLASSIFY, 3, 1_000),
        ("rustsec_time_split/rustsec.jsonl", {"label_column": "period"}, Task.CLASSIFY, 3, 1_100),
        ("lib_docs/numpy_docs_popular.jsonl", {"task": "corpus"}, Task.CORPUS, 0, 2_000),
    ],
)
def test_public_datasets(path, flags, task, labels, at_least):
    if path.startswith("mmlu"):
        flags = {**flags, "label_column": "answer"}
    found = load(SHARED / path, **flags)
    assert found.task is task
    assert len(found.labels) == labels
    assert len(found.items) >= at_least


def test_saved_folder_that_is_broken(tmp_path):
    made = datasets.Dataset.from_list(ROWS)
    made.save_to_disk(str(tmp_path / "saved"))
    next((tmp_path / "saved").glob("*.arrow")).write_bytes(b"cut")
    with pytest.raises(AuditError, match="saved"):
        load(tmp_path / "saved")
