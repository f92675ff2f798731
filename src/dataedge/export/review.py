"""Suspect items for people to decide on, in the forms that annotation tools read.

Label Studio: tasks with a prediction each, its `score` the probability that the given label is wrong
(labelstud.io, "Import pre-annotated data"). Argilla: records with a suggestion each (docs.argilla.io, "Add
records"). CSV: for a spreadsheet; what it would take for a formula is made text.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dataedge.report.item_view import ItemView

ENDINGS = {"csv": ".csv", "label-studio": ".json", "argilla": ".jsonl"}
"""Forms, and how their files end."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters from which a spreadsheet takes a cell for a formula (OWASP, "CSV injection")."""
COLUMNS = ("item", "row", "text", "given", "proposed", "p_wrong", "reason", "decision")


def written(view: ItemView, form: str) -> str:
    """The items of a view in the form of a tool.

    Args:
        view: suspects.
        form: csv, label-studio or argilla.

    Raises:
        AuditError: there is no such form.
    """
    rows = [_row(row) for row in view.rows]
    if form == "csv":
        return _csv(rows)
    if form == "label-studio":
        return json.dumps([_task(row) for row in rows], indent=1, ensure_ascii=False) + "\n"
    if form == "argilla":
        return "".join(json.dumps(_record(row), ensure_ascii=False) + "\n" for row in rows)
    raise AuditError(
        f"--review {form}: there is no such form",
        hint=f"Use one of --review {', --review '.join(ENDINGS)}",
    )


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a reviewer needs of an item; `p_wrong` is the probability that its label is wrong."""
    score = found.get("label_score")
    return {
        "item": found["item"],
        "row": found["row"],
        "text": "\n".join(map(str, found["texts"])),
        "given": found["target"],
        "proposed": found.get("proposed") or "",
        "p_wrong": None if score is None else round(1.0 - float(score), 4),
        "reason": found.get("reason") or "",
    }


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in COLUMNS])
    return out.getvalue()


def _cell(value: object) -> object:
    """A text that no spreadsheet takes for a formula.

    Example:
        >>> _cell("=1+1"), _cell("a=b"), _cell(0.5), _cell(None)
        ("'=1+1", 'a=b', 0.5, '')
    """
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _task(row: Mapping[str, Any]) -> dict[str, Any]:
    """A task of Label Studio, for a project with `<Text name="text">` and `<Choices name="label">`."""
    shown = ("item", "row", "text", "given", "reason")
    task: dict[str, Any] = {"data": {name: row[name] for name in shown}}
    if row["proposed"]:
        choice = {
            "from_name": "label",
            "to_name": "text",
            "type": "choices",
            "value": {"choices": [row["proposed"]]},
        }
        task["predictions"] = [
            {"model_version": "dataedge", "score": row["p_wrong"], "result": [choice]}
        ]
    return task


def _record(row: Mapping[str, Any]) -> dict[str, Any]:
    """A record of Argilla, for a dataset with a field `text` and a question `label`."""
    suggested = {"question_name": "label", "value": row["proposed"], "agent": "dataedge"}
    if row["p_wrong"] is not None:
        suggested["score"] = row["p_wrong"]
    return {
        "id": row["item"],
        "fields": {"text": row["text"]},
        "metadata": {name: row[name] for name in ("row", "given", "reason")},
        "suggestions": [suggested] if row["proposed"] else [],
    }
