"""`dataedge report --html --png --svg`: a finished audit as a page and as images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from dataedge.comparison.model import Comparison
    from dataedge.finished_audit import Audit


def write_page(audit: Audit, to: str) -> str:
    """Write the page.

    Args:
        audit: finished.
        to: file, or - for none.

    Returns:
        What to print: the file, or the page itself.

    Raises:
        AuditError: the file cannot be written.
    """
    return _written(audit.html(), to)


def write_comparison(found: Comparison, to: str) -> str:
    """Write two audits compared as a page; arguments and errors as above."""
    from dataedge.comparison.page import page

    return _written(page(found), to)


def _written(text: str, to: str) -> str:
    if to == "-":
        return text
    _write(Path(to), text.encode(), "Name a file that can be written: --html FILE")
    return to


def write_images(audit: Audit, form: Literal["png", "svg"], to: str) -> list[str]:
    """Write each chart as an image.

    Args:
        audit: finished.
        form: of the files.
        to: directory, made where it is missing.

    Returns:
        The files.

    Raises:
        AuditError: they cannot be written.
    """
    folder, files = Path(to), []
    for name, content in audit.images(form).items():
        _write(
            folder / f"{name}.{form}", content, f"Name a folder that can be written: --{form} DIR"
        )
        files.append(str(folder / f"{name}.{form}"))
    return files


def _write(path: Path, content: bytes, hint: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror}", hint=hint) from error
