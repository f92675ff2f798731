"""The command line: parse, call, print, exit code; nothing else prints."""

from dataedge.cli.app import main

__all__ = ["main"]
