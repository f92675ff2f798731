"""What a server returns, read with suspicion; and labels found along its likeliest tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dataedge.models.endpoint import label_scores, parsing
from dataedge.models.endpoint.journal import FILE, Journal
from dataedge.models.endpoint.parsing import Piece, UnreadableError

if TYPE_CHECKING:
    from pathlib import Path


def echo(tokens: list[str], values: list[Any]) -> dict[str, Any]:
    return {"logprobs": {"tokens": tokens, "token_logprobs": values}}


def test_start_token_and_generated_token_are_left_off() -> None:
    choice = echo(["<s>", "My", " card", " is"], [None, -1.0, -2.0, -0.5])
    pieces = parsing.from_echo(choice, "My card")
    assert pieces == [Piece("My", -1.0), Piece(" card", -2.0)]
    scored = parsing.continuation(pieces, "My")
    assert scored.logprobs.tolist() == [-2.0]
    assert scored.prompt_tokens == 1


def test_parts_of_a_character_become_one_token() -> None:
    choice = echo(["Gr", "\ufffd", "\ufffd", "n", " x"], [None, -1.0, -2.0, -0.5, -3.0])
    pieces = parsing.from_echo(choice, "Grün x")
    assert pieces[1] == Piece("ü", -3.0)
    assert sum(p.logprob or 0.0 for p in pieces) == -6.5
    ended = echo(["so ", "bytes:\\xe2\\x82", "bytes:\\xac", " and"], [None, -1.0, -2.0, -9.0])
    assert parsing.from_echo(ended, "so €")[-1] == Piece("€", -3.0)


@pytest.mark.parametrize(
    ("tokens", "values", "said"),
    [
        (["My", " car"], [None, -1.0], "not the text"),
        (["My", " cart"], [None, -1.0], "not the text"),
        (["My", " card"], [-1.0], "1 log-probabilities for 2 tokens"),
    ],
)
def test_other_text_or_other_lengths_are_refused(
    tokens: list[str], values: list[Any], said: str
) -> None:
    with pytest.raises(UnreadableError, match=said):
        parsing.from_echo(echo(tokens, values), "My card")


@pytest.mark.parametrize("value", [None, float("nan"), float("-inf"), 0.5, "one"])
def test_values_that_no_model_gives_are_refused(value: Any) -> None:
    pieces = parsing.from_echo(echo(["My", " card"], [None, value]), "My card")
    with pytest.raises(UnreadableError):
        parsing.continuation(pieces, "My")


def test_a_token_over_the_border_is_refused() -> None:
    pieces = parsing.from_echo(echo(["My c", "ard"], [None, -1.0]), "My card")
    with pytest.raises(UnreadableError, match="prompt's end"):
        parsing.continuation(pieces, "My")


def test_prompt_logprobs_name_the_token_of_the_prompt_alone() -> None:
    rows = [None, {"7": {"logprob": -1.5, "decoded_token": " card"}}]
    pieces = parsing.from_prompt_logprobs({"prompt_logprobs": rows}, "My card")
    assert pieces == [Piece("My", None), Piece(" card", -1.5)]
    rows[1] = {"7": {"logprob": -1.5}, "8": {"logprob": -1.0}}
    with pytest.raises(UnreadableError, match="which token"):
        parsing.from_prompt_logprobs({"prompt_logprobs": rows}, "My card")


def table(tree: dict[str, list[tuple[str, float]]]) -> Any:
    """Likeliest tokens by beginning, one position per question."""
    return lambda beginning: [[Piece(t, float(np.log(p))) for t, p in tree[beginning]]]


def test_labels_that_begin_alike_are_told_apart_by_asking_further() -> None:
    tree = {
        "": [(" card", 0.6), (" fee", 0.3), (" x", 0.05)],
        " card": [(" arrival", 0.7), (" payment", 0.2)],
    }
    found = np.exp(label_scores.score([" card arrival", " card payment", " fee"], table(tree)))
    assert found == pytest.approx([0.42, 0.12, 0.3])


def test_a_label_that_is_not_listed_stays_behind_all_that_are() -> None:
    tree = {"": [(" yes", 0.6), (" no", 0.3), (" x", 0.05)]}
    scores = label_scores.score([" yes", " no", " never"], table(tree))
    assert scores[2] < np.log(0.05)
    assert scores.argmax() == 0


def test_spellings_of_one_label_add_up() -> None:
    tree = {"": [(" yes", 0.3), (" y", 0.2)]}
    assert np.exp(label_scores.score([" yes", " no"], table(tree))[0]) == pytest.approx(0.5)
    loose = {"": [("Yes", 0.3), (" yes", 0.2), ("No", 0.1)]}
    assert np.exp(label_scores.score([" yes", " no"], table(loose), loose=True)) == pytest.approx(
        [0.5, 0.1]
    )


def test_nothing_told_is_no_preference() -> None:
    assert label_scores.score([" yes", " no"], lambda _: []).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("text", "index"),
    [
        (" card arrival\n\nCustomer:", 0),
        ("It is a card arrival question", 0),
        ("Card.", 1),
        ("a fee or card arrival", None),
        ("", None),
        ("I cannot say", None),
    ],
)
def test_a_written_answer_names_a_label_or_none(text: str, index: int | None) -> None:
    assert label_scores.said([" card_arrival", " card", " fee"], text) == index


def test_a_journal_survives_a_line_cut_short_and_reads_one_model_only(tmp_path: Path) -> None:
    Journal(tmp_path, "a").write("q1", {"text": "x"})
    Journal(tmp_path, "b").write("q2", {"text": "y"})
    with (tmp_path / FILE).open("a") as file:
        file.write('{"model": "a", "asked": "q3", "answ')
    assert Journal(tmp_path, "a").read() == {"q1": {"text": "x"}}
    Journal(tmp_path, "a").clear()
    assert Journal(tmp_path, "a").read() == {}
    nowhere = Journal(None, "a")
    nowhere.write("q", {})
    assert nowhere.read() == {}
