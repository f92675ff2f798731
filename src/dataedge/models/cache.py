"""The user's cache directory, and digests of files remembered there."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dataedge.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

LOADED = frozenset(
    {".safetensors", ".json", ".model", ".jinja", ".txt", ".tiktoken", ".vocab", ".bpe"}
)
"""Endings of the files that a model is made from; pickled weights are never loaded."""


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
        write_whole(note, digest)
    return digest


def folder_digest(folder: Path, parts: Sequence[str] = ()) -> str:
    """SHA-256 over what is loaded of a model's folder: weights, configuration and tokenizer files.

    Args:
        folder: the model's.
        parts: folders inside that are loaded as well, such as an embedder's modules.
    """
    lines: list[str] = []
    for place in [folder, *(folder / part for part in sorted({*parts} - {""}))]:
        files = sorted(place.iterdir()) if place.is_dir() else []
        lines += [
            f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n"
            for path in files
            if path.suffix in LOADED and path.is_file()
        ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
