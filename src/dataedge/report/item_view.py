"""The items of a view as plain rows: a table for a terminal, CSV or JSON lines for a program."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataedge.report.printable import shortened

if TYPE_CHECKING:
    import duckdb
    from rich.table import Table

TELLING: dict[str, dict[str, str]] = {
    "suspects": {
        "target": "given",
        "proposed": "proposed",
        "label_score": "score",
        "reason": "reason",
    },
    "disputed": {
        "annotations": "annotations",
        "consensus": "consensus",
        "consensus_quality": "quality",
    },
    "responses": {"reason": "defect", "target": "response"},
    "leaked": {"cluster": "cluster", "target": "target"},
}
"""View → columns that say something in it and their headings; row and text always do."""
MEASURED = {
    "p_without": "p without",
    "p_with": "p with",
    "bits_per_byte_without": "bits/byte\nwithout",
    "bits_per_byte_with": "bits/byte\nwith",
    "right_without": "right\nwithout",
    "right_with": "right\nwith",
    "edge_bits": "edge\nbits",
    "number_without": "number\nwithout",
    "number_with": "number\nwith",
    "knowledge": "knowledge",
    "target": "target",
}
"""The same for the views that rank items by what the model makes of them."""
LONGEST = 120
"""Characters of a text that the table shows."""


@dataclass(frozen=True)
class ItemView:
    """Items of a view, most telling first.

    Attributes:
        name: of the view.
        columns: everything known of an item.
        rows: column → value; personal data that was found is not shown.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]

    def csv(self) -> str:
        """All columns under a header."""
        out = io.StringIO()
        writer = csv.DictWriter(out, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return out.getvalue()

    def jsonl(self) -> str:
        """One object per line; what is not a finite number is null."""
        return "".join(
            json.dumps({k: _finite(v) for k, v in row.items()}, default=str, allow_nan=False) + "\n"
            for row in self.rows
        )

    def table(self) -> Table:
        """What says something in this view; texts shortened, nothing in them obeyed."""
        from rich.table import Table
        from rich.text import Text

        count, telling = len(self.rows), TELLING.get(self.name, MEASURED)
        columns = {"row": "row"}
        columns |= {c: heading for c, heading in telling.items() if c in self.columns}
        table = Table(
            title=Text(f"{self.name}: {count} item{'' if count == 1 else 's'}, most telling first"),
            title_justify="left",
            box=None,
            padding=(0, 2, 0, 0),
        )
        for name, heading in columns.items():
            number = any(isinstance(row[name], int | float) for row in self.rows)
            table.add_column(
                Text(heading),
                justify="right" if number else "left",
                no_wrap=number,
                overflow="fold",
            )
        table.add_column(Text("text"), overflow="fold")
        for row in self.rows:
            text = " | ".join(map(str, row["texts"]))
            table.add_row(*(_cell(row[name]) for name in columns), _cell(text))
        return table


def cells(chosen: duckdb.DuckDBPyRelation) -> list[dict[str, Any]]:
    """The rows of a query on items; addresses and numbers that were found to be personal replaced."""
    columns = chosen.columns
    rows = [dict(zip(columns, values, strict=True)) for values in chosen.fetchall()]
    found = [row for row in rows if "personal_data" in str(row.get("defects") or "")]
    if found:
        from dataedge.measure.responses import redact

        for row in found:
            row["texts"] = [redact(t) for t in row["texts"]]
            row["target"] = redact(row["target"])
    return rows


def show_items(view: ItemView, stream: Any) -> None:
    """Print a view as a table that fits the terminal."""
    from rich.console import Console

    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    console.print(view.table() if view.rows else f"no items in the view {view.name!r}")


def _cell(value: Any) -> Any:
    from rich.text import Text

    if value is None:
        return Text("–")
    if isinstance(value, float):
        return Text(f"{value:.3f}")
    if isinstance(value, list | tuple):
        value = ", ".join("–" if v is None else str(v) for v in value)
    return Text(shortened(str(value), LONGEST))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
