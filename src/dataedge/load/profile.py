"""What kind of values a column holds: free text, labels, numbers, lists, nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataedge.load.table import as_text

if TYPE_CHECKING:
    from dataedge.load.table import Table

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LETTER = re.compile(r"[^\W\d_]")
_LISTED = re.compile(r"""\s*[\[({]\s*(?:(["']).*\1\s*,?\s*)?[\])}]\s*""", re.DOTALL)
_NESTED = re.compile(r"\s*\[\s*\{")
_TRUTH = frozenset({"true", "false"})


@dataclass(frozen=True)
class Profile:
    """A column's values, summed up.

    Attributes:
        name: of the column.
        filled: cells with a scalar in them.
        distinct: how many different ones.
        values: the different ones, unless they are many.
        nested: most cells are lists or objects (or the JSON text of a list of objects).
        listed: most cells are the text of a list of texts, such as ["a", "b"].
        number: every filled cell is a number.
        integral: every filled cell is a whole number or a truth value.
        words: mean number of words per cell.
        length: mean number of characters per cell.
        letters: share of cells with a letter in them.
        ascii: whether all cells are ASCII.
    """

    name: str
    filled: int = 0
    distinct: int = 0
    values: frozenset[str] = frozenset()
    nested: bool = False
    listed: bool = False
    number: bool = False
    integral: bool = False
    words: float = 0.0
    length: float = 0.0
    letters: float = 0.0
    ascii: bool = True

    @property
    def free_text(self) -> bool:
        """Reads like language: several words, or a script without spaces; not numbers or codes."""
        if self.nested or self.number or self.letters < 0.5:
            return False
        return self.words >= 2 or (not self.ascii and self.length >= 6)

    @property
    def label_like(self) -> bool:
        """A few short values that repeat."""
        few = 2 <= self.distinct <= max(20, self.filled // 5)
        short = self.words <= 3.5 and self.length <= 40
        whole = self.integral or not self.number
        single = not self.nested and not self.listed
        return few and 2 * self.distinct <= self.filled and short and whole and single

    @property
    def wordy(self) -> bool:
        """Holds words of any number: not empty, no numbers, no lists."""
        return self.filled > 0 and not self.nested and not self.number and self.letters > 0.5

    @property
    def class_like(self) -> bool:
        """Could be a label if its name says so: values repeat, or there are few rows."""
        if not self.filled or self.nested or self.listed or self.measured:
            return False
        short = self.words <= 3.5 and self.length <= 40
        repeats = 2 * self.distinct <= self.filled
        return repeats or self.filled < 20 or (short and self.distinct < self.filled)

    @property
    def rare(self) -> bool:
        """Many values with few rows each: a label perhaps, perhaps a file name or a title."""
        return self.distinct > 20 and self.filled < 20 * self.distinct

    @property
    def measured(self) -> bool:
        """Many different numbers: a quantity, not a class."""
        return (
            self.number
            and self.distinct > 20
            and (not self.integral or self.distinct > self.filled // 5)
        )


def profile(table: Table, name: str) -> Profile:
    """Sums up one column.

    Example:
        >>> import pyarrow as pa
        >>> from dataedge.load.table import single
        >>> p = profile(single(pa.table({"y": ["no", "yes", "no", "yes"]}), "x"), "y")
        >>> p.label_like, p.free_text, p.distinct
        (True, False, 2)
    """
    if table.nested(name):
        return Profile(name, nested=True)
    raw = [v for v in table.column(name) if v is not None]
    cells = [t for v in raw if (t := as_text(v))]
    if not cells:
        return Profile(name, nested=any(isinstance(v, list | dict) for v in raw))
    n = len(cells)
    distinct = set(cells)
    number = all(_NUMBER.fullmatch(c) for c in distinct)
    truth = len(distinct) < 5 and all(len(c) < 6 and c.lower() in _TRUTH for c in distinct)
    return Profile(
        name,
        filled=n,
        distinct=len(distinct),
        values=frozenset(distinct) if len(distinct) <= 1000 else frozenset(),
        nested=2 * sum(bool(_NESTED.match(c)) for c in cells[:1000]) > min(n, 1000),
        listed=2 * sum(bool(_LISTED.fullmatch(c)) for c in cells[:1000]) > min(n, 1000),
        number=number,
        integral=truth or (number and all(float(c).is_integer() for c in distinct)),
        words=sum(len(c.split()) for c in cells) / n,
        length=sum(map(len, cells)) / n,
        letters=sum(bool(_LETTER.search(c)) for c in cells) / n,
        ascii=all(c.isascii() for c in cells),
    )


def profiles(table: Table) -> dict[str, Profile]:
    """Every column's profile, in column order."""
    return {name: profile(table, name) for name in table.names}
