"""What is to be reviewed, by file and line, for what shows findings in code: SARIF 2.1.0.

GitHub and others mark the lines in a change, and follow a finding from one run to the next by its
fingerprint, which is the item's. Where a line cannot be told (a Parquet file has none), the finding names
the row.
"""

from __future__ import annotations

import csv
import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataedge.export.clean import require_same, source_of
from dataedge.report.printable import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataedge.finished_audit import Audit

RULES = {
    "suspects": ("label-suspect", "The label is probably wrong."),
    "responses": ("response-defect", "The response teaches what nobody wants to be learned."),
    "leaked": ("leaked-test-item", "A test item has a near duplicate on the train side."),
}
"""View → the rule that its items break."""
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST = 5_000
"""Findings of a view at most, worst first: what GitHub takes of a run."""
WIDTH = 80
"""Characters of a label that are shown."""
DELIMITERS = {".csv": ",", ".tsv": "\t"}


def sarif(audit: Audit) -> str:
    """The suspects of an audit, its response defects and leaked test items as a SARIF log.

    Args:
        audit: finished, of files that are still as they were.

    Raises:
        AuditError: the data was no file, or has changed.
    """
    from dataedge.load import items_of_rows

    source = source_of(audit)
    table, ids = items_of_rows(str(source), audit.report.config.effective)
    require_same(audit, source)
    rows: dict[str, list[tuple[str, int]]] = {}
    for at, items in enumerate(ids):
        for item in items:
            rows.setdefault(item, []).append(table.place(at))
    lines = {part.name: _lines(Path(part.name), part.rows) for part in table.parts}
    results = [
        _result(found, view, rows[found["item"]], lines)
        for view in RULES
        if view in audit.report.views
        for found in audit.view(view, MOST).rows
        if found["item"] in rows
    ]
    rules = [{"id": name, "shortDescription": {"text": says}} for name, says in RULES.values()]
    driver = {"name": "dataedge", "version": version("dataedge"), "rules": rules}
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(log, indent=1, ensure_ascii=False) + "\n"


def _result(
    found: Mapping[str, Any],
    view: str,
    rows: list[tuple[str, int]],
    lines: Mapping[str, list[int] | None],
) -> dict[str, Any]:
    """One finding, at all rows that are this item."""
    file, row = rows[0]
    return {
        "ruleId": RULES[view][0],
        "level": "warning",
        "message": {"text": f"Row {row} of {file}: {_says(found, view)}"},
        "locations": [_location(*place, lines) for place in rows],
        "partialFingerprints": {"item/v1": found["item"]},
    }


def _says(found: Mapping[str, Any], view: str) -> str:
    """What is wrong, without the item's text, which need not stand in a pipeline's log."""
    if view == "suspects":
        proposed = found.get("proposed")
        meant = f"; {shortened(str(proposed), WIDTH)!r} is proposed" if proposed else ""
        return f"the label {shortened(str(found['target']), WIDTH)!r} is probably wrong{meant}"
    if view == "leaked":
        return "a near duplicate of it is on the train side"
    return str(found.get("reason") or "the response is defective")


def _location(file: str, row: int, lines: Mapping[str, list[int] | None]) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(Path(file))}}
    known = lines.get(file)
    if known is not None:
        physical["region"] = {"startLine": known[row - 1]}
    return {
        "physicalLocation": physical,
        "logicalLocations": [{"fullyQualifiedName": f"row {row}"}],
    }


def _uri(path: Path) -> str:
    """A path below this directory as it is written there, any other one absolute."""
    from urllib.parse import quote

    whole = path.resolve()
    if whole.is_relative_to(Path.cwd()):
        return quote(whole.relative_to(Path.cwd()).as_posix())
    return whole.as_uri()


def _lines(path: Path, rows: int) -> list[int] | None:
    """The line on which each row begins, from 1; None where that cannot be told.

    Read as lines or as delimited text, a file must have as many records as rows were read of it.
    """
    ending = path.suffix.lower()
    if not path.is_file() or ending not in {".jsonl", ".ndjson", ".txt", *DELIMITERS}:
        return None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if ending not in DELIMITERS:
                found = [at for at, line in enumerate(file, 1) if line.strip()]
            else:
                found, before = [], 0
                reader = csv.reader(file, delimiter=DELIMITERS[ending])
                for record in reader:
                    if any(record):
                        found.append(before + 1)
                    before = reader.line_num
                found = found[len(found) - rows :] if len(found) - rows in (0, 1) else []
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    return found if len(found) == rows else None
