"""Random fields: numbers and codes that stand in most rows and look drawn, not written.

Decoys for a field are the values of other rows, not fresh draws. A draw from "five digits" is
exchangeable with the true value only if the field was drawn uniformly: sequential numbers, a range
in use, a check digit or Benford's law all make the true value likelier than a decoy to a model
that never saw the row. Other rows' values come from the same generator, whatever it is; if values
were handed to rows independently of the rows' content, every assignment was as likely, and a
permutation test needs nothing else. What remains to be known is that independence: dates, times,
years and amounts are left out, since what happened tells when and how much, and the gate in
`blind_classifier.py` refuses fields that a row tells, or that follow the row order.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEWEST_ROWS = 20
COVERAGE = 0.5
"""Share of the rows that have the field."""
DISTINCT = 0.9
"""Share of its values that differ."""
FREE_PLACES = 3
"""Places of a value at which many characters occur."""
MANY = 5
"""Characters that occur at such a place."""
FEWEST_CONTEXTS = 0.9
"""Share of the texts before the field that differ: otherwise they cannot tell one row."""
LONGEST = 40
"""Characters of a code."""
FOLLOWING = 120
"""Characters that are read of what follows a field."""

_CODE = re.compile(r"(?<![\w.,])[A-Za-z0-9]+(?:[-_/:#][A-Za-z0-9]+)*(?![\w%°]|[.,]\d)")
_CALENDAR = re.compile(
    r"(19|20)\d\d([-/:]\d{1,2}([-/:]\d{1,2})?)?(T\d\S*)?|\d{1,2}[-/:]\d{1,2}([-/:]\d{2,4})?|"
    r"\d{1,2}[-/][A-Za-z]{3}[-/]\d{2,4}"
)


@dataclass(frozen=True)
class Field:
    """A field found in the data.

    Attributes:
        shape: 9 for digits, A and a for letters, x for either: `AA-99999`.
        rows: shape (m,), positions of the items that have it.
        before: the row up to the field, per row.
        values: the field with the space before it, per row.
        after: what follows the field, per row.
        forward: the text before the field tells rows apart; otherwise only what follows does.
    """

    shape: str
    rows: NDArray[np.int64]
    before: tuple[str, ...]
    values: tuple[str, ...]
    after: tuple[str, ...]
    forward: bool = True

    def contexts(self) -> tuple[str, ...]:
        """The side of the row that is scored together with the value."""
        return self.before if self.forward else self.after


def shape_of(code: str) -> str:
    """The pattern that a code follows.

    Example:
        >>> [shape_of(c) for c in ("48213", "TK-0291", "9f3a-77c1", "deadbeef")]
        ['99999', 'AA-9999', 'xxxx-xxxx', 'aaaaaaaa']
    """
    parts = re.split(r"([-_/:#])", code)
    mixed = any(re.search(r"\d", p) and re.search(r"[A-Za-z]", p) for p in parts)
    if mixed:
        return "".join(p if len(p) == 1 and not p.isalnum() else "x" * len(p) for p in parts)
    return re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"\d", "9", code)))


def random_field(texts: Sequence[str]) -> Field | str:
    """The field with the most to remember, or a sentence that says why there is none.

    Args:
        texts: rows.

    Example:
        >>> rows = [f"{c} wrote at {h}:15. Ref {k * 7919 % 100000:05d}" for k, (c, h) in
        ...         enumerate((a + b, 10) for a in "ABCDEF" for b in "uvwxyz")]
        >>> random_field(rows).shape
        '99999'
        >>> random_field(["no numbers"] * 30)
        'no number or code of one shape stands in most rows'
    """
    if len(texts) < FEWEST_ROWS:
        return f"{len(texts)} rows are too few; {FEWEST_ROWS} are needed"
    reason = "no number or code of one shape stands in most rows"
    best: tuple[int, int, Field] | None = None
    for shape, found in _by_shape(texts).items():
        rows = [i for i, _ in found]
        values = [text for _, (_, text) in found]
        if len(rows) < max(FEWEST_ROWS, COVERAGE * len(texts)):
            continue
        if sum(bool(_CALENDAR.fullmatch(v)) for v in values) > len(values) / 2:
            reason = f"{shape} is a date, a time or a year, which the row itself may give away"
            continue
        free = free_places(values)
        if len(set(values)) < DISTINCT * len(values) or free < FREE_PLACES:
            continue
        parts = [_cut(texts[i], start, v) for i, (start, v) in found]
        before, spaced, after = zip(*parts, strict=True)
        forward = len(set(before)) >= FEWEST_CONTEXTS * len(before)
        if not forward and len(set(after)) < FEWEST_CONTEXTS * len(after):
            reason = f"{shape} stands in rows that are otherwise alike"
            continue
        field = Field(shape, np.array(rows, np.int64), before, spaced, after, forward)
        if best is None or (free, len(rows)) > best[:2]:
            best = (free, len(rows), field)
    return reason if best is None else best[2]


def free_places(values: Sequence[str]) -> int:
    """Places at which at least MANY characters occur.

    Example:
        >>> free_places([f"K-{i:03d}" for i in range(100)])
        2
    """
    return sum(len(set(column)) >= MANY for column in zip(*values, strict=False))


def _by_shape(texts: Sequence[str]) -> dict[str, list[tuple[int, tuple[int, str]]]]:
    """Shape → (row, (place in the text, code)): its first code of that shape in each row."""
    found: dict[str, list[tuple[int, tuple[int, str]]]] = defaultdict(list)
    for i, text in enumerate(texts):
        seen = set()
        for match in _CODE.finditer(text):
            code = match[0]
            if len(code) > LONGEST or not any(c.isdigit() for c in code):
                continue
            shape = shape_of(code)
            if shape not in seen:
                seen.add(shape)
                found[shape].append((i, (match.start(), code)))
    return found


class _Cut(NamedTuple):
    """A row's text around a value."""

    before: str
    value: str
    after: str


def _cut(text: str, start: int, value: str) -> _Cut:
    """What stands before, the value with one space before it where there is one, what follows.

    A continuation is tokenised apart from its prompt, so it should start where words start.
    """
    after = text[start + len(value) :][:FOLLOWING]
    if start and text[start - 1] in " \n\t":
        return _Cut(text[: start - 1], text[start - 1] + value, after)
    return _Cut(text[:start], value, after)
