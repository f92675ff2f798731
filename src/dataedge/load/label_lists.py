"""Rows with several labels → items: which of the most frequent labels apply to each text."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.errors import AuditError
from dataedge.items import Item
from dataedge.load.cells import UnusableError, text_cell
from dataedge.load.table import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataedge.load.column_roles import ColumnRoles
    from dataedge.load.table import Table

MOST = 12
"""Labels that are asked about: every one is a line in each demonstration, and a classifier."""
FEWEST = 8
"""Rows that a label must apply to, and rows that it must not."""
BRACKETS = ("[", "]", "(", ")", "{", "}")
NO_LIST = "is not a list of labels"
_TRUTH = {"0", "1", "0.0", "1.0", "true", "false"}
_BETWEEN = re.compile(r"""(?<=['"])\s+(?=['"])""")
NONE = "(none)"
"""What stands for an empty list where labels are written."""


class Labels(NamedTuple):
    """The labels of a column of lists.

    Attributes:
        asked: those that the audit asks about, most frequent first.
        known: all there are.
        share: of all labels that rows were given, those among `asked`.
    """

    asked: tuple[str, ...]
    known: int
    share: float

    def note(self, where: str, name: str) -> str:
        """What of them is asked about, for the report."""
        return (
            f"{where}: column '{name}' holds {self.known:,} different labels: the audit asks about "
            f"{len(self.asked)}, which are {self.share:.0%} of all that are given (at most {MOST}, each on "
            f"{FEWEST} rows or more)"
        )


def holds_lists(table: Table, name: str) -> bool:
    """Whether most cells of a column that are filled are lists of short texts or numbers."""
    filled = [v for v in table.column(name)[:1000] if v is not None and as_text(v) != ""]
    return bool(filled) and 2 * sum(_listed(v) is not None for v in filled) > len(filled)


def asked_labels(table: Table, name: str) -> Labels:
    """The labels of a column that an audit can ask about.

    Raises:
        AuditError: for places of 0 and 1 without names.
    """
    lists = [found for v in table.column(name) if (found := _listed(v)) is not None]
    counts = Counter(label for labels in lists for label in set(labels))
    fit = [label for label, n in counts.items() if FEWEST <= n <= len(lists) - FEWEST]
    if counts and set(counts) <= _TRUTH:
        raise AuditError(
            f"{table.name}: column '{name}' holds lists of {' and '.join(sorted(counts))}: which label each "
            "place stands for is not known",
            'Write the names of the labels that apply, ["a", "b"], or name another column: --label-column',
        )
    asked = tuple(sorted(fit, key=lambda label: (-counts[label], label))[:MOST])
    given = sum(counts.values())
    return Labels(asked, len(counts), sum(counts[label] for label in asked) / max(given, 1))


def parse_label_lists(table: Table, roles: ColumnRoles) -> Callable[[int], Iterator[Item]]:
    """Reads a row as a text with its labels; an empty list says that none applies."""
    texts = [(name, table.column(name)) for name in roles.texts]
    name = str(roles.target)
    column, asked = table.column(name), set(asked_labels(table, name).asked)
    joined = not any("; " in label or label == NONE for label in asked)

    def parse(at: int) -> Iterator[Item]:
        inputs = tuple(text_cell(text, cells[at]) for text, cells in texts)
        value = column[at]
        given = _listed(value)
        if given is None and not (value is None or as_text(value) == ""):
            raise UnusableError(name, NO_LIST)
        labels = tuple(sorted(asked & set(given or ())))
        written = "; ".join(labels) or NONE
        if labels and not joined:
            written = json.dumps(labels, ensure_ascii=False)
        target = "" if given is None else written
        yield Item(inputs, target, row=at + 1, label_missing=given is None, labels=labels)

    return parse


def _listed(value: Any) -> list[str] | None:
    """The labels of a cell: a list, or one that is written as JSON or Python writes it.

    Example:
        >>> _listed(["b", "a"]), _listed('["a", 3]'), _listed("('a',)"), _listed("[]")
        (['b', 'a'], ['a', '3'], ['a'], [])
        >>> _listed("a"), _listed([{"x": 1}]), _listed('{"a": 1}'), _listed("['a' 'b']")
        (None, None, None, ['a', 'b'])
    """
    if isinstance(value, str):
        value = _read(value.strip())
    if not isinstance(value, list | tuple):
        return None
    labels = [_label(v) for v in value if v is not None]
    return None if None in labels else [label for label in labels if label]


def _read(text: str) -> Sequence[Any] | None:
    if text[:1] not in BRACKETS or text[-1:] not in BRACKETS:
        return None
    # an array as numpy writes it has no commas, and Python would join its strings
    for read, source in ((json.loads, text), (ast.literal_eval, _BETWEEN.sub(", ", text))):
        try:
            found = read(source)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return list(found) if isinstance(found, list | tuple | set) else None
    return None


def _label(value: Any) -> str | None:
    return as_text(value) if isinstance(value, str | int | float) else None
