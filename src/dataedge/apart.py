"""Work on a file that comes from elsewhere, in a process of its own with limits.

What reads such a file (a parser in C, say) can crash, never come back, or fill the memory; there it ends
that process, and the command says so. It is no wall against code: nothing of the file's own is run
in the first place.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import subprocess  # nosec B404
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dataedge.errors import AuditError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

_START = "import sys; from dataedge.apart import _child; _child(sys.argv[1:])"
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG, linux/prctl.h
GIB = 1 << 30


def apart(
    work: Callable[..., None], *arguments: str, doing: str, hint: str, memory: int, seconds: float
) -> None:
    """Call a function in a process of its own.

    Args:
        work: of a module of this package, by whose name it is found again.
        arguments: of the call.
        doing: what it does, for messages: "gguf/a.gguf: reading this file".
        hint: what to do where it does not come to an end.
        memory: bytes that it may allocate, libraries included; not kept where the system has no such limit.
        seconds: that it may take.

    Raises:
        AuditError: what the function raised; or it crashed, took too long, or wanted too much memory.
    """
    name = f"{work.__module__}:{work.__qualname__}"
    with tempfile.TemporaryDirectory() as place:
        said = Path(place) / "said.json"
        command = [sys.executable, "-P", "-c", _START, name, str(memory), str(said), *arguments]
        try:
            done = subprocess.run(  # nosec B603
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            _fail(f"{doing} took over {seconds:.0f} s and was ended", hint, error)
        if done.returncode == 0:
            return
        try:
            told: dict[str, Any] = json.loads(said.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            told = {}
    if told.pop("memory", False):
        _fail(f"{doing} takes more than {memory / GIB:.1f} GiB of memory", hint)
    if "message" in told:
        raise AuditError(**told | {"code": ExitCode(told["code"])})
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
    with suppress(ValueError):
        how = signal.Signals(-done.returncode).name
    _fail(f"{doing} ended with {how}", hint)


def _fail(message: str, hint: str, error: Exception | None = None) -> NoReturn:
    raise AuditError(message, hint=hint) from error


def _child(arguments: list[str]) -> None:
    """The other side: limits, the call, and what it raised."""
    name, memory, said, *rest = arguments
    _end_with_parent()
    with suppress(ImportError, ValueError, OSError):  # a system without this limit
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        most = int(memory) if hard == resource.RLIM_INFINITY else min(int(memory), hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    module, _, function = name.partition(":")
    try:
        getattr(importlib.import_module(module), function)(*rest)
    except AuditError as error:
        told = {"message": error.message, "hint": error.hint, "code": int(error.code)}
        told |= {"memory": _of_memory(error)}
    except BaseException as error:
        if not _of_memory(error):
            raise
        told = {"memory": True}
    else:
        return
    Path(said).write_text(json.dumps(told), encoding="utf-8")
    sys.exit(1)


def _of_memory(error: BaseException | None) -> bool:
    """Whether memory ran out at the bottom of an error."""
    from dataedge.errors import machine_trouble

    while error is not None:
        trouble = machine_trouble(error)
        if trouble is not None and "memory" in trouble.message:
            return True
        error = error.__cause__
    return False


def _end_with_parent() -> None:
    """A parent that is killed takes this process with it, where the system can do that."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
