"""Folders that LLaMA-Factory's dataset_info.json describes: files, columns and tags; what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataedge.errors import AuditError
from dataedge.items import Dataset, Task
from dataedge.load import load

ALPACA = [
    {
        "question": f"Which hat goes with outfit {i}?",
        "detail": f"It is for the month {i}." if i % 2 else "",
        "reply": f"The hat number {i} goes with it.",
        "persona": "You sell hats.",
        "earlier": [["Hello.", "Good day."]] if i == 0 else [],
        "wanted": i != 2,
    }
    for i in range(4)
]
COLUMNS = {"prompt": "question", "query": "detail", "response": "reply"}
TAGS = {"role_tag": "who", "content_tag": "said", "user_tag": "client", "assistant_tag": "seller"}


def said(who: str, text: str) -> dict[str, str]:
    return {"who": who, "said": text}


TALKS = [
    {
        "turns": [said("client", f"Is hat {i} warm?"), said("seller", f"Hat {i} is warm.")],
        "rules": "Be brief.",
    }
    for i in range(4)
]


def folder(
    path: Path, info: Any, files: dict[str, list[dict[str, Any]]] | None = None, **more: Any
) -> Path:
    """A folder with its description, and files of rows."""
    path.mkdir(exist_ok=True)
    for name, rows in {**(files or {}), **more}.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(json.dumps(rows))
    (path / "dataset_info.json").write_text(info if isinstance(info, str) else json.dumps(info))
    return path


def first(found: Dataset) -> tuple[str, str]:
    return found.items[0].texts[0], found.items[0].target


def test_columns_of_alpaca_with_other_names(tmp_path: Path) -> None:
    entry = {"file_name": "hats.json", "columns": COLUMNS}
    found = load(folder(tmp_path, {"hats": entry}, {"hats.json": ALPACA}))
    assert found.task is Task.GENERATE
    assert first(found) == ("Which hat goes with outfit 0?", "The hat number 0 goes with it.")
    assert found.items[1].texts == ("Which hat goes with outfit 1?\n\nIt is for the month 1.",)
    assert found.columns == {"prompt": ("question", "detail"), "response": "reply"}
    assert any("columns not used: persona, earlier, wanted" in n for n in found.notes)


def test_system_prompt_and_earlier_rounds_are_part_of_the_prompt(tmp_path: Path) -> None:
    columns = {**COLUMNS, "system": "persona", "history": "earlier", "tools": None}
    entry = {"file_name": "hats.json", "formatting": "alpaca", "columns": columns}
    found = load(folder(tmp_path, {"hats": entry}, {"hats.json": ALPACA}))
    assert first(found)[0].splitlines() == [
        "system: You sell hats.",
        "user: Hello.",
        "assistant: Good day.",
        "user: Which hat goes with outfit 0?",
    ]
    assert found.columns["system"] == "persona"


def test_earlier_rounds_that_are_none_make_a_row_unusable(tmp_path: Path) -> None:
    rows = [*ALPACA, {**ALPACA[0], "earlier": "long ago"}, {**ALPACA[0], "earlier": [["a"]]}]
    entry = {"file_name": "hats.json", "columns": {**COLUMNS, "history": "earlier"}}
    found = load(folder(tmp_path, {"hats": entry}, {"hats.json": rows}))
    assert any(
        "hats.json, row 5: column 'earlier' is not a list of rounds" in n
        and "2 such rows left out" in n
        for n in found.notes
    )


def test_without_columns_the_usual_names_hold_and_input_may_lack(tmp_path: Path) -> None:
    rows = [{"instruction": f"say {i} again", "output": f"again {i} it is"} for i in range(4)]
    found = load(folder(tmp_path, {"a": {"file_name": "a.json"}}, {"a.json": rows}))
    assert found.columns == {"prompt": "instruction", "response": "output"}


def test_a_prompt_alone_is_running_text(tmp_path: Path) -> None:
    rows = [{"body": f"A long passage {i} on hats.", "title": f"hats, part {i}"} for i in range(4)]
    entry = {"file_name": "a.json", "columns": {"prompt": "body"}}
    found = load(folder(tmp_path, {"a": entry}, {"a.json": rows}))
    assert found.task is Task.CORPUS
    assert found.columns == {"text": "body"}


def test_tags_rename_keys_and_roles(tmp_path: Path) -> None:
    columns = {"messages": "turns", "system": "rules"}
    entry = {
        "file_name": "talks.json",
        "formatting": "sharegpt",
        "columns": columns,
        "tags": TAGS,
    }
    found = load(folder(tmp_path, {"talks": entry}, {"talks.json": TALKS}))
    assert first(found) == ("system: Be brief.\nuser: Is hat 0 warm?", "Hat 0 is warm.")
    assert found.columns == {"messages": "turns", "system": "rules"}


def test_a_system_message_takes_the_place_of_the_system_column(tmp_path: Path) -> None:
    rows = [
        {**row, "turns": [said("boss", "Be kind."), *row["turns"]]}  # type: ignore[misc]
        for row in TALKS
    ]
    entry = {
        "file_name": "talks.json",
        "formatting": "openai",
        "columns": {"messages": "turns", "system": "rules"},
        "tags": {**TAGS, "system_tag": "boss"},
    }
    found = load(folder(tmp_path, {"talks": entry}, {"talks.json": rows}))
    assert first(found)[0] == "system: Be kind.\nuser: Is hat 0 warm?"


@pytest.mark.parametrize(
    ("formatting", "column", "keys"),
    [
        ("sharegpt", "conversations", ("from", "value", "human", "gpt")),
        ("openai", "messages", ("role", "content", "user", "assistant")),
    ],
)
def test_usual_names_of_chats(
    tmp_path: Path, formatting: str, column: str, keys: tuple[str, ...]
) -> None:
    role, content, user, assistant = keys
    rows = [
        {column: [{role: user, content: f"hi {i}"}, {role: assistant, content: f"hello {i}"}]}
        for i in range(3)
    ]
    entry = {"file_name": "a.json", "formatting": formatting}
    assert first(load(folder(tmp_path, {"a": entry}, {"a.json": rows}))) == ("hi 0", "hello 0")


@pytest.mark.parametrize("keys", [("from", "value"), ("who", "said")])
def test_other_keys_of_the_usual_names_do_not_count(tmp_path: Path, keys: tuple[str, str]) -> None:
    role, content = keys
    other = {"role": "system", "from": "x", "content": "no", "value": "no"}
    rows = [
        {
            "turns": [
                {**other, role: "user", content: f"hi {i}"},
                {**other, role: "bot", content: f"hello {i}"},
            ]
        }
        for i in range(3)
    ]
    entry = {
        "file_name": "a.json",
        "formatting": "sharegpt",
        "columns": {"messages": "turns"},
        "tags": {
            "role_tag": role,
            "content_tag": content,
            "user_tag": "user",
            "assistant_tag": "bot",
        },
    }
    assert first(load(folder(tmp_path, {"a": entry}, {"a.json": rows}))) == ("hi 0", "hello 0")


def test_preferences(tmp_path: Path) -> None:
    pairs = [{**row, "good": row["reply"], "bad": "No idea."} for row in ALPACA]
    talks = [
        {
            "turns": [said("client", f"Is hat {i} warm?")],
            "good": said("seller", f"Hat {i} is warm."),
            "bad": said("seller", "Who knows."),
        }
        for i in range(4)
    ]
    answers = {"chosen": "good", "rejected": "bad"}
    entry: dict[str, Any] = {
        "file_name": "a.json",
        "ranking": True,
        "columns": {"prompt": "question", "query": "detail", **answers},
    }
    found = load(folder(tmp_path / "alpaca", {"a": entry}, {"a.json": pairs}))
    assert found.items[1].texts == ("Which hat goes with outfit 1?\n\nIt is for the month 1.",)
    assert (found.items[1].target, found.items[1].rejected) == (ALPACA[1]["reply"], "No idea.")
    entry |= {"formatting": "sharegpt", "columns": {"messages": "turns", **answers}, "tags": TAGS}
    found = load(folder(tmp_path / "talks", {"a": entry}, {"a.json": talks}))
    item = found.items[0]
    assert (item.texts, item.target) == (("Is hat 0 warm?",), "Hat 0 is warm.")
    assert item.rejected == "Who knows."


def test_flags_win(tmp_path: Path) -> None:
    entry = {"file_name": "hats.json", "columns": COLUMNS}
    where = folder(tmp_path, {"hats": entry}, {"hats.json": ALPACA})
    found = load(where, prompt_column="reply", response_column="question")
    assert found.columns == {"prompt": "reply", "response": "question"}
    assert load(where, text_column="question", label_column="wanted").task is Task.CLASSIFY
    wrong = {"hats": {"file_name": "hats.json", "columns": {**COLUMNS, "query": "gone"}}}
    where = folder(tmp_path, wrong)
    assert load(where, prompt_column="question", response_column="reply").rows == 4
    with pytest.raises(AuditError, match="dataset 'hats' names the column 'gone'") as caught:
        load(where)
    assert "--prompt-column" in caught.value.hint


def test_several_datasets_are_named_and_a_file_chooses_one(tmp_path: Path) -> None:
    talks = {
        "file_name": "talks.json",
        "formatting": "sharegpt",
        "columns": {"messages": "turns"},
        "tags": TAGS,
    }
    info = {"hats": {"file_name": "in/hats.json", "columns": COLUMNS}, "talks": talks}
    where = folder(tmp_path, info, {"in/hats.json": ALPACA, "talks.json": TALKS})
    with pytest.raises(AuditError, match=r"2 datasets: hats \(in/hats.json\), talks") as caught:
        load(where)
    assert f"`dataedge audit {where / 'in' / 'hats.json'}`" in caught.value.hint
    assert load(where / "in" / "hats.json").columns["prompt"] == ("question", "detail")
    found = load(where / "talks.json")
    assert first(found) == ("Is hat 0 warm?", "Hat 0 is warm.")
    assert any("as dataset_info.json describes dataset 'talks'" in n for n in found.notes)


def test_datasets_that_are_splits_are_one(tmp_path: Path) -> None:
    info = {
        name: {"file_name": f"{name}.json", "columns": COLUMNS} for name in ("hats_test", "train")
    }
    files = {"train.json": ALPACA[:3], "hats_test.json": ALPACA[3:]}
    found = load(folder(tmp_path, info, files))
    assert [i.split for i in found.items] == ["train"] * 3 + ["test"]


def test_a_file_name_may_be_a_folder(tmp_path: Path) -> None:
    info = {"hats": {"file_name": "all", "columns": COLUMNS, "num_samples": 2}}
    files = {"all/a.json": ALPACA[:2], "all/b.json": ALPACA[2:]}
    found = load(folder(tmp_path, info, files))
    assert [i.row for i in found.items] == [1, 2, 3, 4]
    assert any("`num_samples` of hats is not applied" in n for n in found.notes)


ELSEWHERE = {
    "hub": {"hf_hub_url": "somebody/hats", "file_name": "hats.json"},
    "scope": {"ms_hub_url": "somebody/hats"},
    "script": {"script_url": "hats"},
    "cloud": {"cloud_file_name": "s3://hats/hats.json"},
}


def test_datasets_that_are_elsewhere_are_left_out(tmp_path: Path) -> None:
    info = {**ELSEWHERE, "here": {"file_name": "hats.json", "columns": COLUMNS}}
    found = load(folder(tmp_path, info, {"hats.json": ALPACA}))
    assert found.rows == 4
    (note,) = [n for n in found.notes if "left out" in n]
    assert "left out hub, scope, script, cloud (read: here)" in note
    with pytest.raises(AuditError, match="nor can 3 more") as caught:
        load(folder(tmp_path, ELSEWHERE))
    assert "on the Hugging Face hub (`hf_hub_url`), and nothing is downloaded" in str(caught.value)


WRONG: dict[str, tuple[Any, str]] = {
    "missing": ({"a": {"file_name": "gone.json"}}, "there is no file 'gone.json'"),
    "too long": ({"a": {"file_name": "x" * 5000}}, "there is no file 'xxx"),
    "formatting": ({"a": {"file_name": "hats.json", "formatting": "chatml"}}, "unknown formatting"),
    "columns": ({"a": {"file_name": "hats.json", "columns": ["question"]}}, "`columns` is no object"),
    "tags": (
        {"a": {"file_name": "hats.json", "formatting": "sharegpt", "tags": {"role_tag": 1}}},
        "`tags` is no object",
    ),
    "no prompt": ({"a": {"file_name": "hats.json", "columns": {"response": "r"}}}, "no prompt"),
    "entry": ({"a": {"file_name": ""}, "b": 3}, "has no `file_name`"),
    "up": ({"a": {"file_name": "../hats.json"}}, "leads out of the folder"),
    "inner up": ({"a": {"file_name": "in/../../hats.json"}}, "leads out of the folder"),
    "absolute": ({"a": {"file_name": "/etc/passwd"}}, "leads out of the folder"),
    "windows": ({"a": {"file_name": "C:\\hats.json"}}, "leads out of the folder"),
    "zero": ({"a": {"file_name": "a\0.json"}}, "leads out of the folder"),
    "url": ({"a": {"file_name": "https://example.org/hats.json"}}, "is a URL"),
    "link": ({"a": {"file_name": "link.json"}}, "leads out of the folder"),
    "broken": ('{"a": {"file_name": ', "cannot be read as JSON"),
    "nested": ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, name: str) -> None:
    info, message = WRONG[name]
    outside = tmp_path / "hats.json"
    outside.write_text(json.dumps(ALPACA))
    where = folder(tmp_path / "data", info, {"hats.json": ALPACA})
    (where / "link.json").symlink_to(outside)
    with pytest.raises(AuditError) as caught:
        load(where)
    assert message in str(caught.value)
    assert "dataset_info.json" in str(caught.value)
    assert "`dataedge audit FILE`" in caught.value.hint


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"role_tag": "speaker"}, "no message in column 'turns' has the key 'speaker'"),
        ({"content_tag": "text"}, "has the key 'text'"),
        ({"user_tag": "buyer"}, r"has the role 'buyer' .*\(roles there: client, seller\)"),
        ({"assistant_tag": "bot"}, "has the role 'bot'"),
    ],
)
def test_tags_that_do_not_occur(tmp_path: Path, tags: dict[str, str], message: str) -> None:
    entry = {
        "file_name": "talks.json",
        "formatting": "sharegpt",
        "columns": {"messages": "turns"},
        "tags": {**TAGS, **tags},
    }
    with pytest.raises(AuditError, match=message):
        load(folder(tmp_path, {"talks": entry}, {"talks.json": TALKS}))


def test_a_broken_description_does_not_keep_a_file_from_being_read(tmp_path: Path) -> None:
    rows = [{"prompt": f"say {i} again", "completion": f"again {i} it is"} for i in range(4)]
    where = folder(tmp_path, "{", {"a.json": rows})
    found = load(where / "a.json")
    assert found.rows == 4
    assert any("its description is not used" in n for n in found.notes)
    two = {"x": {"file_name": "a.json"}, "y": {"file_name": "a.json", "columns": COLUMNS}}
    found = load(folder(tmp_path, two) / "a.json")
    assert any("2 datasets of dataset_info.json describe it in different ways" in n
               for n in found.notes)  # fmt: skip
