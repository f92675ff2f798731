"""`dataedge check`: each fault is found under its name with file, row and field; clean data has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataedge.check.found import Checked
from dataedge.check.run import check

GOOD = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello there."}]
CALL = {"function": {"name": "find", "arguments": '{"q": 1}'}, "id": "a", "type": "function"}


def good(i: int) -> dict[str, Any]:
    user = {"role": "user", "content": f"what is number {i}?"}
    return {"messages": [user, {"role": "assistant", "content": f"It is the number {i}."}]}


def chats(tmp_path: Path, *bad: Any) -> Checked:
    """Twenty good conversations, and bad ones behind them."""
    path = tmp_path / "chat.jsonl"
    rows = [*map(good, range(20)), *({"messages": m} for m in bad)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return check(str(path), {})


BAD: dict[str, tuple[str, Any, str]] = {
    "missing_messages_list": ("error", "no list", "'messages' is no list"),
    "data_type": ("error", [*GOOD, "text"], "messages[2]"),
    "message_missing_key": ("error", [{"role": "user"}, GOOD[1]], "messages[0] has no 'content'"),
    "message_unrecognized_key": ("warning", [GOOD[0] | {"id": 1}, GOOD[1]], "the key 'id'"),
    "unrecognized_role": ("error", [{"role": "robot", "content": "x"}, *GOOD], "role 'robot'"),
    "missing_content": ("error", [{"role": "user", "content": " "}, GOOD[1]], "messages[0].content"),
    "example_missing_assistant_message": ("error", GOOD[:1], "no assistant message"),
    "no_trained_message": ("error", [GOOD[0], GOOD[1] | {"weight": 0}], "weight 0"),
    "weight_not_0_or_1": ("error", [GOOD[0], GOOD[1] | {"weight": 0.5}], "weight is 0.5"),
    "last_message_not_assistant": ("warning", [*GOOD, GOOD[0]], "ends with a user message"),
    "roles_not_alternating": ("warning", [GOOD[0], *GOOD], "two user messages"),
    "system_not_first": ("warning", [*GOOD, {"role": "system", "content": "x"}, *GOOD], "behind"),
    "tool_arguments_not_json": (
        "error",
        [GOOD[0], {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"q": 1}}}]}],
        "arguments of 'f'",
    ),
    "tool_call_without_name": (
        "error", [GOOD[0], {"role": "assistant", "tool_calls": [{"function": {}}]}], "without a name",
    ),
    "tool_answer_without_call": (
        "error", [GOOD[0], {"role": "tool", "tool_call_id": "b", "content": "1"}, GOOD[1]], "answers no",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_each_fault_of_a_conversation_has_its_name(name: str, tmp_path: Path) -> None:
    level, messages, first = BAD[name]
    checked = chats(tmp_path, messages)
    found = {f.name: f for f in checked.found}
    assert name in found
    assert (found[name].level, found[name].rows) == (level, (20,))
    assert first in found[name].first
    assert found[name].places(checked.table) == [f"{tmp_path / 'chat.jsonl'}, row 21"]
    assert checked.failed == any(f.level == "error" for f in found.values())


def test_absurdly_nested_messages_are_no_list(tmp_path: Path) -> None:
    path, deep = tmp_path / "deep.jsonl", "[" * 50_000 + "]" * 50_000
    rows = [json.dumps(good(i)) for i in range(20)]
    rows += [f'{{"messages": {deep}}}', json.dumps({"messages": deep})]
    path.write_text("\n".join(rows))
    (found,) = check(str(path), {}).found
    assert (found.name, found.rows) == ("missing_messages_list", (20, 21))


def test_good_conversations_have_no_fault_and_are_counted(tmp_path: Path) -> None:
    tools = [GOOD[0], {"role": "assistant", "tool_calls": [CALL]},
             {"role": "tool", "tool_call_id": "a", "content": "1"}, GOOD[1]]  # fmt: skip
    checked = chats(tmp_path, tools)
    assert checked.found == []
    assert checked.counted["messages"] == 44
    assert checked.counted["messages_trained"] == 22
    assert checked.counted["tool_calls"] == 1
    assert checked.counted["tokens_learned"] > 0


def test_tool_calls_are_read_as_what_the_model_writes(tmp_path: Path) -> None:
    from dataedge.load import load

    path = tmp_path / "tools.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": f"find {i}"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}]}
        for i in range(5)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert load(str(path)).items[0].target == '{"name": "find", "arguments": {"q": 1}}'


def labelled(tmp_path: Path, rows: list[tuple[str, str]], name: str = "rows.csv") -> Path:
    path = tmp_path / name
    path.write_text("text,label\n" + "".join(f"{t},{label}\n" for t, label in rows))
    return path


def test_labels(tmp_path: Path) -> None:
    rows = [(f"text number {i}", "warm" if i % 2 else "cold") for i in range(40)]
    rows += [
        ("another text", "Warm "),
        ("text number 1", "cold"),
        ("mine: a@corp.de", "odd"),
        ("empty", ""),
    ]
    rows += [("text number 2", "cold")]
    checked = check(str(labelled(tmp_path, rows)), {})
    found = {f.name: f for f in checked.found}
    assert found["label_case_twins"].rows == (40,)
    assert found["label_case_twins"].first == "'Warm' beside 'warm'"
    assert found["conflicting_labels"].rows == (1, 41)
    assert found["rare_label"].rows == (40, 42)
    assert found["missing_label"].rows == (43,)
    assert found["duplicate_row"].rows == (44,)
    assert found["personal_data"].rows == (42,)
    assert "a@corp.de" not in str(checked.as_json())
    assert list(found) == sorted(found, key=lambda n: found[n].level)


def test_numbers_with_a_sign_or_a_point_are_no_twins(tmp_path: Path) -> None:
    rows = [(f"text number {i}", ["-1", "1", "1.0", "10"][i % 4]) for i in range(40)]
    names = {f.name for f in check(str(labelled(tmp_path, rows)), {"task": "classify"}).found}
    assert "label_case_twins" not in names


def test_numbers_that_are_all_the_same_are_told(tmp_path: Path) -> None:
    for first, second, told in (
        ("3.5", "3.50", True),
        ("3.5", "4", False),
        ("1000000.1", "1000000.2", False),
    ):
        rows = [(f"text number {i}", (first, second)[i % 2]) for i in range(40)]
        found = {f.name: f for f in check(str(labelled(tmp_path, rows)), {"task": "number"}).found}
        assert ("one_number" in found) == told
        if told:
            assert len(found["one_number"].rows) == 40


def test_sides(tmp_path: Path) -> None:
    some = [(f"text {i}", "warm" if i % 2 else "cold") for i in range(40)]
    labelled(tmp_path, [*some, *[(f"only here {i}", "train only") for i in range(4)]], "train.csv")
    labelled(tmp_path, [("text 3", "warm"), ("new", "cold"), ("newer", "test only")], "test.csv")
    found = {f.name: f for f in check(str(tmp_path), {}).found}
    assert len(found["label_missing_in_train"].rows) == 1
    assert len(found["label_missing_in_test"].rows) == 4
    assert len(found["copy_across_splits"].rows) == 1


def test_responses_and_kto(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": f"question {i}?",
            "completion": f"This is the answer to number {i}.",
            "label": i % 4 != 0,
        }
        for i in range(40)
    ]
    rows[5]["completion"] = "N/A"
    rows[6]["completion"] = "I'm sorry, but as an AI language model I cannot help with that."
    rows[7]["completion"] = "word " * 200
    rows[9]["completion"] = ""
    path = tmp_path / "kto.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    reading = {"prompt_column": "prompt", "response_column": "completion"}
    found = {f.name: f for f in check(str(path), reading, most_tokens=100).found}
    assert found["empty_response"].rows == (5,)
    assert found["refused_response"].rows == (6,)
    assert found["too_many_tokens"].rows == (7,)
    assert found["unusable_row"].rows == (9,)
    assert found["unwanted_response"].rows == tuple(range(0, 40, 4))


def test_tagged_conversations_and_kto_of_llama_factory(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "turns": [
                {"who": "client", "said": f"what is number {i}?"},
                {"who": "seller", "said": f"It is the number {i}."},
            ],
            "wanted": i != 3,
        }
        for i in range(20)
    ]
    rows[4]["turns"].append({"who": "robot", "said": "beep"})
    rows[5]["turns"] = rows[5]["turns"][:1]
    rows[6]["turns"] = "no list"
    rows[7]["turns"][0] = {"said": "who says so?"}
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "talks.json").write_text(json.dumps(rows))
    entry = {
        "file_name": "in/talks.json",
        "formatting": "sharegpt",
        "columns": {"messages": "turns", "kto_tag": "wanted"},
        "tags": {
            "role_tag": "who", "content_tag": "said", "user_tag": "client", "assistant_tag": "seller",
        },
    }  # fmt: skip
    (tmp_path / "dataset_info.json").write_text(json.dumps({"talks": entry}))
    checked = check(str(tmp_path), {})
    found = {f.name: f for f in checked.found}
    assert {name: f.rows for name, f in found.items() if f.level == "error"} == {
        "unwanted_response": (3,),
        "unrecognized_role": (4,),
        "example_missing_assistant_message": (5,),
        "missing_messages_list": (6,),
        "message_missing_key": (7,),
    }
    assert found["unrecognized_role"].places(checked.table) == [f"{tmp_path}/in/talks.json, row 5"]
    assert checked.counted["messages"] == 38


def test_preferences_whose_prompt_is_implicit(tmp_path: Path) -> None:
    rows = [
        {
            "chosen": [*GOOD[:1], {"role": "assistant", "content": f"good answer {i}."}],
            "rejected": [*GOOD[:1], {"role": "assistant", "content": "bad answer."}],
        }
        for i in range(24)
    ]
    rows[2]["chosen"] = rows[2]["rejected"]
    rows[5]["rejected"] = [{"role": "user", "content": "another"}, GOOD[1]]
    (tmp_path / "en").mkdir()
    path = tmp_path / "en" / "train.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    checked = check(str(tmp_path), {})
    (found,) = checked.found
    assert (found.name, found.rows) == ("unusable_row", (2, 5))
    assert found.first == "column 'chosen' is the same as 'rejected'"
    assert found.places(checked.table) == [f"{path}, row 3", f"{path}, row 6"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dataedge.cli.app import app

    path = labelled(
        tmp_path, [(f"text {i}", "a b" if i % 2 else "c") for i in range(30)] + [("x", "A B")]
    )
    assert app(["check", str(path)], standalone_mode=False) == 1
    said = capsys.readouterr().out
    assert "label_case_twins" in said
    assert "row 31" in said
    assert app(["check", str(path), "--json"], standalone_mode=False) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["found"][0]["places"] == [{"file": str(path), "row": 31}]
    clean = labelled(
        tmp_path, [(f"text {i}", "a" if i % 2 else "c") for i in range(30)], "clean.csv"
    )
    assert not app(["check", str(clean)], standalone_mode=False)
    assert "nothing found" in capsys.readouterr().out


def test_what_an_audit_refuses_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dataedge.cli.app import app

    one = labelled(tmp_path, [(f"text {i}", "a") for i in range(30)], "one.csv")
    (found,) = check(str(one), {}).found
    assert (found.name, found.level, len(found.rows)) == ("one_label", "error", 30)
    for n, level in ((5, "error"), (15, "warning"), (20, None)):
        few = labelled(tmp_path, [(f"text {i}", "ab"[i % 2]) for i in range(n)], f"{n}.csv")
        levels = {f.name: f.level for f in check(str(few), {}).found}
        assert levels.get("too_few_rows") == level
    missing = [(f"text {i}", "ab"[i % 2] if i < 12 else "") for i in range(40)]
    found = {f.name for f in check(str(labelled(tmp_path, missing, "m.csv")), {}).found}
    assert "too_few_rows" in found, "what has no label teaches none"
    long = tmp_path / "long.jsonl"
    texts = [" ".join(f"word{i} of {doc}." for i in range(4000)) for doc in range(5)]
    long.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    assert "too_few_rows" not in {f.name for f in check(str(long), {}).found}, "passages count"
    broken = tmp_path / "broken.jsonl"
    rows = [json.dumps({"question": f"what is {i}?", "answer": f"it is {i}."}) for i in range(30)]
    broken.write_text("\n".join([rows[0], '{"question": "a", "ans', *rows[1:]]))
    assert app(["check", str(broken)], standalone_mode=False) == 1
    said = capsys.readouterr().out
    assert "error    unreadable_rows" in said
    assert "row 2: no JSON object; 1 such row left out" in said
    assert "nothing found" not in said


def test_an_audit_names_the_errors_first(small_dataset: Path, tmp_path: Path) -> None:
    """It goes on: what can be measured is measured, and the note says what to look at."""
    from dataedge import api
    from dataedge.config import make_config

    path = tmp_path / "twins.csv"
    path.write_text(small_dataset.read_text() + "one more text about a place,Cold\n")
    config, _ = make_config({}, None)
    noted = api._checked(api.read(path, config), path, config)
    note = next(n for n in noted.notes if "dataedge check" in n)
    assert "label_case_twins (1)" in note
    plain = api.read(small_dataset, config)
    assert api._checked(plain, small_dataset, config) is plain
