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
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, overload

from dataedge.errors import AuditError, ExitCode, machine_trouble

if TYPE_CHECKING:
    from collections.abc import Callable

_START = "import sys; from dataedge.apart import _child; _child(sys.argv[1:])"
_LONGEST = 200
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG, linux/prctl.h
GIB = 1 << 30
HERE = "DATAEDGE_APART"
"""Environment variable; "0" has such work done in this process."""

T = TypeVar("T")


class Limits(NamedTuple):
    """Of such a process.

    Attributes:
        memory: bytes that it may allocate, libraries included; not kept where the system has no such limit.
        seconds: that it may take.
    """

    memory: int
    seconds: float


def wanted() -> bool:
    """Whether such work is to have a process of its own: unless `DATAEDGE_APART=0` says otherwise."""
    frozen = getattr(
        sys, "frozen", False
    )  # there the executable is a program of its own, not Python
    return bool(sys.executable) and not frozen and os.environ.get(HERE) != "0"


def _places() -> list[str]:
    """Where modules are looked for, from any folder; what is no text there, Python passes over."""
    return [os.path.abspath(place) for place in sys.path if isinstance(place, str)]  # noqa: PTH100


@overload
def apart(
    work: Callable[..., None], *arguments: str, doing: str, hint: str, limits: Limits
) -> None: ...


@overload
def apart(
    work: Callable[..., None], *arguments: str, doing: str, hint: str, limits: Limits,
    take: Callable[[IO[bytes]], T],
) -> T: ...  # fmt: skip


def apart(
    work: Callable[..., None], *arguments: str, doing: str, hint: str, limits: Limits,
    take: Callable[[IO[bytes]], Any] | None = None,
) -> Any:  # fmt: skip
    """Call a function in a process of its own, and take what it hands over while it runs.

    Args:
        work: of a module of this package, by whose name it is found again.
        arguments: of the call.
        doing: what it does, for messages: "gguf/a.gguf: reading this file".
        hint: what to do where it does not come to an end.
        limits: of memory and time.
        take: called with a stream of bytes, whose other end is the first argument of the call.

    Returns:
        What `take` made of it.

    Raises:
        AuditError: what the function raised; or it crashed, took too long, or wanted too much memory.
    """
    name = f"{work.__module__}:{work.__qualname__}"
    with tempfile.TemporaryDirectory() as place:
        said = Path(place) / "said.json"
        command = [
            *(sys.executable, "-P", "-c", _START),
            *(name, str(limits.memory), str(said), "stream" if take else "", *arguments),
        ]
        late = threading.Event()
        with subprocess.Popen(  # nosec B603
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(_places())},
        ) as child:  # fmt: skip
            clock = threading.Timer(limits.seconds, _end, (child, late))
            clock.daemon = True
            clock.start()
            try:
                taken, broken = _taken(cast("IO[bytes]", child.stdout), take or _nothing)
                child.wait()
            except BaseException:
                child.kill()
                raise
            finally:
                clock.cancel()
        told = _told(said)
    if child.returncode:
        seconds = limits.seconds if late.is_set() else None
        error = _why(child.returncode, told, limits.memory, seconds, doing, hint)
        if trace := told.get("trace"):
            error.add_note(trace)
        raise error
    if broken is not None:
        raise broken
    return taken


def _end(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


def _why(
    status: int, told: dict[str, Any], memory: int, seconds: float | None, doing: str, hint: str
) -> AuditError:
    """What the other side raised, or how it ended; after so many seconds where it was ended."""
    if seconds is not None:
        return AuditError(f"{doing} took over {seconds:.0f} s and was ended", hint)
    if limit := told.get("memory"):
        if limit < memory:  # of whoever runs this, set before
            return machine_trouble(MemoryError()) or AuditError(doing, hint)
        return AuditError(f"{doing} takes more than {memory / GIB:.1f} GiB of memory", hint)
    if error := told.get("error"):
        return AuditError(**error | {"code": ExitCode(error["code"])})
    ended = told.get("name") or f"status {status}"
    with suppress(ValueError):
        ended = signal.Signals(-status).name
    return AuditError(f"{doing} ended with {ended}", hint)


def _taken(stream: IO[bytes], take: Callable[[IO[bytes]], T]) -> tuple[T | None, Exception | None]:
    """What was handed over, or what was wrong with it: most often the other side ended in the middle."""
    try:
        with stream:
            return take(stream), None
    except Exception as error:
        if machine_trouble(error):  # it is this side that has no memory left
            raise
        return None, error


def _nothing(stream: IO[bytes]) -> None:
    stream.read()


def _told(said: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(said.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _child(arguments: list[str]) -> None:
    """The other side: limits, the call, and what it raised."""
    name, memory, said, handed_over, *rest = arguments
    _end_with_parent()
    limit = _limit(int(memory))
    # what libraries print goes where their errors go, so that the stream is the work's alone
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    module, _, function = name.partition(":")
    try:
        with stream:
            work = getattr(importlib.import_module(module), function)
            work(*([stream] if handed_over else []), *rest)
    except Exception as error:
        told: dict[str, Any] = {"memory": _of_memory(error) and limit}
        told["trace"] = traceback.format_exc()
        if isinstance(error, AuditError):
            raised = {"message": error.message, "hint": error.hint, "code": int(error.code)}
            told["error"] = raised
        else:
            line = (str(error).splitlines() or [""])[0][:_LONGEST]
            told["name"] = f"{type(error).__name__}: {line}".strip(": ")
        Path(said).write_text(json.dumps(told), encoding="utf-8")
        raise


def _limit(memory: int) -> int:
    """Set the limit of memory, and say which one holds: another may have been set before."""
    try:
        import resource
    except ImportError:  # a system without it
        return memory
    kinds = (resource.RLIMIT_DATA, resource.RLIMIT_AS)
    held = [limit for kind in kinds for limit in resource.getrlimit(kind)]
    least = min([memory, *(limit for limit in held if limit != resource.RLIM_INFINITY)])
    with suppress(ValueError, OSError):
        resource.setrlimit(
            resource.RLIMIT_DATA, (least, resource.getrlimit(resource.RLIMIT_DATA)[1])
        )
    return least


def _of_memory(error: BaseException | None) -> bool:
    """Whether memory ran out at the bottom of an error."""
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
