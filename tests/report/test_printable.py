"""Text from data steers no terminal, and nothing of it is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dataedge.report.printable import JOINERS, all_printable, printable, shortened


@given(st.text())
def test_what_is_printed_steers_nothing(text: str) -> None:
    assert all(c.isprintable() or c in JOINERS for c in printable(text))


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"])))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@given(st.text(), st.integers(1, 40))
def test_shortened_text_fits(text: str, width: int) -> None:
    line = shortened(text, width)
    assert len(line) <= width + 1
    assert "\n" not in line
    assert (len(line) <= width) or line.endswith("…")


def test_scripts_that_join_their_letters_keep_their_joiners() -> None:
    assert printable("می\u200cخواهم 👩\u200d💻\x07") == "می\u200cخواهم 👩\u200d💻\\x07"


def test_everything_inside_of_lists_and_keys_is_made_printable() -> None:
    assert all_printable({"a\x1b": [1, None, {"b": "\u202e"}]}) == {
        "a\\x1b": [1, None, {"b": "\\u202e"}]
    }
