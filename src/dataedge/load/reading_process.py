"""A path is read in a process of its own, with limits of memory and time, and its table handed over.

Readers of Parquet, Arrow, CSV and JSON are large programs in C++: where a file makes one crash, never come
back or fill the memory, that process ends and the command says so. The table comes through a pipe, in
Arrow's own form; nothing is written to a disk.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from dataedge.apart import Limits, apart, wanted
from dataedge.load.chat import Tags
from dataedge.load.column_roles import ColumnRoles, Declared
from dataedge.load.folder import read_path
from dataedge.load.formats import BY_SUFFIX
from dataedge.load.table import Part, Table, Unread

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY, PER_CORE, TIMES_ITS_SIZE = 2 << 30, 32 << 20, 100
"""Bytes that reading may allocate: for the libraries and their threads, and for copies of what is read,
of which JSON as Python objects and compressed tables are the largest."""
SECONDS, PER_FILE, BYTES_PER_SECOND = 120.0, 0.2, 500_000.0
"""Seconds that it may take: two slow cores read some megabytes in one, a distant disk opens some files."""
MOST_FILES = 100_000
"""Files that are looked at for their sizes."""
_LENGTH = struct.Struct("<Q")
HINT = "Check where it comes from; `DATAEDGE_APART=0 dataedge plan FILE` reads it without limits"


def read_apart(path: Path, name: str) -> Table:
    """Reads as `read_path` does, in a process of its own; here with `DATAEDGE_APART=0`.

    Args:
        path: a file or folder.
        name: the path as the user gave it.

    Raises:
        AuditError: as `read_path`; or the process crashed, took too long or wanted too much memory.
        WorkError: reading raised what nobody expected.
    """
    if not (wanted() and path.exists()):
        return read_path(path, name)
    sizes = _sizes(path)
    size = sum(sizes)
    memory = MEMORY + PER_CORE * (os.cpu_count() or 1) + TIMES_ITS_SIZE * size
    memory = min(memory, max(MEMORY, _of_machine()))
    return apart(
        send,
        *(str(path), name),
        take=receive,
        doing=f"{name}: reading it",
        hint=HINT,
        limits=Limits(memory, SECONDS + PER_FILE * len(sizes) + size / BYTES_PER_SECOND),
    )


def send(out: IO[bytes], path: str, name: str) -> None:
    """Read, and write the table to a stream; the other side of `receive`."""
    table = read_path(Path(path), name)
    told = {
        "name": table.name,
        "prose": table.prose,
        "parts": [asdict(part) for part in table.parts],
        "notes": [[note, isinstance(note, Unread)] for note in table.notes],
        "declared": None if table.declared is None else asdict(table.declared),
    }
    head = json.dumps(told).encode()
    out.write(_LENGTH.pack(len(head)))
    out.write(head)
    with pa.ipc.new_stream(out, table.data.schema) as writer:
        writer.write_table(table.data)


def receive(stream: IO[bytes]) -> Table:
    """The table that `send` wrote to the other end."""
    told: dict[str, Any] = json.loads(stream.read(*_LENGTH.unpack(stream.read(_LENGTH.size))))
    data = pa.ipc.open_stream(stream).read_all()
    return Table(
        told["name"],
        data,
        tuple(Part(**part) for part in told["parts"]),
        prose=told["prose"],
        notes=tuple(Unread(note) if unread else note for note, unread in told["notes"]),
        declared=None if told["declared"] is None else _declared(told["declared"]),
    )


def _declared(told: dict[str, Any]) -> Declared:
    roles, tags = told["roles"], told["tags"]
    return Declared(
        told["where"],
        ColumnRoles(**{k: _tuple(v) for k, v in roles.items()}),
        _tuple(told["optional"]),
        None if tags is None else Tags(**tags),
    )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _sizes(path: Path) -> list[int]:
    """Of a file; or of what may be data in a folder, at any depth, in no order."""
    if not path.is_dir():
        return [path.stat().st_size]
    sizes = []
    for file in islice(_files(path), MOST_FILES):
        with suppress(OSError):  # a link to nothing, say
            if file.suffix.lower() in BY_SUFFIX:
                sizes.append(file.stat().st_size)
    return sizes


def _files(path: Path) -> Iterator[Path]:
    for folder, inner, files in os.walk(path):
        inner[:] = [name for name in inner if not name.startswith(".")]
        yield from (Path(folder, file) for file in files)


def _of_machine() -> int:
    """Bytes of memory that this machine has; where it does not say, no limit."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return sys.maxsize
