"""Answers on disk until the store has them: a crash costs no more than what was under way."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

FILE = "answers.jsonl"


class Journal:
    """The answers of the call that is under way, one JSON line each.

    A line that was cut off by a crash is left out when the file is read again.

    Args:
        directory: of the audit; None keeps nothing.
        revision: of the model; answers of another one are not read.
    """

    def __init__(self, directory: Path | None, revision: str) -> None:
        self.path = None if directory is None else directory / FILE
        self.revision = revision
        self._lock = threading.Lock()

    def read(self) -> dict[str, dict[str, Any]]:
        """Answers that an interrupted run left, by what was asked."""
        found: dict[str, dict[str, Any]] = {}
        if self.path is None or not self.path.is_file():
            return found
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
                if entry["model"] == self.revision:
                    found[entry["asked"]] = entry["answer"]
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def write(self, asked: str, answer: dict[str, Any]) -> None:
        """Add one answer."""
        if self.path is None:
            return
        entry = {"model": self.revision, "asked": asked, "answer": answer}
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def clear(self) -> None:
        """Forget all: the store has them, or they are not to be believed."""
        if self.path is not None:
            with self._lock:
                self.path.unlink(missing_ok=True)


def key(*asked: Any) -> str:
    """What was asked, as 40 hex digits.

    Example:
        >>> key("chat", {"a": 1}) == key("chat", {"a": 1}) != key("chat", {"a": 2})
        True
    """
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:40]
