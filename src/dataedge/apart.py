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
import threading
import time
import traceback
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

from dataedge.errors import AuditError, ExitCode, machine_trouble, out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

_START = "import sys; from dataedge.apart import _child; _child(sys.argv[1:])"
_ALONE = {"OPENBLAS_NUM_THREADS": "1"}
"""Each of its threads would take memory that nothing here needs."""
_GRACE = 5.0
"""Seconds after which such a process ends itself, where this one has not."""
_LONGEST, _LONGEST_TRACE = 200, 6000
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


class WorkError(RuntimeError):
    """The work raised what nobody expected: a fault of this package, whose trace is in its notes."""


def wanted() -> bool:
    """Whether such work is to have a process of its own: on Linux and macOS, unless `DATAEDGE_APART=0`."""
    frozen = getattr(
        sys, "frozen", False
    )  # there the executable is a program of its own, not Python
    able = os.name == "posix" and bool(sys.executable) and not frozen
    return able and os.environ.get(HERE) != "0"


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
        WorkError: the function raised anything else.
    """
    name = f"{work.__module__}:{work.__qualname__}"
    told, (taken, broken), late, status = _run(name, arguments, limits, take)
    if told.get("done"):
        if broken is not None:
            raise broken
        return taken
    if told.get("unheard") and broken is not None:
        raise broken  # this side stopped listening first
    seconds = limits.seconds if late else None
    error = _why(status, told, limits.memory, seconds, doing, hint)
    if trace := told.get("trace"):
        error.add_note(trace)
    raise error


class _Ended(NamedTuple):
    """What there is of such a process once it has ended.

    Attributes:
        told: by itself: that it is done, or what was raised; nothing where it was ended.
        taken: what was handed over, or what was wrong with it.
        late: whether it was ended for the time it took.
        status: of the process, where the system tells it.
    """

    told: dict[str, Any]
    taken: tuple[Any, Exception | None]
    late: bool
    status: int


def _run(
    name: str, arguments: tuple[str, ...], limits: Limits, take: Callable[[IO[bytes]], Any] | None
) -> _Ended:
    """Start it, listen, and see it end; whatever happens here, it does not go on."""
    handed, hands = _pipe()  # of their own: what Python or a library prints comes not between
    said, says = _pipe()
    with os.fdopen(handed, "rb") as stream, os.fdopen(said, "rb") as words:
        try:
            ours = (limits.memory, limits.seconds + _GRACE, os.getpid(), hands, says)
            command = [sys.executable, "-P", "-c", _START, *map(str, ours), name]
            child = subprocess.Popen(  # nosec B603
                [*command, "stream" if take else "", *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=os.environ | _ALONE | {"PYTHONPATH": os.pathsep.join(_places())},
                pass_fds=(hands, says),
            )  # fmt: skip
        finally:
            os.close(hands)
            os.close(says)
        late = threading.Event()
        try:
            clock = threading.Timer(limits.seconds, _end, (child, late))
            clock.daemon = True
            clock.start()
            try:
                taken = _taken(stream, take or _nothing)
                told = _told(words)
                status = child.wait()
            finally:
                clock.cancel()
        except BaseException:
            child.kill()
            child.wait()
            raise
    return _Ended(told, taken, late.is_set(), status)


def _pipe() -> tuple[int, int]:
    """Both ends of a pipe, what is written to last: none is a standard one, which may be free here."""
    import fcntl  # not where `wanted` says no

    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def _end(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


def _why(
    status: int, told: dict[str, Any], memory: int, seconds: float | None, doing: str, hint: str
) -> Exception:
    """What the other side raised, or how it ended; after so many seconds where it was ended."""
    if seconds is not None:
        return AuditError(f"{doing} took over {seconds:.0f} s and was ended", hint)
    if limit := told.get("memory"):
        if limit < memory:  # of whoever runs this, set before
            return machine_trouble(MemoryError()) or AuditError(doing, hint)
        return AuditError(f"{doing} takes more than {memory / GIB:.1f} GiB of memory", hint)
    if error := told.get("error"):
        return AuditError(**error | {"code": ExitCode(error["code"])})
    if unexpected := told.get("name"):
        return WorkError(f"{doing} ended with {unexpected}")
    if status == -signal.SIGKILL:
        return AuditError(f"{doing} was killed, as the system does where memory is short", hint)
    ended = f"status {status}"
    with suppress(ValueError):
        ended = signal.Signals(-status).name
    return AuditError(f"{doing} ended with {ended}", hint)


def _taken(stream: IO[bytes], take: Callable[[IO[bytes]], T]) -> tuple[T | None, Exception | None]:
    """What was handed over, or what was wrong with it: most often the other side ended in the middle."""
    try:
        with stream:
            taken = take(stream)
            _nothing(stream)
    except Exception as error:
        if machine_trouble(error):  # it is this side that has no memory left
            raise
        return None, error
    return taken, None


def _nothing(stream: IO[bytes]) -> None:
    while stream.read(1 << 16):
        pass


def _told(words: IO[bytes]) -> dict[str, Any]:
    try:
        return dict(json.loads(words.read()))
    except ValueError:  # it was ended before it said anything
        return {}


def _child(arguments: list[str]) -> None:
    """The other side: limits, the call, and what it raised."""
    memory, seconds, parent, hands, says, name, handed_over, *rest = arguments
    for number in (hands, says):
        os.set_inheritable(int(number), False)
    _end_with_parent(int(parent))
    _end_in_time(float(seconds))
    limit = _limit(int(memory))
    with os.fdopen(int(says), "w", encoding="utf-8") as words:
        told: dict[str, Any] = {"done": True}
        try:
            with os.fdopen(int(hands), "wb") as stream:
                module, _, function = name.partition(":")
                work = getattr(importlib.import_module(module), function)
                work(*([stream] if handed_over else []), *rest)
        except Exception as error:  # noqa: BLE001  it is raised on the other side
            told = _of_error(error, limit)
        json.dump(told, words)
    os._exit(0 if told.get("done") else 1)  # what libraries do at their end can no longer fail


def _of_error(error: Exception, limit: int) -> dict[str, Any]:
    """What the other side is told of an error; of all of it not more than a pipe holds."""
    told: dict[str, Any] = {"memory": _of_memory(error) and limit}
    told["unheard"] = isinstance(error, BrokenPipeError)
    told["trace"] = traceback.format_exc()[-_LONGEST_TRACE:]
    known = error if isinstance(error, AuditError) else machine_trouble(error)
    if known is not None:
        told["error"] = {"message": known.message, "hint": known.hint, "code": int(known.code)}
    else:
        line = (str(error).splitlines() or [""])[0][:_LONGEST]
        told["name"] = f"{type(error).__name__}: {line}".strip(": ")
    return told


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
        if out_of_memory(error):
            return True
        error = error.__cause__
    return False


def _end_in_time(seconds: float) -> None:
    """The clock of the other side may be gone; this one needs nobody."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _end_with_parent(parent: int) -> None:
    """A parent that is killed takes this process with it."""
    try:
        ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
    except (OSError, AttributeError):  # a system without it
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it was killed before
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
