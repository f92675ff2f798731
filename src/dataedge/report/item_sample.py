"""The items that a page or a chart shows: at most so many, a stated stratified sample of the store."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from dataedge.report.item_view import cells
from dataedge.report.printable import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dataedge.store import Store

MOST: Final = 5000
"""Items at most."""
TEXT: Final = 240
"""Characters of a text that are shown."""
READ: Final = 4000
"""Characters that are read of it: what is personal in them is replaced before they are cut."""
LABEL: Final = 120
"""Characters of a label or a response that are shown."""
CONFUSIONS: Final = 15
"""Pairs of labels that are counted."""


@dataclass(frozen=True)
class Pair:
    """What was measured of a held-out item without the data, and with it.

    Attributes:
        without: its column in the table `findings`.
        with_: its column.
        kind: a `share` between 0 and 1 of which more is better, or a `loss`, of which less is.
        what: in words.
    """

    without: str
    with_: str
    kind: Literal["share", "loss"]
    what: str


PAIRS: Final = (
    Pair("p_without", "p_with", "share", "probability of the answer"),
    Pair("right_without", "right_with", "share", "share of answers that are right"),
    Pair("bits_per_byte_without", "bits_per_byte_with", "loss", "bits per byte"),
    Pair("error_without", "error_with", "loss", "absolute error"),
)


@dataclass(frozen=True)
class ItemSample:
    """Items of an audit as plain rows.

    Attributes:
        rows: id, row, text, target, side, views and, where it was measured, without, with, score,
            proposed, reason; texts are printable, shortened, and without personal data that was found.
        of: items that there are.
        pair: what `without` and `with` are; None where no item has them.
        confusions: given label, proposed label and number of suspects, most first.
    """

    rows: list[dict[str, Any]]
    of: int
    pair: Pair | None
    confusions: list[tuple[str, str, int]]

    def judged(self) -> list[dict[str, Any]]:
        """The rows with both figures."""
        return [r for r in self.rows if "without" in r and "with" in r]


def sample_items(store: Store, views: Mapping[str, Sequence[str]], most: int = MOST) -> ItemSample:
    """Items to show: first those of the views, then held-out ones, then others, labels in proportion.

    Args:
        store: of the audit.
        views: view → ids.
        most: items at most.
    """
    held = {
        name for (name,) in store.con.sql("select column_name from (describe findings)").fetchall()
    }
    pair = next((p for p in PAIRS if p.without in held and p.with_ in held), None)
    measured = (
        f"{pair.without} as without, {pair.with_} as with_"
        if pair
        else "null as without, null as with_"
    )
    optional = [c for c in ("label_score", "suspect", "proposed", "reason", "defects") if c in held]
    listed = sorted({item for ids in views.values() for item in ids})
    relation = store.con.sql(
        f"""
        with known as (
          select item, "row", [left(t, {READ}) for t in texts] as texts,
            left(target::varchar, {READ}) as target, side, {", ".join([measured, *optional])},
            list_contains($listed, item) as in_view
          from items join findings using (item)
        ), ranked as (
          select *, case when in_view then 0 when side = 'evaluation' then 1 else 2 end as turn,
            row_number() over (partition by left(target, 60), in_view, side = 'evaluation' order by item)
              / count(*) over (partition by left(target, 60), in_view, side = 'evaluation') as place
          from known
        )
        select * exclude (turn, place, in_view) from ranked order by turn, place, item limit {most}
        """,
        params={"listed": listed},
    )
    of = int(store.con.sql("select count(*) from items").fetchall()[0][0])
    shown_in = _by_item(views)
    rows = [_row(found, shown_in) for found in cells(relation)]
    confusions: list[tuple[str, str, int]] = []
    if {"suspect", "proposed"} <= held:
        confusions = [
            (shortened(str(given), LABEL), shortened(str(proposed), LABEL), int(n))
            for given, proposed, n in store.con.sql(
                "select target, proposed, count(*) as n from items join findings using (item) "
                "where suspect and proposed is not null group by all "
                f"order by n desc, target, proposed limit {CONFUSIONS}"
            ).fetchall()
        ]
    if not any("without" in r and "with" in r for r in rows):
        pair = None
    return ItemSample(rows, of, pair, confusions)


def _by_item(views: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for view, ids in views.items():
        for item in ids:
            found.setdefault(item, []).append(view)
    return found


def _row(found: Mapping[str, Any], views: Mapping[str, list[str]]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": found["item"],
        "row": found["row"],
        "text": shortened(" | ".join(map(str, found["texts"])), TEXT),
        "target": "" if found["target"] is None else shortened(str(found["target"]), LABEL),
        "side": found["side"],
        "views": views.get(found["item"], []),
    }
    for name, column in (("without", "without"), ("with", "with_"), ("score", "label_score")):
        value = found.get(column)
        if value is not None and math.isfinite(value):
            row[name] = round(float(value), 4)
    if found.get("proposed") is not None:
        row["proposed"] = shortened(str(found["proposed"]), LABEL)
    reason = found.get("reason") or found.get("defects")
    if reason:
        row["reason"] = shortened(
            str(reason) if isinstance(reason, str) else ", ".join(map(str, reason)), LABEL
        )
    return row
