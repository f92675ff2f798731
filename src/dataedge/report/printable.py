"""Text that comes from data, made fit for a terminal."""

from __future__ import annotations

from typing import Any

JOINERS = "\u200c\u200d"
"""Invisible, but part of how some scripts and emoji are written."""


def printable(text: str) -> str:
    r"""On one line, and without characters that steer a terminal or turn the writing round.

    Example:
        >>> printable("red\x1b[31m and\nso on\u202e!")
        'red\\x1b[31m and so on\\u202e!'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in JOINERS else " " if c.isspace() else ascii(c)[1:-1]
        for c in text
    )


def all_printable(value: Any) -> Any:
    r"""Every text in lists and dictionaries, keys included.

    Example:
        >>> all_printable({"a\tb": ["\x07", 1]})
        {'a b': ['\\x07', 1]}
    """
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {all_printable(k): all_printable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [all_printable(v) for v in value]
    return value


def shortened(text: str, width: int) -> str:
    r"""Printable text in single spaces, cut behind so many characters.

    Example:
        >>> shortened("a  long\nstory", 6), shortened("a tale", 6)
        ('a long…', 'a tale')
    """
    line = " ".join(printable(text[: 20 * width]).split())
    return line if len(line) <= width else f"{line[:width]}…"
