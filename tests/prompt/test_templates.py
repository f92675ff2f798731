from __future__ import annotations

from dataedge.items import Dataset, Item, Task
from dataedge.models.lazy import ModelAbilities
from dataedge.prompt.probe import Template
from dataedge.prompt.templates import Prompter, Strategy, humanise, label_names

FACTS = ModelAbilities(True, True, True, True, 512, (), chat_before="<user>", chat_after="</user>")
TEMPLATE = Template(
    name="t", instruction="Labels: {labels}.\n", question="{text}\n{label_name}:", answer=" {label}"
)


def dataset() -> Dataset:
    items = tuple(
        Item((f"text {i}",), ["card_arrival", "lostCard"][i % 2], i + 1) for i in range(20)
    )
    return Dataset("d", Task.CLASSIFY, items, 20, {"text": "text", "label": "intent"})


def test_prompt_has_instruction_demonstrations_and_question() -> None:
    data = dataset()
    prompter = Prompter(data, FACTS)
    strategy = Strategy(TEMPLATE, "humanised", "random", 1)
    prompt = prompter.prompt(strategy, ("where {is} it",), [data.items[1]])
    assert prompt == (
        "Labels: card arrival, lost card.\ntext 1\nIntent: lost card\n\nwhere {is} it\nIntent:"
    )
    assert prompter.choices(strategy) == (" card arrival", " lost card")
    chat = prompter.prompt(Strategy(TEMPLATE.model_copy(update={"chat": True})), ("q",))
    assert chat.startswith("<user>Labels")
    assert chat.endswith("Intent:</user>")


def test_two_texts_carry_their_column_names() -> None:
    items = (Item(("a wool hat", "jeans"), "yes", 1), Item(("b", "c"), "no", 2))
    data = Dataset("d", Task.CLASSIFY, items, 2, {"text": ("upper_half", "lower"), "label": "goes"})
    prompt = Prompter(data, FACTS).prompt(Strategy(TEMPLATE), items[0].texts)
    assert "Upper half: a wool hat\nLower: jeans\nGoes:" in prompt


def test_humanised_labels_stay_apart() -> None:
    assert label_names(["A_b", "a b"], "humanised") == ("A_b", "a b")
    assert humanise("") == ""


def test_of_several_labels_a_demonstration_has_a_line_each_and_yes_and_no_are_choices() -> None:
    items = (
        Item(("first",), "late; north", 1, labels=("late", "north")),
        Item(("second",), "(none)", 2),
    )
    data = Dataset("d", Task.MULTILABEL, items, 2, {"text": "text", "label": "tags"})
    prompter = Prompter(data, FACTS)
    strategy = Strategy(Template(name="t", question="{text}", answer="\n{label}: {yes_no}"))
    assert prompter.prompt(strategy, ("third",), items) == (
        "first\nlate: yes\nnorth: yes\n\nsecond\nlate: no\nnorth: no\n\nthird"
    )
    assert prompter.choices(strategy) == (
        "\nlate: no",
        "\nlate: yes",
        "\nnorth: no",
        "\nnorth: yes",
    )
