"""What the page says: a section per subject, with one chart, one sentence and how it was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dataedge.measure.registry import MEASURES
from dataedge.report.charts.bars import shown_rungs
from dataedge.report.charts.item_map import zones
from dataedge.report.sentences import figure, least, rung_name, said, seen, unadorned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.report.item_sample import ItemSample
    from dataedge.report.model import FigureModel, Report


@dataclass(frozen=True)
class Row:
    """One figure of a section: what it is called, its value with interval, its unit, and what of it."""

    name: str
    value: str
    unit: str
    note: str


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        id: of the element, and of its place in the page's list.
        title: in the list and above it.
        sentence: what was found.
        chart: its name in `charts`; there may be nothing to draw.
        rows: figures.
        how: how they were measured, a sentence each.
    """

    id: str
    title: str
    sentence: str
    chart: str
    rows: tuple[Row, ...]
    how: tuple[str, ...]


SUBJECTS: Final = {
    "novelty": (
        "What the model knows already",
        "known_share",
        "surprisal_bits_per_byte",
        "verbatim_recall",
        "exact_match_zero_shot",
        "exact_match",
        "knowledge",
    ),
    "learning_curve": (
        "How much data there is",
        "examples_needed",
        "bits_learned",
        "edge_unseen_pieces",
        "tokens",
    ),
    "labels": (
        "Labels",
        "label_noise",
        "label_conflicts",
        "label_leak",
        "label_shift",
        "class_balance",
    ),
    "definedness": ("How well the task is defined", "definedness", "disagreement"),
    "redundancy": (
        "Repeated rows",
        "duplicate_share",
        "near_duplicate_share",
        "effective_rows",
    ),
    "responses": ("Responses", "response_defects"),
}
"""Section → its title, and the measures in it."""
TERMS: Final = {
    "novelty": "new",
    "learning_curve": "enough",
    "labels": "clean",
    "definedness": "defined",
}
"""Section → the term of the claim whose sentence it repeats."""


def sections(report: Report) -> list[Section]:
    """The sections below ladder, edge map and reasons, in their order; empty ones left out."""
    returns = {measure.name: measure.returns for measure in MEASURES}
    found = []
    for id_, (title, *names) in SUBJECTS.items():
        measured = {n: report.measures[n] for n in names if n in report.measures}
        if all(f.status == "skipped" for f in measured.values()):
            continue
        found.append(
            Section(
                id_,
                title,
                _sentence(id_, report),
                id_,
                tuple(_row(name, f) for name, f in measured.items() if f.status != "skipped"),
                tuple(
                    f"{_name(n)}: {returns[n]}"
                    for n, f in measured.items()
                    if f.status != "skipped"
                ),
            )
        )
    if report.exposure:
        tests = tuple(_row(e.test, e) for e in report.exposure)
        how = "A p-value below .01 says that the model has probably seen the dataset as a whole."
        said_ = seen(report.exposure)
        found.append(
            Section(
                "exposure", "Seen before?", f"{said_[:1].upper()}{said_[1:]}.", "", tests, (how,)
            )
        )
    return found


def ladder_sentence(report: Report) -> str:
    """What the bars of the ladder are."""
    rungs = {r.rung: r for r in shown_rungs(report)}
    if "with_data" not in rungs or "without_data" not in rungs:
        return "Each bar is what was reached, with its 95 % interval."
    task = report.edge.parts.get("task")
    counts = "The edge is the difference of the two blue ones."
    if task is not None and report.edge.value == task.value:
        counts = "The blue ones differ by all that the data adds; the edge counts what of it is not style."
    apart = []
    if "repaired" in rungs:
        apart.append("with suspects left out, items that are suspect are not judged on either")
    if forecasts := [rung_name(rungs[r]) for r in ("tuned_all", "more_data") if r in rungs]:
        names = " and ".join(f"“{name.removesuffix(', forecast')}”" for name in forecasts)
        apart.append(f"{names} {'are forecasts' if len(forecasts) > 1 else 'is a forecast'}")
    beside = f" ({'; '.join(apart)})" if apart else ""
    green = "tuned" in rungs and rungs["tuned"].value is not None
    tuned = " The green one is a fine-tune that was run." if green else ""
    return (
        f"Each bar is what was reached on the same {rungs['with_data'].n:,} held-out items{beside}, with its "
        f"95 % interval. {counts}{tuned}"
    )


def map_sentence(sample: ItemSample) -> str:
    """How many held-out items lie where on the edge map."""
    counts = zones(sample)
    total, there = sum(counts.values()), len(sample.judged())
    parts = [f"{n:,} {zone}" for zone, n in counts.items() if n]
    some = f" (of {there:,})" if there > total else ""
    cut = ""
    if sample.pair and sample.pair.kind == "share":
        cut = (
            " Zones are cut at one half; the likeliest answer can be right with less, so they do not add up "
            "to the ladder."
        )
    return f"Of {total:,} held-out items{some}: {'; '.join(parts)}.{cut}" if total else ""


def sample_sentence(sample: ItemSample, shown: int) -> str:
    """Which items the page holds."""
    if shown >= sample.of:
        return f"All {sample.of:,} items."
    return (
        f"{shown:,} of {sample.of:,} items: those of every view, then held-out ones, then others, drawn so "
        "that each label keeps its share. `dataedge items` and the store have all of them."
    )


def _sentence(id_: str, report: Report) -> str:
    term = next((t for t in report.terms if t.id == TERMS.get(id_)), None)
    if term is not None and (id_ != "labels" or report.measures["label_noise"].status != "skipped"):
        text = said(term)
        if text == unadorned(term.sentence):
            text = term.sentence
        else:
            text = f"{text[:1].upper()}{text[1:]}. {term.sentence}"
        return text.replace("δ", least(report, report.edge.unit))
    if id_ == "redundancy":
        rows, detail = report.dataset.rows, report.measures["effective_rows"].detail
        near = detail.get("near_duplicate_clusters", report.dataset.unique)
        return (
            f"{rows:,} rows, {report.dataset.unique:,} of them distinct, {near:,} where near duplicates "
            "count once."
        )
    if id_ == "responses":
        defects = report.measures["response_defects"]
        if defects.value is not None:
            return f"{100 * defects.value:.1f} % of the responses have a defect."
    return ""


def _row(name: str, found: FigureModel) -> Row:
    return Row(_name(name), figure(found), found.unit, found.reason)


def _name(measure: str) -> str:
    return measure.replace("_", " ")


def rung_rows(report: Report) -> Sequence[Row]:
    """The ladder as a table."""
    return [
        Row(
            r.rung,
            figure(r),
            r.unit,
            r.reason or str(r.detail.get("is") or r.detail.get("how", "")),
        )
        for r in report.ladder
    ]
