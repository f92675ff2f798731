"""How often the same input was given different outputs: by annotators, or in rows that share it.

Direct evidence that the input does not determine the output, whatever a learner makes of it. That a
learner fails says little: with few rows a fully determined label looks undetermined.
"""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from dataedge.figures import Figure
from dataedge.intervals import proportion

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST = 20
"""Inputs with several outputs below which nothing is concluded from them."""
_PAIRS = 2000
"""Pairs of unrelated responses that the usual distance is the mean of."""
_SHOWN = "share"


def of_annotators(annotations: Sequence[Sequence[str | None]]) -> Figure:
    """Chance that two annotators of an item differ, mean over items with two labels or more.

    Args:
        annotations: per item its labels, None where an annotator gave none.

    Returns:
        Share with Wilson's interval; skipped without several annotators, underpowered below 20 items.

    Example:
        >>> round(of_annotators([("a", "a", "b")] * 30).value, 3)
        0.667
    """
    given = [[label for label in row if label is not None] for row in annotations]
    each = [_differing(row) for row in given if len(row) > 1]
    return _share(each, "no item has labels from two annotators", "items with two labels")


def of_twins(inputs: Sequence[str], labels: Sequence[str], counts: Sequence[int]) -> Figure:
    """Chance that two rows with the same input carry different labels, mean over such inputs.

    Inputs are the same if they differ in case, spaces and punctuation alone: one number or word in
    another place may well be what a label rightly depends on. Copies of a row count as agreement.

    Args:
        inputs: text per item.
        labels: per item.
        counts: rows that each item stands for.

    Returns:
        As `of_annotators`.

    Example:
        >>> of_twins(["Pay now!", "pay now"], ["bill", "spam"], [1, 1]).status
        'underpowered'
    """
    groups: dict[str, list[str]] = {}
    for text, label, count in zip(inputs, labels, counts, strict=True):
        groups.setdefault(_plain(text), []).extend([label] * count)
    each = [_differing(group) for group in groups.values() if len(group) > 1]
    return _share(each, "no two rows have the same input", "inputs that stand in several rows")


def of_numbers(inputs: Sequence[str], numbers: Sequence[float], counts: Sequence[int]) -> Figure:
    """How far numbers of the same input lie apart: 0 like copies, 1 like any two numbers.

    Mean squared distance of two rows with the same input over that of any two rows; what no answer
    to the input can explain of the variance.

    Args:
        inputs: text per item.
        numbers: per item.
        counts: rows that each item stands for.

    Returns:
        As `of_annotators`.

    Example:
        >>> of_numbers(["Pay now!", "pay now"], [1.0, 2.0], [1, 1]).status
        'underpowered'
    """
    groups: dict[str, list[float]] = {}
    for text, number, count in zip(inputs, numbers, counts, strict=True):
        groups.setdefault(_plain(text), []).extend([number] * count)
    every = np.concatenate([np.asarray(group) for group in groups.values()] or [np.zeros(0)])
    usual = float(every.var(ddof=1)) if len(every) > 1 else 0.0
    if usual <= 0.0:
        return Figure.missing("all numbers are the same", _SHOWN)
    each = [min(float(np.var(g, ddof=1)) / usual, 1.0) for g in groups.values() if len(g) > 1]
    return _share(each, "no two rows have the same input", "inputs that stand in several rows")


def of_responses(prompts: Sequence[str], responses: Sequence[str], *, seed: int) -> Figure:
    """How far responses to the same prompt lie apart: 0 like copies, 1 like any two responses.

    Distance is 1 − |A ∩ B| / |A ∪ B| of their sets of words, over its mean for responses to
    different prompts; mean over the prompts that stand in several rows.

    Args:
        prompts: per item.
        responses: per item.
        seed: of the pairs of unrelated responses.

    Returns:
        As `of_annotators`.
    """
    groups: dict[str, list[frozenset[str]]] = {}
    words = [frozenset(_plain(r).split()) for r in responses]
    for prompt, said in zip(prompts, words, strict=True):
        groups.setdefault(_plain(prompt), []).append(said)
    several = [group for group in groups.values() if len(group) > 1]
    if len(groups) < 2:
        return Figure.missing("all rows have the same prompt", _SHOWN)
    rng = np.random.default_rng(seed)
    firsts = [group[0] for group in groups.values()]
    drawn = rng.integers(0, len(firsts), (_PAIRS, 2))
    usual = float(np.mean([_distance(firsts[a], firsts[b]) for a, b in drawn if a != b] or [0.0]))
    if usual <= 0.0:
        return Figure.missing("all responses are the same", _SHOWN)
    each = [
        float(np.mean([min(_distance(a, b) / usual, 1.0) for a, b in combinations(group[:8], 2)]))
        for group in several
    ]
    return _share(each, "no two rows have the same prompt", "prompts that stand in several rows")


def _share(each: Sequence[float], none: str, what: str) -> Figure:
    if not each:
        return Figure.missing(none, _SHOWN)
    found = proportion(np.array(each), np.arange(len(each)), unit=_SHOWN)
    if len(each) < _LEAST:
        reason = f"only {len(each)} {what}"
        return Figure(found.value, found.low, found.high, found.n, _SHOWN, "underpowered", reason)
    return found


def _differing(group: Sequence[str]) -> float:
    """Share of pairs in a group that differ."""
    _, counts = np.unique(np.asarray(group), return_counts=True)
    n = len(group)
    return 1.0 - float((counts * (counts - 1)).sum()) / (n * (n - 1))


def _distance(a: frozenset[str], b: frozenset[str]) -> float:
    return 1.0 - len(a & b) / len(a | b) if a or b else 0.0


def _plain(text: str) -> str:
    """Case, punctuation and runs of spaces gone; letters and digits stay."""
    return " ".join(re.findall(r"\w+", text.casefold())) or text.strip()
