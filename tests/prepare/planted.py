"""Texts with planted near twins."""

from __future__ import annotations

import random

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def sentences(n: int, rng: random.Random) -> list[str]:
    """Distinct texts of 5 to 25 made-up words."""
    words = ["".join(rng.choices(ALPHABET, k=rng.randint(2, 9))) for _ in range(3000)]
    return [" ".join(rng.choices(words, k=rng.randint(5, 25))) for _ in range(n)]


def slip(text: str, rng: random.Random) -> str:
    """The text with one slip: case, punctuation, a wrong letter or two words that changed places."""
    kind = rng.randrange(4)
    if kind == 0:
        return text.capitalize() if rng.random() < 0.5 else text.upper()
    if kind == 1:
        return text.replace(" ", ", ", 1) + rng.choice("?!.")
    if kind == 2:
        at = rng.randrange(len(text))
        return text[:at] + rng.choice(ALPHABET) + text[at + 1 :]
    words = text.split()
    at = rng.randrange(len(words) - 1)
    words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)
