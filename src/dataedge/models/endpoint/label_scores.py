"""Labels scored from what a server tells of the next token, or from what it wrote.

Without the log-probabilities of given text a label's probability is still the product of its
tokens' probabilities, each of which stands among the likeliest next tokens if the label has a
chance at all. One answer shows the likeliest tokens along what the model would write; where labels
begin alike, the same is asked once more behind their common beginning.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from dataedge.models.endpoint.parsing import Piece

FURTHER = 6
"""Beginnings that are asked about once more, per prompt."""
WORTH = math.log(0.02)
"""Beginnings less likely than this are not asked about."""
UNLISTED = 1.0
"""Nats by which a label that is nowhere listed stands behind the least likely token that is."""
WRITTEN = 4.0
"""Nats by which the label that was written stands before the others, where nothing is told."""


class _Open(NamedTuple):
    """A beginning that several labels share, and its log-probability."""

    beginning: str
    logprob: float


def score(
    choices: Sequence[str], ask: Callable[[str], list[list[Piece]]], *, loose: bool = False
) -> NDArray[np.float64]:
    """Log-probability of each choice (nats), as far as the likeliest next tokens tell: shape (K,).

    A choice is followed until no other begins alike, or to its end. One that is not listed where
    it parts from the others gets less than the least likely token listed there: an upper bound of
    what it may have, and too low to be chosen.

    Args:
        choices: how each label continues the prompt, with its leading space.
        ask: the likeliest tokens per position of what the model writes behind the prompt and a
            beginning; an empty list where it tells nothing.
        loose: leading spaces and capitals do not matter (answers of a chat).
    """
    wanted = [_plain(c) if loose else c for c in choices]
    found = np.full(len(choices), -np.inf)
    floor = np.full(len(choices), -np.inf)
    waiting = [_Open("", 0.0)]
    for _ in range(1 + FURTHER):
        if not waiting:
            break
        best = max(range(len(waiting)), key=lambda i: waiting[i].logprob)
        if waiting[best].logprob < WORTH:
            break
        beginning, logprob = waiting.pop(best)
        positions = ask(beginning)
        while positions:
            row, positions = positions[0], positions[1:]
            opened = _spread(wanted, beginning, logprob, row, found, floor, loose=loose)
            own = _plain(row[0].text) if loose and not beginning else row[0].text
            follow = next((o for o in opened if o.beginning == beginning + own), None)
            waiting += [o for o in opened if o is not follow or not positions]
            if follow is None:
                break
            beginning, logprob = follow
    for beginning, logprob in waiting:  # not asked any more: shared among those who begin so
        alike = [k for k, c in enumerate(wanted) if c.startswith(beginning)]
        floor[alike] = np.maximum(floor[alike], logprob - math.log(len(alike)) - UNLISTED)
    known = np.isfinite(found)
    low = floor[np.isfinite(floor)]
    missing = float(low.min()) if len(low) else 0.0
    return np.where(known, found, np.where(np.isfinite(floor), floor, missing))


def _spread(
    wanted: Sequence[str],
    beginning: str,
    logprob: float,
    row: Sequence[Piece],
    found: NDArray[np.float64],
    floor: NDArray[np.float64],
    *,
    loose: bool,
) -> list[_Open]:
    """Hand a position's listed tokens to the choices that they lead to.

    Returns:
        Beginnings that more than one choice still shares.
    """
    here = [k for k, choice in enumerate(wanted) if choice.startswith(beginning)]
    opened: dict[str, float] = {}
    listed = set()
    for piece in row:
        text = _plain(piece.text) if loose and not beginning else piece.text
        text = text.casefold() if loose else text
        path, value = beginning + text, logprob + (piece.logprob or 0.0)
        if not text:
            continue
        led = [k for k in here if wanted[k].startswith(path)]
        listed.update(led)
        for k in led:
            if len(led) == 1 or wanted[k] == path:
                found[k] = np.logaddexp(found[k], value)
        if len(led) > 1:
            opened[path] = float(np.logaddexp(opened.get(path, -np.inf), value))
    least = min((p.logprob for p in row if p.logprob is not None), default=0.0)
    bound = logprob + least - UNLISTED
    for k in here:
        if k not in listed:
            floor[k] = max(floor[k], bound)
    return [_Open(path, value) for path, value in opened.items()]


def _plain(text: str) -> str:
    return text.strip().casefold()


def said(choices: Sequence[str], text: str) -> int | None:
    """Which choice an answer names, by its first line; None where it names none, or several.

    Example:
        >>> said([" card arrival", " card"], "Card arrival.")
        0
        >>> said([" yes", " no"], "I do not know") is None
        True
    """
    plain = [_words(c) for c in choices]
    lines = text.strip().splitlines()
    answer = _words(lines[0]) if lines else ""
    if answer in plain:
        return plain.index(answer)
    starts = [k for k, c in enumerate(plain) if c and f"{answer} ".startswith(f"{c} ")]
    holds = [k for k, c in enumerate(plain) if c and f" {c} " in f" {answer} "]
    for named in (starts, holds):
        longest = max((len(plain[k]) for k in named), default=0)
        best = [k for k in named if len(plain[k]) == longest]
        others = [k for k in named if k not in best and plain[k] not in plain[best[0]]]
        if len(best) == 1 and not others:
            return best[0]
    return None


def written(choices: Sequence[str], text: str) -> NDArray[np.float64]:
    """Scores where only the answer itself is known: shape (K,), even where it names no choice."""
    scores = np.zeros(len(choices))
    index = said(choices, text)
    if index is not None:
        scores[index] = WRITTEN
    return scores


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.replace("_", " ").casefold()))
