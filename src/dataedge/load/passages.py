"""Running text → passages, and a passage → its head and the rest."""

from __future__ import annotations

import re

TARGET = 600
"""Characters of a passage, roughly."""
SHORTEST = 80
"""A shorter passage is merged with its neighbour."""
LONGEST_ROW = 2000
"""A row of a text-only table is one passage up to this length."""
HEAD = 200
"""Characters of a passage's head, at most."""

_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+|(?<=[。！？])")


def passages(text: str) -> list[str]:
    r"""Cuts running text into passages of whole paragraphs.

    Paragraphs (separated by blank lines) are put together until a passage has about TARGET
    characters; a paragraph far longer than that is cut at sentence ends.

    Example:
        >>> [len(p) for p in passages("\n\n".join(["A sentence of words. " * 20] * 3))]
        [419, 419, 419]
    """
    pieces: list[tuple[str, str]] = []
    for paragraph in re.split(r"\n[ \t]*\n\s*", text.replace("\r\n", "\n").strip()):
        if not (paragraph := paragraph.strip()):
            continue
        gap = "\n\n"
        for piece in _cut(paragraph):
            pieces.append((gap, piece))
            gap = " "
    found: list[str] = []
    for gap, piece in pieces:
        full = found and len(found[-1]) + len(gap) + len(piece) > TARGET * 1.2
        if found and (not full or len(found[-1]) < SHORTEST):
            found[-1] += gap + piece
        else:
            found.append(piece)
    if len(found) > 1 and len(found[-1]) < SHORTEST:
        last = found.pop()
        found[-1] += "\n\n" + last
    return found


def row_passages(text: str) -> list[str]:
    """A row of a text-only table is a passage; a long row is cut like running text."""
    return [text] if len(text) <= LONGEST_ROW else passages(text)


def head_and_rest(passage: str) -> tuple[str, str]:
    """Splits a passage at a word boundary near a quarter of it; the two parts add up to it.

    Example:
        >>> head_and_rest("one two three four five six seven eight")
        ('one two', ' three four five six seven eight')
    """
    limit = max(1, min(HEAD, len(passage) // 4))
    before = passage.rfind(" ", 1, limit + 1)
    if before < 0:
        before = passage.find(" ", limit, HEAD + 1)
    cut = before if before > 0 else limit
    return passage[:cut], passage[cut:]


def _cut(paragraph: str) -> list[str]:
    """A paragraph as it is, or in pieces of whole sentences where it is long."""
    if len(paragraph) <= TARGET * 1.5:
        return [paragraph]
    pieces: list[str] = []
    for sentence in _sentences(paragraph):
        for part in _words(sentence):
            if pieces and len(pieces[-1]) + 1 + len(part) <= TARGET:
                pieces[-1] += " " + part
            else:
                pieces.append(part)
    return pieces


def _sentences(paragraph: str) -> list[str]:
    ends = [m.end() for m in _SENTENCE.finditer(paragraph)]
    starts = [0, *ends]
    return [
        s
        for a, b in zip(starts, [*ends, len(paragraph)], strict=True)
        if (s := paragraph[a:b].strip())
    ]


def _words(sentence: str) -> list[str]:
    """A sentence that is too long for a passage is cut at words, or anywhere if it has none."""
    parts = []
    while len(sentence) > 2 * TARGET:
        cut = sentence.rfind(" ", TARGET // 2, TARGET)
        cut = cut if cut > 0 else TARGET
        parts.append(sentence[:cut].rstrip())
        sentence = sentence[cut:].lstrip()
    return [*parts, sentence] if sentence else parts
