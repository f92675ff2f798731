"""Defects that the text of a row shows by itself: empty, refusal, prompt copied, boilerplate."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from dataedge.measure.responses.check import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLACEHOLDER = re.compile(
    r"[\W_]*(?:n/?a|nan|null|nil|todo|tbd|tba|fixme|xxx+|lorem ipsum.*|(?:no|empty) (?:response|"
    r"answer|output)|<\|?(?:empty|eos|endoftext|pad)\|?>)?[\W_]*",
    re.IGNORECASE | re.DOTALL,
)

_DUTY = (
    r"(?:\w+ ){0,4}?(?:assist|help|answer|provide|comply|fulfil+|generate|create|produce|respond|"
    r"reply|discuss|share|offer|engage|write|give|continue|access|browse|do (?:that|this)|"
    r"complete|support|recommend|advise|participate|satisfy)\b"
)
_UNABLE = (
    r"(?:can't|cannot|can not|could not|couldn't|won't|will not|am unable to|'m unable to|"
    r"am not able to|'m not able to|won't be able to|will not be able to|must decline to|"
    r"have to decline to|am not (?:allowed|permitted) to|'m not (?:allowed|permitted) to|"
    r"am not (?:going|comfortable) (?:to )?|'m not (?:going|comfortable) (?:to )?)"
)
_REFUSALS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^\W*(?:(?:i'm|i am|we're|we are)? ?(?:\w+ )?sorry|i apologi[sz]e|my apologies|"
        rf"unfortunately|regrettably|no|thank you)?\b[^.!?\n]{{0,60}}?\b(?:i|we) ?{_UNABLE} ?{_DUTY}",
        rf"^[^\n]{{0,200}}[.!?] (?:i|we) ?{_UNABLE} ?{_DUTY}",
        r"^[^\n]{0,120}?\bas an? (?:\w+ )?(?:ai|artificial intelligence|language model|chatbot)\b",
        r"^\W*i(?:'m| am) (?:just |only |merely )?an? (?:\w+ )?(?:ai|language model|chatbot)\b",
        r"^\W*i(?:'m sorry| am sorry| apologi[sz]e)?\W{0,3}(?:but )?(?:i )?(?:don't|do not) have "
        r"(?:the ability|access|enough information|sufficient information|the capability)",
        r"^[^\n]{0,120}?\b(?:against|violates?) (?:my|our|the) (?:\w+ )?"
        r"(?:guidelines|programming|polic(?:y|ies)|principles)",
        r"^\W*i(?: must|'d| would)? (?:respectfully )?(?:decline|refuse|rather not|prefer not)\b",
        r"^[^.!?\n]{0,60}\b(?:lo siento|désolé|desolee|es tut mir leid|mi dispiace|sinto muito)\b"
        r"[^.!?\n]{0,60}\b(?:no puedo|ne peux pas|kann[^.!?\n]{0,40} nicht|non posso|não posso)\b",
        r"^(?:对不起|抱歉|很抱歉|申し訳|죄송)",
    )
)

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_SEGMENT = re.compile(r"[\n.!?;:。！？]+")
_SHINGLE = 5
_SHORT_PROMPT = 8  # words; a shorter prompt must be repeated as it stands


def check_empty(responses: Sequence[str]) -> Check:
    """Nothing there: no letter or digit, or a placeholder such as n/a, null, TODO."""
    found = [
        Finding(i, "empty", "empty" if not r.strip() else "nothing but a placeholder", 1.0)
        for i, r in enumerate(responses)
        if _PLACEHOLDER.fullmatch(r)
    ]
    return Check("empty", found, len(responses))


def check_refusal(responses: Sequence[str]) -> Check:
    """The response opens by declining to answer, in the first person or as a language model."""
    found = []
    for i, response in enumerate(responses):
        head = " ".join(response[:400].replace("’", "'").split(" "))
        if any(p.search(head) for p in _REFUSALS):
            score = 1.0 if len(response) <= 400 else 0.7
            found.append(Finding(i, "refusal", "declines to answer instead of answering", score))
    return Check("refusal", found, len(responses))


def check_copied(prompts: Sequence[str], responses: Sequence[str]) -> Check:
    """At least 60 % of the prompt's five-word sequences stand in the response again.

    A prompt of four to seven words counts when the response repeats it as it stands; a shorter
    one is not judged.
    """
    found, judged = [], 0
    for i, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        words = _words(prompt)
        if len(words) < 4:
            continue
        judged += 1
        again = _words(response)
        if len(words) < _SHORT_PROMPT:
            share = float(f" {' '.join(words)} " in f" {' '.join(again)} ")
        else:
            wanted = _shingles(words)
            share = len(wanted & _shingles(again)) / len(wanted)
        if share >= 0.6:
            found.append(
                Finding(
                    i, "copied", f"{share:.0%} of the prompt stands in the response again", share
                )
            )
    return Check("copied", found, judged)


def check_boilerplate(responses: Sequence[str]) -> Check:
    """A sentence of four words or more that at least 1 % of the rows (and five) share.

    Digits count as equal, so that a template with a number in it is one sentence.
    """
    segments = [_segments(r) for r in responses]
    rows = Counter(s for mine in segments for s in mine)
    least = max(5, math.ceil(0.01 * len(responses)))
    found = []
    for i, mine in enumerate(segments):
        shared = [s for s in mine if rows[s] >= least]
        if not shared:
            continue
        most = max(rows[s] for s in shared)
        part = sum(len(s) for s in shared) / sum(len(s) for s in mine)
        reason = f"{len(shared)} of its sentences shared word for word with up to {most} rows"
        found.append(Finding(i, "boilerplate", reason, round(part, 3)))
    return Check("boilerplate", found, len(responses))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("’", "'"))


def _shingles(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + _SHINGLE]) for i in range(len(words) - _SHINGLE + 1)}


def _segments(response: str) -> set[str]:
    """Sentences with at least four words that have letters, in one normal form."""
    out = set()
    for part in _SEGMENT.split(re.sub(r"\d+", "0", response)):
        words = _words(part)
        if sum(w.isalpha() and len(w) > 1 for w in words) >= 4:
            out.add(" ".join(words))
    return out
