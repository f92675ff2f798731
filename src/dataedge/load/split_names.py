"""The split that a name speaks of: train, validation or test."""

from __future__ import annotations

import re

_WORDS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "development": "validation",
    "eval": "validation",
}
SPLIT_ORDER = ("train", "validation", "test")
"""Sides in the order in which their rows are counted."""
_BY_SPLIT = re.compile(rf"(?:.*[-_.])?({'|'.join(_WORDS)})(?:[-_.]\d+(?:[-_.]of[-_.]\d+)?)?")


def split_word(value: str) -> str | None:
    """The split that a name speaks of: train, validation, test, or None.

    Example:
        >>> split_word("oos_test"), split_word("Dev"), split_word("before 2023")
        ('test', 'validation', None)
    """
    words = {_WORDS[w] for w in re.split(r"[^a-z]+", value.lower()) if w in _WORDS}
    return words.pop() if len(words) == 1 else None


def file_split(stem: str) -> str | None:
    """The split that a file is named by; the word ends the name, save for a shard's number.

    Example:
        >>> file_split("train-00000-of-00002"), file_split("data_val"), file_split("test_answers")
        ('train', 'validation', None)
    """
    found = _BY_SPLIT.fullmatch(stem.lower())
    return _WORDS[found[1]] if found else None
