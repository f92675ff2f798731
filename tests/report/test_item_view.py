"""Items for a terminal fit it and steer nothing; for a program they are whole."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from dataedge.report.item_view import MEASURED, TELLING, ItemView, show_items
from dataedge.report.terminal import show, show_details

if TYPE_CHECKING:
    import dataedge

HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x1b[0m\r[bold]x[/bold] [link=http://e.vil]l[/link] :smile: \u202etxet\u2066 \x9b2J end"
ROW: dict[str, Any] = {
    "item": "0123456789abcdef",
    "row": 12,
    "texts": [HOSTILE, "second\ntext"],
    "target": "\x1b[2Jno",
    "proposed": "yes",
    "label_score": 0.03125,
    "reason": "neighbours [red]disagree",
    "annotations": ["a", None],
    "consensus": None,
    "consensus_quality": float("nan"),
    "cluster": 3,
    "p_without": 0.5,
    "edge_bits": float("inf"),
}


def printed(view: ItemView, width: int, monkeypatch: Any) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    show_items(view, out)
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("name", [*TELLING, "known", "edge"])
def test_the_table_fits_and_obeys_nothing(name: str, width: int, monkeypatch: Any) -> None:
    rows = [ROW, {**ROW, "texts": ["long words " * 5000], "target": "w" * 500}]
    text = printed(ItemView(name, tuple(ROW), rows), width, monkeypatch)
    assert all(len(line) <= width for line in text.splitlines())
    assert all(c == "\n" or c.isprintable() for c in text)
    assert len(text.splitlines()) < 120
    assert "12" in text


@pytest.mark.parametrize("name", [*TELLING, "known"])
def test_columns_say_something_in_their_view(name: str, monkeypatch: Any) -> None:
    text = printed(ItemView(name, tuple(ROW), [ROW]), 400, monkeypatch)
    headings = TELLING.get(name, MEASURED)
    shown = [heading for column, heading in headings.items() if column in ROW]
    head = text.splitlines()[1 : 2 + max(heading.count("\n") for heading in shown)]
    assert sorted(" ".join(head).split()) == sorted(" ".join(["row", *shown, "text"]).split())
    assert 2 <= len(shown) <= len(headings)


def test_what_would_be_obeyed_is_shown_as_it_stands(monkeypatch: Any) -> None:
    text = printed(ItemView("suspects", tuple(ROW), [ROW]), 300, monkeypatch)
    for shown in (
        r"\x1b[31mred",
        "[bold]x[/bold]",
        "[link=http://e.vil]l[/link]",
        ":smile:",
        r"\u202etxet\u2066",
        r"\x9b2J",
        r"\x1b[2Jno",
        "[red]disagree",
        "0.031",
    ):
        assert shown in text


def test_an_empty_view_says_so(monkeypatch: Any) -> None:
    assert printed(ItemView("leaked", ("item",), []), 80, monkeypatch) == (
        "no items in the view 'leaked'\n"
    )
    assert ItemView("leaked", ("item", "row"), []).csv() == "item,row\n"
    assert ItemView("leaked", ("item", "row"), []).jsonl() == ""


def test_programs_get_everything() -> None:
    view = ItemView("suspects", tuple(ROW), [ROW])
    (back,) = csv.DictReader(io.StringIO(view.csv()))
    assert set(back) == set(ROW)
    assert back["target"] == ROW["target"]
    assert back["consensus"] == ""
    (line,) = view.jsonl().splitlines()
    row = json.loads(line)
    assert row["texts"] == ROW["texts"]
    assert row["consensus_quality"] is None
    assert row["edge_bits"] is None
    assert row["label_score"] == 0.03125


def test_the_report_obeys_nothing_that_it_prints(small_audit: dataedge.Audit) -> None:
    data = small_audit.report.model_dump()
    data["dataset"]["path"] = HOSTILE
    data["dataset"]["notes"] = [f"column {HOSTILE}"]
    data["verdict"]["why"] += [HOSTILE]
    data["measures"][HOSTILE] = {**data["measures"]["tokens"], "unit": HOSTILE, "reason": HOSTILE}
    data["ladder"][1]["detail"]["how"] = HOSTILE
    worst = [{"item": HOSTILE, "given": HOSTILE, "proposed": HOSTILE, "reason": HOSTILE, "text": HOSTILE}]  # fmt: skip
    out = io.StringIO()
    report = type(small_audit.report).model_validate(data)
    show(report, [HOSTILE], out)
    show_details(report, worst, out)
    text = out.getvalue()
    assert all(c == "\n" or c.isprintable() for c in text)
    assert ":smile:" in text
    assert "[bold]x[/bold]" in text
    assert r"\x1b" in text
