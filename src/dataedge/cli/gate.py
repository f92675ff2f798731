"""`dataedge gate`: criteria from the command line or a file, outcomes for people and pipelines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.finished_audit import Audit

SUMMARY = "GITHUB_STEP_SUMMARY"


def hold(
    audit: Audit, criteria: Sequence[str], *, junit: str | None, github: bool, sarif: str | None
) -> int:
    """Print what came of each criterion.

    Args:
        audit: finished.
        criteria: those of `[gate]` in dataedge.toml or pyproject.toml where none are given.
        junit: file to write.
        github: append a table to the file that GitHub names.
        sarif: file to write what is to be reviewed to; no criterion is needed then.

    Returns:
        The exit code.

    Raises:
        AuditError: there are no criteria, one cannot be read, or a file cannot be written.
    """
    from dataedge.config import gate_criteria
    from dataedge.report import gate

    beside = Path(audit.report.dataset.path)
    wanted = list(criteria) or gate_criteria(beside if beside.exists() else None)
    if sarif:
        from dataedge.export.sarif import sarif as log

        text = log(audit)
        _write(sarif, text, "--sarif")
        told = len(json.loads(text)["runs"][0]["results"])
        typer.echo(f"{sarif}: {told:,} {'row' if told == 1 else 'rows'} to review")
    elif not wanted:
        raise AuditError(
            "gate: there is no criterion",
            hint="Name one: `dataedge gate AUDIT 'edge.low > 0.02'`, or a list under [gate] in dataedge.toml",
        )
    checked = gate.check(audit.report, wanted)
    for one in checked:
        typer.echo(one.line)
    if junit:
        _write(junit, gate.junit(checked, audit.report.dataset.path), "--junit")
    if github:
        summary = os.environ.get(SUMMARY)
        if not summary:
            raise AuditError(
                f"gate: --github needs the variable {SUMMARY}, which GitHub sets",
                hint="Leave --github out, or use --junit FILE",
            )
        _write(summary, gate.markdown(checked, audit.report), SUMMARY, append=True)
    return int(gate.exit_code(checked))


def _write(path: str, text: str, name: str, *, append: bool = False) -> None:
    try:
        with Path(path).open("a" if append else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise AuditError(
            f"{name} {path}: {error.strerror}",
            hint="Name a file that can be written: --junit FILE, --sarif FILE",
        ) from error
