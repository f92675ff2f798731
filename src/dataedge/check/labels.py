"""Labels: spellings that are one label, labels of few rows, sides that lack one, rows that disagree."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dataedge.check.found import Collected

FEW: Final = 3
"""Rows below which a label can hardly be learned."""
MANY: Final = 0.5
"""Distinct labels to rows from which the labels are rather answers."""


def check_labels(
    inputs: Sequence[str | None],
    labels: Sequence[str | None],
    splits: Sequence[str | None],
    into: Collected,
) -> dict[str, int]:
    """Check the labels of rows.

    Args:
        inputs: text of each row; None where it cannot be used.
        labels: of each row; None where it is empty.
        splits: side of each row as the data names it; None without.
        into: takes what is found.

    Returns:
        What was counted: labels.
    """
    counts = Counter(label for label in labels if label is not None)
    _twins(labels, counts, into)
    if len(counts) <= MANY * len(labels):
        for row, label in enumerate(labels):
            if label is not None and counts[label] < FEW:
                into.add("rare_label", "warning", row, f"{label!r:.60} labels {counts[label]} rows")
    _nothing_to_tell("label", labels, counts, into)
    _sides(labels, splits, into)
    given: dict[str, set[str]] = defaultdict(set)
    for text, label in zip(inputs, labels, strict=True):
        if text is not None and label is not None:
            given[text].add(label)
    for row, text in enumerate(inputs):
        if text is not None and labels[row] is not None and len(given[text]) > 1:
            first = f"the same input has {len(given[text])} different labels"
            into.add("conflicting_labels", "warning", row, first)
    return {"labels": len(counts)}


def check_numbers(numbers: Sequence[str | None], into: Collected) -> None:
    """Check the numbers of rows: whether they differ.

    Args:
        numbers: of each row as it is written; None where there is none.
        into: takes what is found.
    """
    _nothing_to_tell("number", numbers, Counter(n for n in numbers if n is not None), into)


def twins(counts: Mapping[str, int]) -> dict[str, str]:
    """Labels that differ from a more frequent one in case, spaces and punctuation alone.

    Args:
        counts: label → rows.

    Returns:
        Label → the spelling that most rows have.

    Example:
        >>> twins({"billing": 20, "Billing": 4, "other": 9})
        {'Billing': 'billing'}
    """
    spelled: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        if bare := _bare(label):
            spelled[bare].append(label)
    most = {
        other: max(same, key=lambda name: (counts[name], name))
        for same in spelled.values()
        if len(same) > 1
        for other in same
    }
    return {label: other for label, other in most.items() if label != other}


def _twins(labels: Sequence[str | None], counts: Counter[str], into: Collected) -> None:
    usual = twins(counts)
    for row, given in enumerate(labels):
        if given in usual:
            first = f"{given!r:.60} beside {usual[given]!r:.60}"
            into.add("label_case_twins", "error", row, first)


def _nothing_to_tell(
    what: str, answers: Sequence[str | None], counts: Counter[str], into: Collected
) -> None:
    if len(counts) != 1:
        return
    for row, answer in enumerate(answers):
        if answer is not None:
            said = f"every {what} is {answer!r:.60}: there is nothing to tell apart"
            into.add(f"one_{what}", "error", row, said)


def _bare(label: str) -> str:
    """A label without what people do not mean; where there are digits, signs and points are meant.

    Example:
        >>> _bare(" Card-Arrival "), _bare("card_arrival"), _bare("C++"), _bare("C")
        ('cardarrival', 'cardarrival', 'c++', 'c')
        >>> _bare("-1"), _bare("1"), _bare("1.0"), _bare("10"), _bare("Grade 1")
        ('-1', '1', '1.0', '10', 'grade 1')
    """
    text = unicodedata.normalize("NFKC", label).casefold().strip()
    if any(c.isdigit() for c in text):
        return re.sub(r"[\s_]+", " ", text)
    return re.sub(r"[\s_.,;:'\"-]", "", text)


def _sides(labels: Sequence[str | None], splits: Sequence[str | None], into: Collected) -> None:
    """Labels that one side has and the other lacks."""
    there: dict[str, set[str]] = defaultdict(set)
    for label, split in zip(labels, splits, strict=True):
        if label is not None and split is not None:
            there[split].add(label)
    if "train" not in there or len(there) < 2:
        return
    for row, (label, split) in enumerate(zip(labels, splits, strict=True)):
        if label is not None and split not in (None, "train") and label not in there["train"]:
            into.add("label_missing_in_train", "error", row, f"{label!r:.60} is in {split} alone")
    beside = set().union(*(found for split, found in there.items() if split != "train"))
    for row, (label, split) in enumerate(zip(labels, splits, strict=True)):
        if label is not None and split == "train" and label not in beside:
            into.add("label_missing_in_test", "warning", row, f"{label!r:.60} is in train alone")
