"""What a check found: a name that people know, how bad it is, where, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dataedge.load.table import Unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.load.table import Table

SHOWN = 3
"""Places that are named."""
Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Found:
    """One kind of thing that is wrong.

    Attributes:
        name: as OpenAI's checks of chat data call it where they have it; else our own, in that manner.
        level: an error makes a fine-tune fail or learn what nobody meant; a warning may be meant.
        rows: 0-based rows of the table, in order, each once; none where they are not in the table.
        first: what is wrong in the first of them, with the field.
    """

    name: str
    level: Level
    rows: tuple[int, ...]
    first: str

    def places(self, table: Table) -> list[str]:
        """File and row of the first of them."""
        return ["{}, row {}".format(*table.place(row)) for row in self.rows[:SHOWN]]


class Collected:
    """Gathers what is found, kind by kind, row by row."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, Level], dict[int, str]] = {}

    def add(self, name: str, level: Level, row: int, what: str) -> None:
        """One thing in one row; the first one of a kind is described."""
        self._rows.setdefault((name, level), {}).setdefault(row, what)

    def found(self) -> list[Found]:
        """Errors first, most rows first."""
        kinds = [
            Found(name, level, tuple(sorted(rows)), rows[min(rows)])
            for (name, level), rows in self._rows.items()
        ]
        return sorted(kinds, key=lambda f: (f.level, -len(f.rows), f.name))


def unread(table: Table) -> list[Found]:
    """Rows that the files have and the table has not; the note says which."""
    return [
        Found("unreadable_rows", "error", (), note)
        for note in table.notes
        if isinstance(note, Unread)
    ]


@dataclass(frozen=True)
class Checked:
    """A dataset that was checked.

    Attributes:
        path: of the data.
        table: as it was read.
        task: what its columns ask of a model.
        found: errors first.
        counted: what there is of what: messages, messages_trained, tool_calls, labels; tokens and
            tokens_learned are estimates.
        notes: what was left out while reading.
    """

    path: str
    table: Table
    task: str
    found: Sequence[Found]
    counted: dict[str, int]
    notes: Sequence[str]

    @property
    def failed(self) -> bool:
        """Whether there is an error."""
        return any(f.level == "error" for f in self.found)

    def as_json(self) -> dict[str, Any]:
        """For pipelines."""
        return {
            "path": self.path,
            "rows": len(self.table),
            "task": self.task,
            "found": [
                {
                    "name": f.name,
                    "level": f.level,
                    "rows": len(f.rows),
                    "first": f.first,
                    "places": [
                        dict(zip(("file", "row"), self.table.place(row), strict=True))
                        for row in f.rows
                    ],
                }
                for f in self.found
            ],
            "counted": self.counted,
            "notes": list(self.notes),
        }
