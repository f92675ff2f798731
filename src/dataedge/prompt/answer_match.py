"""Is what was said the answer? By words, or by the number it ends in.

Sources: normalisation as in SQuAD's official evaluation (Rajpurkar et al. 2016); `#### 42` as in
GSM8K (Cobbe et al. 2021).
"""

from __future__ import annotations

import re
import string
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORT_WORDS = 12
"""Responses of at most this many words, by the median, can be compared word for word."""
TOLERANCE = 1e-9
"""Two numbers are equal within this, relative to the larger one where that is above 1."""

_NUMBER = re.compile(
    r"(?<![\d.])(?:(?<!\w)[-−])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][+-]?\d+\b)?"
)
_MARKED = re.compile(r"####\s*(.*)")
_DROPPED = str.maketrans("", "", string.punctuation + "“”‘’«»„…–—¿¡。、，")
_SIGNS = " \t\n.$€£¥%°"


def normalise(text: str) -> str:
    """Lower case, without punctuation and articles, single spaces.

    Example:
        >>> normalise(" The  Eiffel-Tower, in an old town. ")
        'eiffeltower in old town'
    """
    bare = text.casefold().translate(_DROPPED)
    return " ".join(re.sub(r"\b(?:a|an|the)\b", " ", bare).split())


def last_number(text: str) -> float | None:
    r"""The number after the last `####`, else the last number of a text; None where there is none.

    Commas between groups of three digits are thousands separators; a hyphen inside a word or a
    range is no minus.

    Example:
        >>> last_number("2 + 2 = 4, so 1,234.50 in all."), last_number("from 3-5"), last_number("none")
        (1234.5, 5.0, None)
        >>> last_number("7 days\n#### -42")
        -42.0
    """
    marked = _MARKED.findall(text)
    found = _NUMBER.findall(marked[-1] if marked else text)
    if marked and not found:
        found = _NUMBER.findall(text)
    return float(found[-1].replace(",", "").replace("−", "-")) if found else None


def is_number(text: str) -> bool:
    r"""Whether an answer is a number: nothing else but signs, or marked with `####`.

    Example:
        >>> is_number("$1,200"), is_number("so 3\n#### 3"), is_number("in 1969")
        (True, True, False)
    """
    marked = _MARKED.findall(text)
    return _NUMBER.fullmatch((marked[-1] if marked else text).strip(_SIGNS)) is not None


def normalised_match(said: str, true: str) -> bool:
    """Whether the answers agree: the same words, or the same last number where `true` is a number.

    Args:
        said: what the model wrote, cut where its answer ends.
        true: the answer of the data. Where nothing is left of it (punctuation alone), the texts
            themselves are compared.

    Example:
        >>> normalised_match("the Eiffel Tower.", "Eiffel tower")
        True
        >>> normalised_match("That makes 1,200 dollars.", "#### 1200")
        True
        >>> normalised_match("He was born in 1969.", "Moon landing, 1969")
        False
    """
    wanted = normalise(true)
    if not wanted:
        return said.strip() == true.strip()
    if normalise(said) == wanted and not is_number(true):
        return True
    if not is_number(true):
        return False
    given, number = last_number(said), last_number(true)
    if given is None or number is None:
        return False
    return abs(given - number) <= TOLERANCE * max(1.0, abs(number))


def are_short(responses: Sequence[str]) -> bool:
    """Whether responses are short: by the median at most 12 words.

    Example:
        >>> are_short(["Paris", "the Seine", "word " * 40]), are_short([])
        (True, False)
    """
    return bool(responses) and median(len(r.split()) for r in responses) <= SHORT_WORDS
