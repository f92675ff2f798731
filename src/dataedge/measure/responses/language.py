"""Responses in another language than their prompt, where that is not what the dataset is about."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dataedge.measure.responses.check import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_PROSE = re.compile(
    r"```.*?(?:```|\Z)|`[^`]*`|https?://\S+|\S+@\S+|<[^<>]{0,200}>|\w+(?:[._]\w+)+|[\d_\W]+",
    re.DOTALL,
)
_LATIN, _OTHER = 20, 6  # letters that a text must have, in Latin script or in another
_READ = 1000  # characters that are enough to tell a language
_SURE = 0.5  # probability that the named language must reach
_RULED_OUT = 0.02  # probability that the prompt's language may keep in the response
_HABIT = 0.1  # share of the rows from which on a pair of languages is the dataset's own


def check_language(prompts: Sequence[str], responses: Sequence[str]) -> Check:
    """Compare the languages of prompt and response; pairs that 10 % of the rows have are habit.

    Texts of fewer than 20 letters (6 in scripts without Latin letters) and code are not judged.
    """
    pairs: dict[int, tuple[str, str, float]] = {}
    for i, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        asked, answered = _prose(prompt), _prose(response)
        if not asked or not answered:
            continue
        here, sure = _identifier().classify(asked)
        if sure < _SURE:
            continue
        there, also = _identifier().classify(answered)
        other = there != here and also >= _SURE
        if other and dict(_identifier().rank(answered))[here] <= _RULED_OUT:
            pairs[i] = (here, there, float(also))
        else:
            pairs[i] = (here, here, 1.0)
    counts = Counter((a, b) for a, b, _ in pairs.values())
    found = [
        Finding(i, "language", f"the prompt reads as {a}, the response as {b}", round(sure, 3))
        for i, (a, b, sure) in pairs.items()
        if a != b and counts[a, b] < max(2.0, _HABIT * len(pairs))
    ]
    skipped = "" if pairs else "no row has enough text to tell its language"
    return Check("language", found, len(pairs), skipped)


def _prose(text: str) -> str:
    """The words of a text without code, addresses and numbers; empty where there is too little."""
    prose = _NOT_PROSE.sub(" ", text[: 4 * _READ])[:_READ].strip()
    letters = len(prose) - prose.count(" ")
    if prose.isascii():
        return prose if letters >= _LATIN else ""
    latin = sum(c <= "ɏ" for c in prose) - prose.count(" ")
    return prose if latin >= _LATIN or letters - latin >= _OTHER else ""


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """py3langid: offline, 4.6 MB, calibrated probabilities over 130-odd languages."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
