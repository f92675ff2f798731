"""A report and a sample of its items → report.html."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from dataedge.report.charts import THEMES, charts
from dataedge.report.page.runtime import script
from dataedge.report.page.sections import (
    ladder_sentence,
    map_sentence,
    rung_rows,
    sample_sentence,
    sections,
)
from dataedge.report.printable import all_printable
from dataedge.report.sentences import (
    REASON_NAMES,
    advice,
    command,
    gain,
    least,
    minutes,
    reached,
    said,
    timed,
    tuning,
)

if TYPE_CHECKING:
    from dataedge.report.item_sample import ItemSample
    from dataedge.report.model import Report

ITEM_BYTES: Final = 1_700_000
"""Of the items in the page: with the script that draws the charts it stays below 3 MB."""


def page(report: Report, sample: ItemSample) -> str:
    """The page. Everything from the data is escaped, in HTML and in JSON; nothing is fetched.

    Args:
        report: of an audit.
        sample: items of the same audit.
    """
    from jinja2 import Environment

    report = type(report).model_validate(all_printable(report.model_dump()))
    rows = _that_fit(sample.rows)
    drawn = charts(report, sample)
    data = {"charts": _lighter(drawn), "themes": THEMES, "items": rows}
    own = files("dataedge.report.page")
    code = {"vega": script(), "page": (own / "page.js").read_text(encoding="utf-8")}
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((own / "page.html.j2").read_text(encoding="utf-8"))
    return template.render(
        report=report,
        style=(own / "page.css").read_text(encoding="utf-8"),
        code=code,
        hashes=[_hash(text) for text in code.values()],
        data=_in_script(data),
        charts=drawn,
        label=report.verdict.label.upper().replace("_", " "),
        sentences=[
            _unbroken(s) for s in (*reached(report), gain(report.edge, report), *tuning(report))
        ],
        terms=[
            (t, _unbroken(said(t).replace("δ", least(report, report.edge.unit))))
            for t in report.terms
        ],
        reasons=[(r, REASON_NAMES.get(r.id, r.id), timed(r)) for r in report.reasons],
        why=[w for w in report.verdict.why[1:] if not w.startswith("Advice: ")],
        advice=advice(report),
        command=command(report),
        rungs=rung_rows(report),
        ladder_sentence=ladder_sentence(report),
        map_sentence=map_sentence(sample),
        sections=sections(report),
        sample_sentence=sample_sentence(sample, len(rows)),
        views=sorted({view for row in rows for view in row["views"]}),
        took=minutes(report.seconds),
        notes=[*report.dataset.notes, *report.model.notes, *report.embedder.notes],
        passed=sorted(report.config.passed.items()),
    )


def _unbroken(sentence: str) -> str:
    """No line ends between a number and its sign of percent."""
    return sentence.replace(" %", "\u00a0%")


def _that_fit(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first rows that take no more room than there is for them."""
    room, kept = ITEM_BYTES, []
    for row in rows:
        room -= len(_in_script(row).encode())
        if room < 0:
            break
        kept.append(row)
    return kept


def _lighter(drawn: dict[str, Any]) -> dict[str, Any]:
    """The charts; the edge map's points without the texts, which the page has among the items."""
    if "edge_map" not in drawn:
        return drawn
    chart = drawn["edge_map"]
    points = [
        {key: value for key, value in point.items() if key not in ("text", "target")}
        for point in chart["datasets"]["points"]
    ]
    return {**drawn, "edge_map": {**chart, "datasets": {"points": points}}}


def _in_script(value: Any) -> str:
    """JSON that cannot end a script element, whatever stands in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(text: str) -> str:
    """As a Content-Security-Policy names a script that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
