"""The one exception a user sees, and the exit codes of the command."""

from __future__ import annotations

import errno
import re
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns; part of the public interface."""

    OK = 0
    GATE_FAILED = 1
    USAGE = 2
    NO_CONCLUSION = 3
    INTERRUPTED = 130
    TERMINATED = 143


class AuditError(Exception):
    """Something the user can mend: a message that names the place, a hint that mends it.

    Args:
        message: one sentence that names the file, column, row or flag.
        hint: one sentence with the flag or command that mends it.
        code: the exit code; USAGE for input and configuration, NO_CONCLUSION for a failed run.

    Example:
        >>> str(AuditError("data.csv: no column 'labl'", hint="Did you mean --label-column label?"))
        "data.csv: no column 'labl'"
    """

    def __init__(self, message: str, hint: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __reduce__(self) -> tuple[type[AuditError], tuple[str, str, ExitCode]]:
        """It is told whole in another process too."""
        return AuditError, (self.message, self.hint, self.code)


class DamagedError(AuditError):
    """An audit's file is not as it was written.

    Args:
        path: of the file.
        out: the audit's directory.
    """

    def __init__(self, path: object, out: object) -> None:
        super().__init__(
            f"{path} is damaged: bytes in it were changed or cut off since they were written",
            hint=f"Run `dataedge audit DATA --out {out}`: what can be read is kept, the rest is made anew",
            code=ExitCode.NO_CONCLUSION,
        )


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ROOM_TEXTS = ("no space left", "file too large", "quota exceeded")
_NO_MEMORY_TEXTS = (
    "out of memory",
    "allocate memory",
    "failed to allocate",
    "allocation failure",
    "bad_alloc",
)
"""How DuckDB, Arrow, torch and the C library say it, in lower case."""


def machine_trouble(error: BaseException) -> AuditError | None:
    """What to tell where the machine, not the data, stood in the way; None for any other error.

    Example:
        >>> machine_trouble(MemoryError()).message
        'the memory ran out'
        >>> machine_trouble(ValueError("no")) is None
        True
    """
    if isinstance(error, AuditError):
        return None
    if getattr(error, "errno", None) in NO_ROOM or _says(error, _NO_ROOM_TEXTS):
        return AuditError(
            "there is no room left on the disk",
            hint="Make room, then give the command again: it goes on (or start over with --out DIR)",
            code=ExitCode.NO_CONCLUSION,
        )
    if out_of_memory(error):
        return AuditError(
            "the memory ran out",
            hint="Close other programs, then give the command again: it goes on (or use --limit N)",
            code=ExitCode.NO_CONCLUSION,
        )
    return None


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, and not that a file is called so.

    Example:
        >>> out_of_memory(FileNotFoundError(2, "No such file", "out of memory.csv"))
        False
        >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
        True
    """
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return _says(error, _NO_MEMORY_TEXTS)


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    """Whether one of these stands in what a library says, names of files left out.

    What an error number tells is not told by words, nor what is wrong with a value.
    """
    if isinstance(error, AuditError | ValueError) or getattr(error, "errno", None) is not None:
        return False
    said = re.sub(r"""(?<!\w)(["']).*?\1""", "", str(error)).lower()
    return any(text in said for text in texts)
