"""The user's cache directory, and digests of files remembered there."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path


def cache_dir() -> Path:
    """Where converted weights and digests are kept.

    `DATAEDGE_CACHE`, else `XDG_CACHE_HOME`/dataedge, else `~/.cache/dataedge`.
    """
    named = os.environ.get("DATAEDGE_CACHE")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "dataedge"


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, computed once per path, size and time of change."""
    stat = path.stat()
    key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
    note = cache_dir() / "digests" / hashlib.sha256(key.encode()).hexdigest()[:32]
    with suppress(OSError):
        known = note.read_text(encoding="ascii").strip()
        if len(known) == 64:
            return known
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        note.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=note.parent)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(digest)
        Path(temporary).replace(note)
    return digest


def folder_digest(folder: Path) -> str:
    """SHA-256 over the weights, configuration and tokenizer files of a model's folder."""
    wanted = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in {".safetensors", ".bin", ".json", ".model", ".jinja", ".txt"}
    ]
    lines = "".join(f"{path.name} {file_digest(path)}\n" for path in wanted if path.is_file())
    return hashlib.sha256(lines.encode()).hexdigest()
