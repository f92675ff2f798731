"""The report in a notebook: verdict and ladder, its style kept to itself by a shadow root."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from dataedge.report.sentences import evidence, figure

if TYPE_CHECKING:
    from dataedge.report.model import Report

STYLE = """
:host { all: initial; display: block; }
.card { font: 14px/1.45 system-ui, sans-serif; color: #1b1b1b; background: #fff; max-width: 860px;
        border: 1px solid #d5d5d5; border-radius: 6px; padding: 14px 18px; }
.label { display: inline-block; padding: 1px 8px; border-radius: 4px; color: #fff; font-weight: 600; }
.edge { background: #1a7f37; } .no_edge { background: #9a6700; } .inconclusive { background: #0969da; }
p { margin: 6px 0; } table { border-collapse: collapse; margin-top: 8px; width: 100%; }
td, th { text-align: left; padding: 2px 10px 2px 0; vertical-align: top; font-variant-numeric: tabular-nums; }
th { font-weight: 600; border-bottom: 1px solid #d5d5d5; }
.how { color: #666; } .room { width: 130px; } .bar { background: #4f81bd; height: 10px; border-radius: 2px; }
"""


def to_html(report: Report) -> str:
    """A fragment that a notebook can show; everything from the data is escaped."""
    verdict = report.verdict
    terms = "".join(
        "<tr>"
        f"<td>{html.escape(t.name)}</td><td><b>{html.escape(t.answer)}</b></td>"
        f"<td>{html.escape(t.sentence)}</td>"
        f"<td class='how'>{html.escape(evidence(t))}</td>"
        "</tr>"
        for t in report.terms
    )
    terms = terms and f"<table>{terms}</table>"
    sentences = "".join(f"<p>{html.escape(s)}</p>" for s in verdict.why)
    top = max((r.value for r in report.ladder if r.value is not None), default=1.0) or 1.0
    rows = "".join(
        "<tr>"
        f"<td>{html.escape(r.rung)}</td><td>{html.escape(figure(r))}</td>"
        f"<td class='room'><div class='bar' style='width:{120 * (r.value or 0) / top:.0f}px'></div></td>"
        f"<td class='how'>{html.escape(r.reason or str(r.detail.get('is') or r.detail.get('how', '')))}</td>"
        "</tr>"
        for r in report.ladder
    )
    unit = html.escape(report.ladder[0].unit)
    label = html.escape(verdict.label.replace("_", " "))
    return (
        f"<div><template shadowrootmode='open'><style>{STYLE}</style><div class='card'>"
        f"<span class='label {html.escape(verdict.label)}'>{label}</span> "
        f"<b>{html.escape(report.dataset.path)}</b>{terms}{sentences}"
        f"<table><tr><th>rung</th><th>{unit}</th><th></th><th>how</th></tr>{rows}</table>"
        "</div></template></div>"
    )
