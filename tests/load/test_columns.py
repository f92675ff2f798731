"""Every column reading of the design, and the errors where two fit or none."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from dataedge.errors import AuditError
from dataedge.items import Task
from dataedge.load import load


def rows(n=20, **columns):
    """A frame of n rows; a column is a function of the row number."""
    return pd.DataFrame({name: [make(i) for i in range(n)] for name, make in columns.items()})


def words(kind="text"):
    return lambda i: f"{kind} number {i} has some words"


def yes_no(i):
    return "yes" if i % 3 else "no"


def first(found):
    return found.items[0].texts, found.items[0].target


# -- generate --------------------------------------------------------------------------------


def test_chat_messages():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Bye?"},
        {"role": "assistant", "content": "Bye."},
        {"role": "user", "content": "Still there?"},
    ]
    found = load(rows(3, messages=lambda i: messages[i and 1 :][: 6 - i]))
    assert found.task is Task.GENERATE
    assert found.columns == {"messages": "messages"}
    assert first(found) == (
        ("system: Be brief.\nuser: Hello?\nassistant: Hi.\nuser: Bye?",),
        "Bye.",
    )


def test_one_user_turn_is_the_prompt(tmp_path):
    turn = [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}]
    lines = [
        {"messages": [*turn, {"role": "assistant", "content": f"Because {i}."}]} for i in range(2)
    ]
    lines.append({"messages": turn})
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = load(tmp_path)
    assert first(found) == (("Why?",), "Because 0.")
    assert any("row 3: column 'messages' has no assistant turn" in n for n in found.notes)


def test_sharegpt_conversations():
    talk = lambda i: [{"from": "human", "value": f"Hi {i}"}, {"from": "gpt", "value": "Hello"}]  # noqa: E731
    found = load(rows(3, id=str, conversations=talk))
    assert found.task is Task.GENERATE
    assert first(found) == (("Hi 0",), "Hello")


def test_messages_as_json_text_in_a_csv(tmp_path):
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    other = [{"role": "user", "content": "Ho"}, {"role": "assistant", "content": "Hello"}]
    frame = pd.DataFrame({"messages": [json.dumps(talk), json.dumps(other)]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert first(load(tmp_path / "a.csv")) == (("Hi",), "Hello")


@pytest.mark.parametrize(
    ("prompt", "response"),
    [
        ("prompt", "completion"),
        ("Prompt", "Response"),
        ("instruction", "output"),
        ("question", "answer"),
        ("question", "answers"),
        ("input", "output"),
        ("query", "response"),
    ],
)
def test_prompt_and_response(prompt, response):
    found = load(rows(5, **{prompt: words("ask"), response: words("say"), "source": str}))
    assert found.task is Task.GENERATE
    assert found.columns == {"prompt": prompt, "response": response}
    assert first(found) == (("ask number 0 has some words",), "say number 0 has some words")
    assert any("columns not used: source" in n for n in found.notes)


def test_instruction_with_input_and_question_with_context():
    frame = rows(4, instruction=words("do"), input=lambda i: "it" if i else "", output=words("out"))
    found = load(frame)
    assert found.items[0].text == "do number 0 has some words"
    assert found.items[1].text == "do number 1 has some words\n\nit"
    answers = lambda i: {"text": [f"it is {i}", "or so"], "answer_start": [0, 1]}  # noqa: E731
    found = load(rows(4, context=words("ctx"), question=words("ask"), answers=answers))
    assert first(found) == (
        ("ctx number 0 has some words\n\nask number 0 has some words",),
        "it is 0",
    )


def test_conversational_prompt_and_completion():
    frame = rows(
        3,
        prompt=lambda i: [{"role": "user", "content": f"Hi {i}"}],
        completion=lambda i: [{"role": "assistant", "content": "Hello"}],
    )
    assert first(load(frame)) == (("Hi 0",), "Hello")


def test_preferences_with_a_prompt():
    found = load(rows(4, prompt=words("ask"), chosen=words("good"), rejected=words("bad")))
    assert first(found) == (("ask number 0 has some words",), "good number 0 has some words")
    assert found.items[0].rejected == "bad number 0 has some words"
    assert found.columns["rejected"] == "rejected"


def test_preferences_that_share_their_prompt():
    talk = "\n\nHuman: Why {}?\n\nAssistant: {}"
    frame = rows(
        4,
        chosen=lambda i: talk.format(i, "Because it is so."),
        rejected=lambda i: talk.format(i, "Because."),
    )
    item = load(frame).items[0]
    assert item.texts == ("Human: Why 0?\n\nAssistant:",)
    assert (item.target, item.rejected) == ("Because it is so.", "Because.")


def test_preferences_of_conversations():
    turn = lambda who, text: {"role": who, "content": text}  # noqa: E731
    frame = rows(
        3,
        chosen=lambda i: [turn("user", f"Why {i}?"), turn("assistant", "So.")],
        rejected=lambda i: [turn("user", f"Why {i}?"), turn("assistant", "No.")],
    )
    item = load(frame).items[0]
    assert (item.texts, item.target, item.rejected) == (("Why 0?",), "So.", "No.")


def talk(*texts: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if i % 2 else "user", "content": t} for i, t in enumerate(texts)]


def test_the_prompt_of_conversations_is_what_both_begin_with():
    """As TRL's `extract_prompt` has it: all messages up to the first that differ."""
    chosen = [
        talk("Why?", "So.", "Really?", "Yes."),
        talk("Why?", "So.", "Really?", "Yes."),
        talk("Why?", "So."),
        talk("Why?", "So."),
        talk("Why?", "So."),
        talk("Why?", "So.", "Really?", "Yes."),
        "Why? So.",
        talk("Why?", "So."),
    ]
    rejected = [
        talk("Why?", "So.", "Really?", "No."),
        talk("Why?", "No.", "Really?", "No."),
        talk("Why?", "So."),
        talk("How?", "So."),
        talk("Why?"),
        talk("Why?", "So.", "Truly?", "No."),
        talk("Why?", "So."),
        [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": " "}],
    ]
    found = load(pd.DataFrame({"chosen": chosen, "rejected": rejected}))
    assert [(i.text, i.target, i.rejected) for i in found.items] == [
        ("user: Why?\nassistant: So.\nuser: Really?", "Yes.", "No."),
        (
            "Why?",
            "assistant: So.\nuser: Really?\nassistant: Yes.",
            "assistant: No.\nuser: Really?\nassistant: No.",
        ),
    ]
    assert [n.removeprefix("<DataFrame>, ") for n in found.notes] == [
        "row 3: column 'chosen' is the same as 'rejected'; 1 such row left out",
        "row 4: column 'chosen' has no prompt in common with 'rejected'; 1 such row left out",
        "row 5: column 'rejected' has no response after the prompt; 2 such rows left out",
        "row 6: column 'chosen' differs from 'rejected' before the response; 1 such row left out",
        "row 7: column 'chosen' is not a list of chat turns with a role and a content; "
        "1 such row left out",
    ]


@pytest.mark.parametrize(
    ("chosen", "rejected", "expected"),
    [
        ("Is it so? It is.", "Is it so? Hardly.", ("Is it so?", "It is.", "Hardly.")),
        ("The sky is blue.", "The sky is black.", ("The sky is", "blue.", "black.")),
        ("Why?\tSo.", "Why?\tNo.", ("Why?", "So.", "No.")),
        ("Why?\nSo.", "Why? No.", ("Why?", "So.", "No.")),
        ("Why? So it is", "Why? So it is not", ("Why? So it", "is", "is not")),
        ("It is.", "It is.", "is the same as 'rejected'"),
        ("It is.", "Hardly.", "has no prompt in common"),
        ("Itis", "Itwas", "has no prompt in common"),
        ("", "Hardly.", "'chosen' is empty"),
    ],
)
def test_the_prompt_of_texts_is_what_both_begin_with(chosen, rejected, expected):
    good = {"chosen": "One plus one? Two.", "rejected": "One plus one? Three."}
    other = {"chosen": "Two plus one? Three.", "rejected": "Two plus one? Two."}
    found = load(pd.DataFrame([good, other, {"chosen": chosen, "rejected": rejected}]))
    if isinstance(expected, str):
        assert len(found.items) == 2
        assert any("row 3" in n and expected in n for n in found.notes)
    else:
        item = found.items[2]
        assert (item.text, item.target, item.rejected) == expected


def test_what_is_read_beside_the_prompt_of_a_preference():
    found = load(
        rows(
            4,
            instruction=words("ask"),
            input=words("beside"),
            chosen=words("good"),
            rejected=words("bad"),
        )
    )
    assert found.items[0].text.split("\n\n") == [
        "ask number 0 has some words",
        "beside number 0 has some words",
    ]
    assert found.columns["prompt"] == ("instruction", "input")


# -- classify --------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["label", "Labels", "category", "intent", "sentiment", "y"])
def test_text_and_a_named_label(label):
    found = load(rows(text=words(), domain=lambda i: f"d{i % 2}", **{label: yes_no}))
    assert found.task is Task.CLASSIFY
    assert found.columns == {"text": "text", "label": label}
    assert found.labels == ("no", "yes")


def test_text_and_a_label_found_by_its_values():
    found = load(rows(key=lambda i: f"K-{i}", complaint=words(), handled=lambda i: bool(i % 2)))
    assert found.columns == {"text": "complaint", "label": "handled"}
    assert found.labels == ("false", "true")


@pytest.mark.parametrize(
    ("one", "two", "label"),
    [
        ("premise", "hypothesis", "label"),
        ("sentence1", "sentence2", "label"),
        ("first", "second", "goes"),
        ("jacket", "trousers", "together"),
    ],
)
def test_two_texts_and_a_label(one, two, label):
    found = load(rows(**{one: words("one"), two: words("two"), label: yes_no}))
    assert found.columns == {"text": (one, two), "label": label}
    assert found.items[0].texts == ("one number 0 has some words", "two number 0 has some words")


def test_two_texts_that_repeat():
    frame = rows(200, first=lambda i: f"hat {i % 9}", second=lambda i: f"bag {i % 11}", goes=yes_no)
    assert load(frame).columns == {"text": ("first", "second"), "label": "goes"}


def test_annotator_columns_by_name():
    votes = [["a", "b", "b"], ["b", "a", None], ["a", "a", "b"], [None, None, None]]
    frame = rows(
        24,
        text=words(),
        annotator_1=lambda i: votes[i % 4][0],
        annotator_2=lambda i: votes[i % 4][1],
        annotator_3=lambda i: votes[i % 4][2],
    )
    found = load(frame)
    assert [i.target for i in found.items[:4]] == ["b", "b", "a", ""]
    assert found.items[0].annotations == ("a", "b", "b")
    assert found.items[3].label_missing
    assert found.columns["annotator"] == ("annotator_1", "annotator_2", "annotator_3")


def test_annotators_beside_a_label():
    frame = rows(24, text=words(), label=yes_no, label_a=yes_no, label_b=lambda i: "yes")
    found = load(frame)
    assert found.columns["label"] == "label"
    assert found.items[0].annotations == ("no", "yes")


def test_annotators_by_their_common_values():
    frame = rows(30, text=words(), anna=yes_no, otto=lambda i: yes_no(i if i % 7 else i + 1))
    found = load(frame)
    assert found.columns["annotator"] == ("anna", "otto")
    assert any("--label-column" in n for n in found.notes)
    chosen = load(frame, label_column="anna")
    assert chosen.columns == {"text": "text", "label": "anna"}


def test_annotators_by_flag():
    frame = rows(30, text=words(), p=lambda i: i % 2, q=lambda i: i % 3)
    found = load(frame, label_column="p,q")
    assert found.columns["annotator"] == ("p", "q")
    assert found.items[5].annotations == ("1", "2")
    assert found.items[5].target == "1"


def test_a_label_and_its_name_are_one_label():
    frame = rows(text=words(), label=lambda i: i % 3, label_text=lambda i: "abc"[i % 3])
    assert load(frame).labels == ("a", "b", "c")


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1, 2, 3], ("1", "2", "3")),
        ([1.0, 2.0, 3.0], ("1", "2", "3")),
        (["1.0", "2", "3"], ("1", "2", "3")),
        (["007", "008", "009"], ("007", "008", "009")),
        ([True, False, True], ("false", "true")),
        (["True", "FALSE", "True"], ("false", "true")),
        ([0.5, 1.5, 2.5], ("0.5", "1.5", "2.5")),
    ],
)
def test_labels_as_text(tmp_path, values, labels):
    frame = rows(12, text=words(), label=lambda i: values[i % 3])
    assert load(frame).labels == labels
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    assert load(tmp_path / "a.jsonl").labels == labels
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert load(tmp_path / "a.csv").labels == labels


def test_closed_answers_are_labels():
    frame = rows(40, question=words(), answer=yes_no)
    found = load(frame)
    assert found.task is Task.CLASSIFY
    assert any("--task generate" in n for n in found.notes)
    assert load(frame, task="generate").task is Task.GENERATE


def test_split_column():
    names = ["train", "val", "test", "oos_test"]
    frame = rows(40, text=words(), label=yes_no, split=lambda i: names[i % 4])
    found = load(frame)
    assert [i.split for i in found.items[:4]] == ["train", "train", "test", "test"]
    assert found.columns["split"] == "split"


def test_a_column_whose_name_is_a_page_is_named_in_short():
    frame = pd.DataFrame({"[" * 5000: [1, 2, 3] * 20, "b": [3, 2, 1] * 20})
    with pytest.raises(AuditError) as refused:
        load(frame)
    assert "no column of text" in refused.value.message
    assert len(refused.value.message) < 300


def test_a_split_column_with_a_list_in_it_names_no_split(tmp_path):
    made = [
        {
            "text": f"text number {i}",
            "label": "ab"[i % 2],
            "split": ["train"] if i == 7 else "train",
        }
        for i in range(40)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in made))
    found = load(path)
    assert "split" not in found.columns
    assert {i.split for i in found.items} == {None}


def test_a_test_side_without_labels_is_no_test():
    frame = rows(
        30,
        text=words(),
        label=lambda i: None if i % 3 == 2 else "ab"[i % 2],
        split=lambda i: ["train", "validation", "test"][i % 3],
    )
    found = load(frame)
    assert [i.split for i in found.items[:2]] == ["train", "test"]


# -- corpus ----------------------------------------------------------------------------------


def test_text_alone_is_a_corpus():
    found = load(rows(text=words(), id=str))
    assert found.task is Task.CORPUS
    assert found.columns == {"text": "text"}
    titled = rows(30, title=lambda i: f"title of {i}", text=words(), url=lambda i: f"http://x/{i}")
    assert load(titled).columns == {"text": "text"}


def test_task_corpus_on_labelled_text():
    assert load(rows(text=words(), label=yes_no), task="corpus").task is Task.CORPUS


# -- flags -----------------------------------------------------------------------------------


def test_flags_win():
    frame = rows(
        40, text=words(), label=yes_no, other=lambda i: f"c{i % 4}", ask=words("q"), tell=words("a")
    )
    assert load(frame, label_column="other").columns == {"text": "text", "label": "other"}
    assert load(frame, text_column="ask").columns == {"text": "ask", "label": "label"}
    assert load(frame, text_column="ask,tell").columns["text"] == ("ask", "tell")
    found = load(frame, prompt_column="ask", response_column="tell")
    assert found.columns == {"prompt": "ask", "response": "tell"}


def test_half_a_flag_finds_its_partner():
    frame = rows(query_text=words("q"), reply=words("a"), size=lambda i: i)
    assert load(frame, prompt_column="query_text").columns["response"] == "reply"
    assert load(frame, response_column="reply").columns["prompt"] == "query_text"
    talk = lambda i: [{"role": "user", "content": f"{i}?"}, {"role": "assistant", "content": "!"}]  # noqa: E731
    assert load(rows(talk=talk), prompt_column="talk").columns == {"messages": "talk"}


TWO = {
    "two labels": rows(40, text=words(), colour=yes_no, size=lambda i: f"s{i % 4}"),
    "two named labels": rows(40, text=words(), topic=yes_no, sentiment=lambda i: f"s{i % 4}"),
    "pair and label": rows(
        40, prompt=words("p"), completion=words("c"), text=words(), label=yes_no
    ),
    "two responses": rows(prompt=words("p"), completion=words("c"), response=words("r")),
    "two texts": rows(criteria=words("c"), workout=words("w")),
    "two running texts": rows(one=words("c"), two=words("w"), three=words("x")),
}


@pytest.mark.parametrize("case", TWO)
def test_two_readings_are_listed_with_their_flags(case):
    with pytest.raises(AuditError, match="readings fit") as raised:
        load(TWO[case])
    assert "(1)" in raised.value.message
    assert "(2)" in raised.value.message
    assert "--" in raised.value.hint


def test_the_flags_in_the_hint_settle_it():
    frame = TWO["pair and label"]
    assert load(frame, text_column="text", label_column="label").task is Task.CLASSIFY
    found = load(frame, prompt_column="prompt", response_column="completion")
    assert found.task is Task.GENERATE
    assert load(frame, task="generate").task is Task.GENERATE
    assert load(frame, task="classify").task is Task.CLASSIFY
    chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    both = rows(
        prompt=words("p"),
        completion=words("c"),
        messages=lambda i: [*chat[:1], *chat[1:] * (i + 1)],
    )
    with pytest.raises(AuditError, match="readings fit"):
        load(both)
    assert load(both, prompt_column="prompt", response_column="completion").columns["prompt"]


def test_a_label_beside_prompt_and_response_is_metadata():
    frame = rows(40, instruction=words("p"), response=words("c"), category=yes_no)
    found = load(frame)
    assert found.task is Task.GENERATE
    assert any("--task classify" in n for n in found.notes)
    assert load(frame, task="classify").columns["label"] == "category"


def test_a_column_is_not_both_sides(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "".join(f"text {i},{'xy'[i % 2]}\n" for i in range(30)))
    with pytest.raises(AuditError, match="'b' is what is asked and what is to be answered") as told:
        load(path, text_column="b", label_column="b")
    assert "--label-column" in told.value.hint
    with pytest.raises(AuditError, match="'a' is what is asked") as told:
        load(path, prompt_column="a", response_column="a")
    assert "--response-column" in told.value.hint
