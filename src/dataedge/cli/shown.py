"""A finished audit on a terminal or as JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from dataedge.api import Audit


def write_json(audit: Audit, json: str) -> None:
    """The whole report into a file, or to stdout for -."""
    from dataedge.finished_audit import json_text

    if json == "-":
        typer.echo(json_text(audit.report))
        return
    try:
        Path(json).write_text(json_text(audit.report) + "\n", encoding="utf-8")
    except OSError as error:
        raise AuditError(
            f"--json {json}: {error.strerror}",
            hint="Name a file that can be written: --json FILE, or - for stdout",
        ) from error


def print_audit(audit: Audit, json: str | None, *, details: bool) -> None:
    """The first screen, where it stands, and every figure if details are wanted; or JSON alone."""
    from dataedge.finished_audit import PAGE, json_text
    from dataedge.report.terminal import show, show_details

    if json == "-":
        typer.echo(json_text(audit.report))
        return
    where = []
    if json:
        write_json(audit, json)
        where.append(json)
    page = audit.directory / PAGE
    where[:0] = [str(page)] if page.is_file() else []
    if not details:
        where.append(f"every figure: `dataedge report {audit.directory} --details`")
    show(audit.report, where, sys.stdout, str(audit.directory))
    if details:
        show_details(audit.report, _worst(audit), sys.stdout)


def _worst(audit: Audit, k: int = 5) -> list[dict[str, Any]]:
    view = next((v for v in ("suspects", "responses", "hard") if audit.report.views.get(v)), None)
    if view is None:
        return []
    rows = audit.view(view, k).rows
    return [
        {
            "item": row["item"],
            "given": row["target"] if view == "suspects" else "",
            "proposed": row.get("proposed"),
            "reason": row.get("reason") or view,
            "text": " | ".join(row["texts"]),
        }
        for row in rows
    ]
