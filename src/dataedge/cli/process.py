"""The process of a command: its signals, its failures and its exit code."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import typer

from dataedge.cli.options import completed
from dataedge.errors import AuditError, ExitCode, machine_trouble

_state = {"debug": False, "terminated": False}


def remember(debug: bool) -> None:
    """Whether an error is to be shown with where it comes from."""
    _state["debug"] = debug


class TerminatedError(KeyboardInterrupt):
    """SIGTERM, which a scheduler sends before it takes the machine away: ended like Ctrl-C."""


def _terminated(*_: object) -> None:
    _state["terminated"] = True
    raise TerminatedError


def run_command(app: typer.Typer) -> None:
    """Run a command; every failure is a sentence, a hint and an exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    _state["terminated"] = False
    try:
        Path.cwd()
    except FileNotFoundError as error:
        _fail(
            "the folder this was started in is gone",
            "Change to one that is there: `cd DIR`",
            ExitCode.USAGE,
            error,
        )
    try:
        code = app(completed(sys.argv[1:]), standalone_mode=False)
        if code == ExitCode.INTERRUPTED and _state["terminated"]:  # typer knows of Ctrl-C alone
            code = ExitCode.TERMINATED
        if isinstance(code, int) and code:
            sys.exit(int(code))
    except AuditError as error:
        _fail(error.message, error.hint, error.code, error)
    except TerminatedError:
        sys.exit(int(ExitCode.TERMINATED))
    except KeyboardInterrupt:
        sys.exit(int(ExitCode.INTERRUPTED))
    except Exception as error:  # noqa: BLE001
        if hasattr(error, "format_message"):
            show_usage = getattr(error, "ctx", None)
            command = show_usage.command_path if show_usage else "dataedge"
            _fail(error.format_message(), f"See `{command} --help`", ExitCode.USAGE, error)
        if trouble := machine_trouble(error):
            _fail(trouble.message, trouble.hint, trouble.code, error)
        name = type(error).__name__
        _fail(
            f"unexpected {name}: {error}",
            "Run it again with --debug and report what it prints",
            ExitCode.NO_CONCLUSION,
            error,
        )


def _fail(message: str, hint: str, code: ExitCode, error: BaseException) -> None:
    if _state["debug"]:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    typer.echo(f"error: {message}\nhint: {hint}", err=True)
    sys.exit(int(code))
