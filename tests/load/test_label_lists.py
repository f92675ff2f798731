"""Several labels per row: which columns are read so, and which labels are asked about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dataedge.errors import AuditError
from dataedge.items import Task
from dataedge.load import load

TAGS = [["b", "a"], ["a"], [], ["c", "b"]] * 12


def frame(tags: list[Any], name: str = "tags") -> pd.DataFrame:
    return pd.DataFrame({"text": [f"a note of {i} words" for i in range(len(tags))], name: tags})


@pytest.mark.parametrize("write", [list, json.dumps, str, lambda v: str(tuple(v))])
def test_lists_are_read_however_they_are_written(write: Any) -> None:
    data = load(frame([write(tags) for tags in TAGS]))
    assert data.task is Task.MULTILABEL
    assert data.labels == ("a", "b", "c")
    assert [i.labels for i in data.items[:4]] == [("a", "b"), ("a",), (), ("b", "c")]
    assert [i.target for i in data.items[:4]] == ["a; b", "a", "(none)", "b; c"]
    assert data.columns == {"text": "text", "label": "tags"}


def test_files_hold_them_too(tmp_path: Path) -> None:
    for name in ("rows.parquet", "rows.jsonl"):
        path = tmp_path / name
        if name.endswith("parquet"):
            frame(TAGS).to_parquet(path)
        else:
            frame(TAGS).to_json(path, orient="records", lines=True)
        assert load(path).labels == ("a", "b", "c")


def test_an_empty_list_is_an_answer_and_an_empty_cell_is_none() -> None:
    data = load(frame([*TAGS, None]))
    assert [i.label_missing for i in data.items] == [False] * len(TAGS) + [True]


def test_rare_and_constant_labels_are_left_out_and_it_is_said() -> None:
    tags = [[*t, "all", *(["rare"] if i < 7 else [])] for i, t in enumerate(TAGS)]
    data = load(frame(tags))
    assert data.labels == ("a", "b", "c")
    assert any("holds 5 different labels: the audit asks about 3" in note for note in data.notes)


def test_at_most_twelve_are_asked_about() -> None:
    tags = [[f"t{i % 20}"] for i in range(400)] + [["t3"]] * 10
    data = load(frame(tags))
    assert len(data.labels) == 12
    assert "t3" in data.labels


def test_a_column_without_a_telling_name_is_found_by_the_task() -> None:
    assert load(frame(TAGS, "zzz"), task="multilabel").labels == ("a", "b", "c")
    assert load(frame(TAGS, "zzz"), label_column="zzz").labels == ("a", "b", "c")


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (frame([["x", "y"]] * 40), {"label_column": "tags"}, "no label applies to 8 rows"),
        (frame(["x", "y"] * 20), {"task": "multilabel"}, "no column of lists of labels"),
        (
            frame(TAGS),
            {"task": "classify", "label_column": "tags"},
            "takes one label of a closed set per text",
        ),
        (frame([[{"x": 1}]] * 40), {"label_column": "tags"}, "lists of something else than labels"),
        (frame(TAGS).assign(more=["x", "y"] * 24), {"label_column": "tags,more"}, "give one each"),
    ],
)
def test_what_cannot_be_read_is_refused(
    data: pd.DataFrame, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(AuditError) as caught:
        load(data, **options)
    assert message in caught.value.message
    assert "--" in (caught.value.hint or "") or "rows" in (caught.value.hint or "")


def test_what_was_read_otherwise_stays_so() -> None:
    rare = frame([[f"t{i}"] for i in range(60)])
    assert load(rare).task is Task.CORPUS
    asked = frame(TAGS).assign(kind=["x", "y"] * 24)
    assert load(asked).columns["label"] == "kind"
    assert load(asked, task="multilabel").columns["label"] == "tags"
    objects = frame([[{"id": 1, "name": "x"}]] * 60, "genres")
    assert load(objects).task is Task.CORPUS
    pairs = pd.DataFrame(
        {
            "question": [f"why {i}?" for i in range(48)],
            "answer": [f"because of {i}" for i in range(48)],
        }
    ).assign(topics=TAGS)
    assert load(pairs).task is Task.GENERATE


def test_two_columns_of_lists_are_the_users_choice() -> None:
    with pytest.raises(AuditError) as caught:
        load(frame(TAGS).assign(topics=[[*t[::-1], "d"] for t in TAGS[1:] + TAGS[:1]]))
    assert "--label-column topics" in (caught.value.hint or "")


def test_labels_that_would_be_written_alike_stay_apart() -> None:
    data = load(frame([["a; b"], ["a", "b"], [], ["(none)"]] * 12))
    assert len({(i.target, i.labels) for i in data.items}) == 4
    assert len({i.target for i in data.items}) == 4


def test_names_of_numbered_classes_are_read_in_lists_too() -> None:
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["joy", "fear", "anger"])
    features = datasets.Features({"text": datasets.Value("string"), "labels": datasets.List(names)})
    rows = {"text": [f"note {i} of one" for i in range(48)], "labels": [[0, 2], [1], [], [2]] * 12}
    assert load(datasets.Dataset.from_dict(rows, features=features)).labels == (
        "anger",
        "fear",
        "joy",
    )


def test_zeros_and_ones_are_no_names_of_labels() -> None:
    with pytest.raises(AuditError) as caught:
        load(frame([[0, 1, 0], [1, 1, 0]] * 24), label_column="tags")
    assert "which label each place stands for is not known" in caught.value.message
    assert "names of the labels" in (caught.value.hint or "")
