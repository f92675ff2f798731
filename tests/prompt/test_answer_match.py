from __future__ import annotations

import pytest

from dataedge.prompt.answer_match import (
    are_short,
    is_number,
    last_number,
    normalise,
    normalised_match,
)


@pytest.mark.parametrize(
    ("said", "true"),
    [
        ("Paris", "paris."),
        ("  The  Eiffel tower!", "Eiffel Tower"),
        ("“Hamlet”", "Hamlet"),
        ("42", "42.0"),
        ("the answer is $1,234,567.", "1234567"),
        ("12 %", "12%"),
        ("It is -3", "−3"),
        ("so 6 * 7 = 42\n#### 42", "She has 6 bags of 7.\n#### 42"),
        ("#### 1,000", "#### 1000"),
        ("1e3", "1000"),
        ("0.1", "0.1000000000001"),
        ("!", "!"),
    ],
)
def test_the_same_answer(said: str, true: str) -> None:
    assert normalised_match(said, true)


@pytest.mark.parametrize(
    ("said", "true"),
    [
        ("", "Paris"),
        ("Paris, the capital of France", "Paris"),
        ("Athens", "a"),
        ("theatre", "atre"),
        ("43", "42"),
        ("-42", "42"),
        ("no number", "42"),
        ("1.5", "15"),
        ("42 or rather 43", "42"),
        ("0.10001", "0.1"),
        ("in 1969 he slept", "He walked there in 1969"),
        ("?", "!"),
        ("", "42"),
    ],
)
def test_another_answer(said: str, true: str) -> None:
    assert not normalised_match(said, true)


def test_numbers_as_people_write_them() -> None:
    assert last_number("covid-19") == 19
    assert last_number("3,5") == 5
    assert last_number("1,2345") == 2345
    assert last_number("between 10-12") == 12
    assert last_number("it was -.") is None
    assert last_number("5 left\n#### none") == 5
    assert is_number("1,234.5 %")
    assert not is_number("12 monkeys")


def test_articles_go_only_as_words() -> None:
    assert normalise("An apple a day, the theatre") == "apple day theatre"


def test_short_is_by_the_median() -> None:
    assert are_short(["one two"] * 3 + ["word " * 100] * 2)
    assert not are_short(["word " * 13] * 3)
