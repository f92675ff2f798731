"""`dataedge export`: items for people to decide on, and a cleaned copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dataedge.errors import AuditError
from dataedge.export.review import ENDINGS, written

if TYPE_CHECKING:
    from dataedge.finished_audit import Audit


def write_review(audit: Audit, form: str, view: str, out: str | None) -> str:
    """Write the items of a view.

    Args:
        audit: finished.
        form: csv, label-studio or argilla.
        view: of the audit.
        out: file; `review` with the ending of the form, in this directory, if None; - for none.

    Returns:
        What to print: where it was written, or for `-` the text itself.

    Raises:
        AuditError: there is no such form or view, or the file cannot be written.
    """
    chosen = audit.view(view)
    text = written(chosen, form)
    if out == "-":
        return text
    path = Path(out) if out else Path("review" + ENDINGS[form])
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AuditError(
            f"--out {path}: {error.strerror}",
            hint="Name a file that can be written: --out FILE, or - for stdout",
        ) from error
    told = f"{len(chosen.rows)} items written to {path}"
    if form != "csv" or not chosen.rows:
        return told
    return (
        f"{told}. Write keep, drop or the right label into its column `decision`, then: dataedge export "
        f"{audit.directory} --clean --decisions {path}"
    )


def write_clean(
    audit: Audit, without: str | None, out: str | None, decisions: str | None = None
) -> str:
    """Write a cleaned copy.

    Args:
        audit: finished.
        without: reasons, separated by commas; the default ones if None.
        out: folder; `clean` if None.
        decisions: a review sheet that people filled in.

    Returns:
        What to print.

    Raises:
        AuditError: see `export.clean`.
    """
    from dataedge.export.clean import DEFAULT, clean

    reasons = DEFAULT if without is None else [r.strip() for r in without.split(",") if r.strip()]
    done = clean(audit, Path(out or "clean"), reasons, decisions)
    return done.sentence + _still_in(audit, done.out)


def _still_in(audit: Audit, copy: Path) -> str:
    """What a check finds in a copy all the same: it leaves rows out, and mends none."""
    from dataedge.check.run import check
    from dataedge.load import READING

    given = audit.report.config.effective
    try:
        found = check(str(copy), {name: given[name] for name in READING if name in given}).found
    except AuditError:  # too little is left to be read as a dataset
        return ""
    left = ", ".join(f"{f.name} ({len(f.rows):,})" for f in found if f.rows)
    return f"\nStill in it: {left}; see `dataedge check {copy}`" if left else ""
