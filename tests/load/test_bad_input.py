"""Bad input: one message that names file, column or row, and a hint that mends it."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import huggingface_hub
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataedge.errors import AuditError, ExitCode
from dataedge.load import load

GOOD = "text,label\nsome words here,a\nother words here,b\nmore words here,a\n"


def refused(source, **flags):
    with pytest.raises(AuditError) as raised:
        load(source, **flags)
    error = raised.value
    assert error.code is ExitCode.USAGE
    assert error.hint
    assert "\n" not in error.message
    return error


def test_missing_path_suggests_the_nearest_name(tmp_path):
    (tmp_path / "tickets.csv").write_text(GOOD)
    error = refused(tmp_path / "tikets.csv")
    assert str(tmp_path / "tikets.csv") in error.message
    assert "tickets.csv" in error.hint
    assert "no 'nowhere'" in refused(tmp_path / "nowhere" / "x.csv").hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", ""),
        ("a.csv", "text,label\n"),
        ("a.json", "[]"),
        ("a.jsonl", "\n\n"),
        ("a.txt", " \n \n"),
        ("a.parquet", ""),
    ],
)
def test_empty_file(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    error = refused(tmp_path / name)
    assert name in error.message
    assert "empty" in error.message


def test_empty_objects():
    assert "no rows" in refused(pd.DataFrame({"text": []})).message
    assert "no rows" in refused(datasets.Dataset.from_dict({"text": []})).message
    assert "is not a dataset" in refused(12).message


@pytest.mark.parametrize("content", ["n\n1\n2\n3\n", "n\nno\nyes\nno\nyes\nno\n"])
def test_one_column_that_is_no_text(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    error = refused(tmp_path / "a.csv")
    assert "a.csv" in error.message
    assert "'n'" in error.message or "n (" in error.message
    assert "text" in error.hint


def test_one_class(tmp_path):
    (tmp_path / "a.csv").write_text(GOOD.replace(",b", ",a"))
    error = refused(tmp_path / "a.csv")
    assert "column 'label': only one class, 'a'" in error.message


def test_one_row(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nsome words,a\n")
    assert "only one usable row" in refused(tmp_path / "a.csv").message


def test_all_rows_identical(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n" + "some words,a\n" * 30)
    assert "all 30 usable rows are identical" in refused(tmp_path / "a.csv").message


def test_wrong_label_column(tmp_path):
    (tmp_path / "a.csv").write_text(GOOD)
    error = refused(tmp_path / "a.csv", label_column="labl")
    assert "a.csv: no column 'labl' (columns: text, label)" in error.message
    assert error.hint == "Did you mean --label-column label?"
    for flag in ("text_column", "prompt_column", "response_column"):
        assert "no column 'nope'" in refused(tmp_path / "a.csv", **{flag: "nope"}).message


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt"])
def test_invalid_utf8(tmp_path, name):
    (tmp_path / name).write_bytes(b"text\tlabel\nfine\ta\ncaf\xe9\tb\n")
    error = refused(tmp_path / name)
    assert f"{name}, line 3: byte 0xe9" in error.message
    assert "iconv -f latin1 -t utf-8" in error.hint


def test_utf16(tmp_path):
    (tmp_path / "a.csv").write_bytes(GOOD.encode("utf-16"))
    assert "iconv -f utf-16" in refused(tmp_path / "a.csv").hint


def test_nul_bytes_are_left_out_and_noted(tmp_path):
    (tmp_path / "a.csv").write_bytes(GOOD.encode() + b"a\0b,a\nc\0d,b\n")
    found = load(tmp_path / "a.csv")
    assert len(found.items) == 3
    assert found.rows == 5
    assert any(
        "a.csv, row 4: column 'text' holds a NUL byte; 2 such rows" in n for n in found.notes
    )
    (tmp_path / "b.jsonl").write_text('{"text": "a\\u0000b", "label": "x"}\n' * 3)
    error = refused(tmp_path / "b.jsonl", text_column="text", label_column="label")
    assert "b.jsonl, row 1: column 'text' holds a NUL byte" in error.message


def test_nul_byte_in_running_text(tmp_path):
    paragraph = "A paragraph of words that goes on. " * 20
    (tmp_path / "a.txt").write_text("\n\n".join([paragraph, "x\0" + paragraph, paragraph + "End."]))
    found = load(tmp_path / "a.txt")
    assert len(found.items) == 2
    assert any("passage 2: column 'text' holds a NUL byte" in n for n in found.notes)


def test_lone_surrogate(tmp_path):
    lines = ['{"text": "half \\ud83d here", "label": "a"}']
    lines += [f'{{"text": "whole words {i}", "label": "{"ab"[i % 2]}"}}' for i in range(4)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = load(tmp_path / "a.jsonl")
    assert len(found.items) == 4


def test_mixed_types_and_null_labels(tmp_path):
    lines = [
        '{"text": "some words", "label": "a"}',
        '{"text": 12, "label": "b"}',
        '{"text": ["x"], "label": "b"}',
        '{"text": "no label", "label": null}',
        '{"text": "no key"}',
        '{"text": null, "label": "a"}',
        '"no object"',
        '{"text": "cut off',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = load(tmp_path / "a.jsonl", label_column="label")
    assert [(i.text, i.target, i.label_missing) for i in found.items] == [
        ("some words", "a", False),
        ("12", "b", False),
        ("no label", "", True),
        ("no key", "", True),
    ]
    notes = "\n".join(found.notes)
    assert "row 3: column 'text' holds a list, not text; 1 such row left out" in notes
    assert "row 4: no label; 2 such rows" in notes
    assert "row 6: column 'text' is empty" in notes
    assert "row 7: no JSON object; 2 such rows left out" in notes


def test_all_labels_null():
    frame = pd.DataFrame({"text": [f"words {i}" for i in range(9)], "label": [None] * 9})
    assert "no row has a label" in refused(frame, label_column="label").message


def test_directory_without_data(tmp_path):
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "model.pkl").write_bytes(b"x")
    (tmp_path / "inner").mkdir()
    error = refused(tmp_path)
    assert "README.md, inner/, model.pkl" in error.message
    assert "inner/" in error.hint
    (tmp_path / "empty").mkdir()
    assert "it holds nothing" in refused(tmp_path / "empty").message
    assert "end in '.pkl' cannot be read" in refused(tmp_path / "model.pkl").message


def test_files_with_different_columns(tmp_path):
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.csv").write_text("q,r\n1,2\n")
    error = refused(tmp_path)
    assert "a.csv: text, label" in error.message
    assert "b.csv: q, r" in error.message
    assert "a.csv" in error.hint


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "b.arrow"])
def test_truncated_binary_file(tmp_path, name):
    table = pa.table({"text": [f"words {i}" * 50 for i in range(2000)], "label": ["a", "b"] * 1000})
    path = tmp_path / name
    if name == "a.parquet":
        pq.write_table(table, path)
    else:
        new = pa.ipc.new_file if name == "a.arrow" else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as sink, new(sink, table.schema) as writer:
            writer.write_table(table)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    error = refused(path)
    assert name in error.message
    assert "cut off" in error.hint


def test_malformed_json_names_the_place(tmp_path):
    (tmp_path / "a.json").write_text('[{"text": "a"}, {"text": "b",]')
    error = refused(tmp_path / "a.json")
    assert "a.json" in error.message
    assert "byte" in error.message
    (tmp_path / "b.json").write_text('{"a": [{"t": "x"}], "b": [{"t": "y"}]}')
    assert "2 lists of rows (a, b)" in refused(tmp_path / "b.json").message


def test_ragged_csv_rows_are_noted(tmp_path):
    (tmp_path / "a.csv").write_text(GOOD + "too,many,cells\nfew\nlast words here,b\n")
    found = load(tmp_path / "a.csv")
    assert len(found.items) == 4
    assert any("a.csv, line 5: " in n and "2 such rows left out" in n for n in found.notes)


def test_csv_without_header(tmp_path):
    (tmp_path / "a.csv").write_text("\n\nsome words\n")
    assert "no header" in refused(tmp_path / "a.csv").message
    (tmp_path / "b.csv").write_text("1,hello there,yes\n2,hi you,no\n3,some more,yes\n")
    error = refused(tmp_path / "b.csv")
    assert "b.csv, line 1: reads like a row" in error.message
    assert "'yes'" in error.message


def test_csv_with_a_quote_that_is_never_closed(tmp_path):
    (tmp_path / "a.csv").write_text(GOOD + '"never closed,a\n' + "more and more words,b\n" * 20)
    error = refused(tmp_path / "a.csv")
    assert "a.csv, line 5: " in error.message
    assert "quote" in error.hint


def test_no_path():
    assert "no path" in refused("").message


def frame(label):
    return pd.DataFrame({"text": [f"words {i}" for i in range(60)], "label": label})


def test_numbers_of_several_annotators():
    data = frame([i / 7 for i in range(60)]).assign(other=[i / 9 for i in range(60)])
    error = refused(data, label_column="label,other")
    assert "column 'label' holds numbers: annotators' labels must be classes" in error.message
    assert "--label-column" in error.hint


@pytest.mark.parametrize(
    "labels",
    [["a", "b"], '["a", "b"]', "['a']", "('a', 'b')", "{'a', 'b'}"],
    ids=["list", "json", "one", "tuple", "set"],
)
@pytest.mark.parametrize("flags", [{}, {"label_column": "label"}], ids=["by name", "by flag"])
def test_multi_label_lists(labels, flags):
    error = refused(frame([labels] * 60), task="classify", **flags)
    assert "column 'label' holds several labels per row" in error.message
    assert "--task multilabel" in error.hint
    error = refused(frame([labels] * 60), **flags)
    assert "no label applies to 8 rows and does not apply to 8 others" in error.message


def test_label_with_another_value_in_every_row():
    error = refused(frame([f"id-{i}" for i in range(60)]), label_column="label")
    assert "a different value in every row" in error.message


def test_three_texts_beside_a_label():
    texts = {n: [f"{n} words {i}" for i in range(60)] for n in ("one", "two", "three")}
    error = refused(pd.DataFrame({**texts, "label": ["a", "b"] * 30}))
    assert "one, two, three" in error.message
    assert "--text-column" in error.hint


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"task": "translate"}, "no such task"),
        ({"task": "generate"}, "no prompt with a response"),
        ({"task": "generate", "label_column": "label"}, "conflicts with"),
        ({"task": "classify", "prompt_column": "text"}, "conflicts with"),
        ({"label_column": "label", "prompt_column": "text"}, "two tasks"),
        ({"prompt_column": "text"}, "it is unclear which column"),
        ({"task": "generate", "text_column": "text"}, "--text-column"),
        ({"limit": 0}, "--limit 0"),
    ],
)
def test_flags_that_do_not_fit(flags, words):
    assert words in refused(frame(["a", "b"] * 30), **flags).message


def test_task_classify_without_labels():
    error = refused(pd.DataFrame({"text": [f"words {i}" for i in range(60)]}), task="classify")
    assert "no column of labels" in error.message
    assert "--label-column" in error.hint


def test_hub_id_without_network(monkeypatch, tmp_path):
    def no_network(self, name, **settings):
        raise ConnectionError(f"Couldn't reach '{name}' on the Hub")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", no_network)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.chdir(tmp_path)
    error = refused("someone/something")
    assert "someone/something" in error.message
    assert "network" in error.hint


def test_hub_id_with_network(monkeypatch, tmp_path):
    rows = [{"text": f"text number {i}", "label": "ab"[i % 2]} for i in range(6)]
    found = datasets.DatasetDict({"train": datasets.Dataset.from_list(rows)})
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda self, name, **settings: None)
    monkeypatch.setattr("dataedge.load.sources.open_repository", lambda name: found)
    monkeypatch.chdir(tmp_path)
    assert load("someone/something").path == "someone/something"
    (tmp_path / "data").mkdir()
    assert "no such file" in refused("data/something").message


def test_a_saved_folder_that_names_files_elsewhere_is_refused(tmp_path: Path) -> None:
    rows = {"text": [f"some words {i}" for i in range(30)], "label": ["a", "b"] * 15}
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "own"))
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "other"))
    state_file = tmp_path / "own" / "state.json"
    state = json.loads(state_file.read_text())
    (file,) = (entry["filename"] for entry in state["_data_files"])
    assert len(load(tmp_path / "own").items) == 30
    for name in (f"../other/{file}", str(tmp_path / "other" / file)):
        state["_data_files"] = [{"filename": name}]
        state_file.write_text(json.dumps(state))
        with pytest.raises(AuditError, match="leads out of the folder"):
            load(tmp_path / "own")
    (tmp_path / "own" / "dataset_dict.json").write_text('{"splits": ["../other"]}')
    with pytest.raises(AuditError, match="leads out of the folder"):
        load(tmp_path / "own")


@pytest.mark.parametrize(
    "state", ["{}", "[]", '{"_data_files": 3}', '{"_data_files": [{"filename": 3}]}', "{"]
)
def test_a_broken_saved_folder(state: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(state)
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(AuditError, match="a saved datasets folder that cannot be read") as caught:
        load(tmp_path)
    assert "save_to_disk" in caught.value.hint


def test_arrow_with_two_columns_of_a_name_or_broken_text(tmp_path: Path) -> None:
    text = pa.array([f"some words {i}" for i in range(30)])
    path = tmp_path / "d.arrow"

    def write(columns: list[pa.Array], names: list[str]) -> None:
        table = pa.Table.from_arrays(columns, names)
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)

    write([text, text], ["text", "text"])
    with pytest.raises(AuditError, match="text: several columns have this name"):
        load(path)
    broken = pa.Array.from_buffers(
        pa.string(), 30, [None, text.buffers()[1], pa.py_buffer(b"\xff" * 400)]
    )
    write([broken], ["text"])
    with pytest.raises(AuditError, match="cannot be read as arrow"):
        load(path)
