"""Responses that stop before their end, judged against how the dataset's responses end."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataedge.measure.responses.check import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

_CLOSED = frozenset(".!?…。！？؟।")
_CLOSERS = "\"'”’»)]}>*_`~"
_OPEN = frozenset(",;:-–—([{</\\=+&|$#@،、，")
_DANGLING = frozenset(
    re.findall(
        r"\w+",
        "a an the and or but nor of to in on at by for from with into than that which who whose "
        "because if when while as is are was were be been has have had will would can could should "
        "may might must not very its his her their our your my this these those",
    )
)
_ITEM = re.compile(r"\s*(?:[-*•·+|>#]|\d+[.)]|[a-zA-Z][.)]|\w[\w ]{0,30}:)\s*\S")
_CODE = re.compile(r"^(?: {4}|\t)|[;{}]\s*$|^\s*(?:return|import|from|def|class|if|for|while)\b")
_HABIT = 0.8  # share of the rows from which on a way to end is the dataset's habit
_RARE = 0.1  # share of the rows up to which a way to end is an exception
_MIN_WORDS = 5


@dataclass(frozen=True)
class _End:
    """How one response ends."""

    stop: bool  # a full stop, question mark … possibly inside a closing quote or bracket
    dangling: bool  # a comma, an operator, an open bracket, or a word that cannot end a sentence
    unclosed: bool  # a code fence or bracket opened and not closed
    plain: bool  # prose of five words or more, not a list item, table, heading or code
    marker: str  # what the last of several lines begins with, where it is a mark such as ####


def check_truncated(responses: Sequence[str]) -> Check:
    """Find responses that break off, by three signs, each only where it is the exception.

    A closing line that at least 80 % of the rows have and this one lacks; an end that no sentence
    has (a comma, an operator, "the", an open bracket or code fence) where at most 10 % end so;
    prose that ends in a word where at least 80 % of the prose ends in a full stop.
    """
    ends = {i: _end(r) for i, r in enumerate(responses) if r.strip()}
    if not ends:
        return Check("truncated", n=0, skipped="every response is empty")
    n = len(ends)
    markers = Counter(e.marker for e in ends.values() if e.marker).most_common(1)
    marker, with_marker = markers[0] if markers else ("", 0)
    closes = with_marker / n
    prose = [e for e in ends.values() if e.plain]
    stops = sum(e.stop for e in prose) / len(prose) if prose else 0.0
    dangles = sum(e.dangling for e in ends.values()) / n
    unclosed = sum(e.unclosed for e in ends.values()) / n
    found = []
    for i, e in ends.items():
        if closes >= _HABIT and e.marker == marker:
            continue
        if closes >= _HABIT and not e.stop:
            reason, score = (
                f"lacks the closing line that {closes:.0%} of the responses have",
                closes,
            )
        elif e.dangling and dangles <= _RARE:
            reason, score = "ends in the middle of a sentence", 1.0 - dangles
        elif e.unclosed and unclosed <= _RARE and not e.stop:
            reason, score = "a bracket or code block is never closed", 1.0 - unclosed
        elif e.plain and not e.stop and stops >= _HABIT:
            reason = f"ends in a word where {stops:.0%} of the prose ends in a full stop"
            score = stops
        else:
            continue
        found.append(Finding(i, "truncated", reason, round(score, 3)))
    return Check("truncated", found, n)


def _end(response: str) -> _End:
    text = response.rstrip()
    lines = text.splitlines()
    last = lines[-1].strip()
    bare = text.rstrip(_CLOSERS + " ")
    words = last.split()
    fences = text.count("```")
    stop = bool(bare) and bare[-1] in _CLOSED
    final = re.sub(r"\W+$", "", words[-1]).lower() if words else ""
    symbol = not stop and text[-1] in _OPEN and not last.startswith("|")
    code = fences > 0 or bool(_CODE.search(lines[-1]))
    item = bool(_ITEM.match(lines[-1])) and len(words) <= 12
    prose = len(text.split()) >= _MIN_WORDS and not code and not item
    head = words[0] if len(lines) > 1 and words else ""
    return _End(
        stop=stop,
        dangling=symbol or (not stop and prose and final in _DANGLING),
        unclosed=fences % 2 == 1 or _count(text, "([{") > _count(text, ")]}"),
        plain=prose,
        marker=head if not re.search(r"\w", head) else "",
    )


def _count(text: str, brackets: str) -> int:
    """Brackets of any kind together, since [0, 1) closes what it opens."""
    return sum(text.count(b) for b in brackets)
