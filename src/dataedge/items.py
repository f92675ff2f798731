"""What is audited: items, their identity, and the dataset they come from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Task(StrEnum):
    """What the dataset asks of a model, inferred from its columns."""

    CLASSIFY = "classify"
    MULTILABEL = "multilabel"
    NUMBER = "number"
    GENERATE = "generate"
    CORPUS = "corpus"


LABELLED = (Task.CLASSIFY, Task.MULTILABEL, Task.NUMBER)
"""Tasks whose items are texts with a label, or with several."""


@dataclass(frozen=True, slots=True)
class Item:
    """One distinct example. Exact duplicates collapse into one item and stay counted.

    Attributes:
        texts: the input; one or two texts to classify, the prompt to answer, the passage's head.
        target: the label, several labels in one line, the number as it is written, the response, or
            the rest of the passage.
        label_missing: the row had an empty label (it is kept for redundancy, not for the edge).
        annotations: one label per annotator column, in column order; None where it is empty.
        rejected: the response that was not preferred, where the data has one.
        number: the label as a quantity, where the task is to give one.
        labels: those that apply, sorted, where the task is to give several.
        groups: the groups its rows belong to (`--group-column`); none of them is ever split.
        time: when its first row came about (`--time-column`), as a number that orders.
        count: how many rows of the dataset are this item.
        row: first row (1-based, in the order read) with this content.
        split: the dataset's own name for the row's split (train, test), if it has one.
    """

    texts: tuple[str, ...]
    target: str
    row: int
    count: int = 1
    split: str | None = None
    label_missing: bool = False
    annotations: tuple[str | None, ...] = ()
    rejected: str | None = None
    number: float | None = None
    labels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    time: float | None = None

    @property
    def id(self) -> str:
        """The content's identity: 16 hex digits of sha256 over texts, target and annotations."""
        quantity = () if self.number is None else (self.number,)
        return content_id(self.texts, self.target, self.annotations, self.rejected, *quantity)

    @property
    def text(self) -> str:
        """All input texts as one string (two texts stand on two lines)."""
        return "\n".join(self.texts)


_PIECE = 2**20


def content_id(*parts: object) -> str:
    """Hash of an item's content, independent of where it stands.

    Example:
        >>> content_id(("a",), "yes") == content_id(("a",), "yes")
        True
        >>> content_id(("a", "b"), "") == content_id(("ab",), "")
        False
    """
    written, found = json.dumps(parts, ensure_ascii=False), hashlib.sha256()
    for start in range(0, len(written), _PIECE):  # a text may be as large as memory allows
        found.update(written[start : start + _PIECE].encode("utf-8", "replace"))
    return found.hexdigest()[:16]


@dataclass(frozen=True)
class Dataset:
    """A dataset as the audit sees it.

    Attributes:
        path: where it was read from, as the user gave it.
        task: what it asks.
        items: the distinct items, in order of first appearance.
        rows: rows read, before exact duplicates collapsed.
        columns: role (text, label, prompt, response, split, annotator …) → column name(s).
        notes: sentences for the report: files left out, rows dropped and why.
    """

    path: str
    task: Task
    items: tuple[Item, ...]
    rows: int
    columns: Mapping[str, str | tuple[str, ...]]
    notes: tuple[str, ...] = field(default=())

    @property
    def fingerprint(self) -> str:
        """Identity of the whole: 16 hex digits over the task, the item ids, counts and splits."""
        return fingerprint(self.task, self.items)

    @property
    def labels(self) -> tuple[str, ...]:
        """The closed label set, sorted; empty unless the task is classify or multilabel."""
        if self.task is Task.MULTILABEL:
            return tuple(sorted({label for i in self.items for label in i.labels}))
        if self.task is not Task.CLASSIFY:
            return ()
        return tuple(sorted({i.target for i in self.items if not i.label_missing}))


def fingerprint(task: Task, items: Iterable[Item]) -> str:
    """Order-independent hash of a dataset's content."""
    digest = hashlib.sha256(task.value.encode())
    for line in sorted(_line(i) for i in items):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()[:16]


def _line(item: Item) -> str:
    line = f"{item.id} {item.count} {item.split or ''}"
    if item.groups or item.time is not None:
        line += " " + content_id(item.groups, item.time)
    return line
