"""The one exception a user sees, and the exit codes of the command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns; part of the public interface."""

    OK = 0
    GATE_FAILED = 1
    USAGE = 2
    NO_CONCLUSION = 3
    INTERRUPTED = 130


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
