"""`dataedge check`: what a fine-tune would trip over, with file and row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataedge.report.printable import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataedge.check.found import Checked

WIDEST = 160
COUNTED = {
    "messages_trained": "messages that are trained on",
    "tool_calls": "tool calls",
    "tokens": "tokens, about",
    "tokens_learned": "tokens that are learned, about",
}
"""What was counted, in words where its name is not one."""


def lines(checked: Checked) -> Iterator[str]:
    """What was found, for the terminal: errors, warnings, and what there is of what."""
    table = checked.table
    yield f"{shortened(checked.path, WIDEST)}: {len(table):,} rows, task {checked.task}"
    for note in checked.notes:
        yield f"note: {shortened(note, WIDEST)}"
    for level in ("error", "warning"):
        for found in checked.found:
            if found.level != level:
                continue
            rows = f"{len(found.rows):,} row{'' if len(found.rows) == 1 else 's'}"
            yield f"{level:<8} {found.name:<34} {rows if found.rows else ''}".rstrip()
            places = "; ".join(shortened(p, WIDEST) for p in found.places(table))
            more = "; …" if len(found.rows) > len(found.places(table)) else ""
            if places:
                yield f"           {places}{more}"
            yield f"           {shortened(found.first, WIDEST)}"
    counts = ", ".join(f"{COUNTED.get(what, what)}: {n:,}" for what, n in checked.counted.items())
    if counts:
        yield f"counted  {counts}"
    if not checked.found:
        yield "nothing found that a fine-tune would trip over"
