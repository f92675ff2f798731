"""Files and folders that are whole or not there."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a text in UTF-8 in the place of what the file held: a reader finds the old one or the new.

    Raises:
        OSError: the folder cannot be written, or is full; the file is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def require_unused(out: Path) -> None:
    """Raise AuditError unless a folder is new or empty."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AuditError(
            f"--out {out}: is in use, and nothing is overwritten",
            hint="Name a folder that is new or empty: --out DIR",
        )


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, which is put in its place when all of it is written.

    Raises:
        AuditError: the place is in use, or cannot be written.
    """
    require_unused(out)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        yield temporary
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    except OSError as error:
        raise AuditError(
            f"{out}: {error.strerror or error}", hint="Name a folder that can be written: --out DIR"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
