"""Which columns play which role in a table, what the user's flags say of it, and what errors list."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from dataedge.errors import AuditError
from dataedge.items import LABELLED, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dataedge.load.chat import Tags

Kind = Literal["chat", "preference", "pair", "labelled", "label_lists", "number", "corpus"]
_TASKS: dict[str, Task] = {
    "labelled": Task.CLASSIFY,
    "label_lists": Task.MULTILABEL,
    "number": Task.NUMBER,
    "corpus": Task.CORPUS,
}
_CALLED = {
    "labelled": "labels",
    "label_lists": "lists of labels",
    "number": "numbers",
    "pair": "answers",
}


@dataclass(frozen=True)
class Flags:
    """What the user said about the columns; None where nothing was said."""

    task: Task | None = None
    text: str | None = None
    label: str | None = None
    prompt: str | None = None
    response: str | None = None

    @property
    def silent(self) -> bool:
        """No flag about columns was given (the task may have been)."""
        return (self.text, self.label, self.prompt, self.response) == (None,) * 4


@dataclass(frozen=True)
class ColumnRoles:
    """One way to read a table.

    Attributes:
        kind: how rows become items.
        texts: columns of the input; for a pair, the prompt and what is read beside it.
        target: column of the label or response; None for a corpus or where annotators vote.
        annotators: columns with one annotator's labels each.
        rejected: column of the response that was not preferred.
        system: column of the system prompt.
        history: column of earlier rounds of a conversation, a prompt and a response each.
        feedback: column that says whether the response is wanted, as KTO has it.
        notes: sentences for the report.
    """

    kind: Kind
    texts: tuple[str, ...]
    target: str | None = None
    annotators: tuple[str, ...] = ()
    rejected: str | None = None
    system: str | None = None
    history: str | None = None
    feedback: str | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def task(self) -> Task:
        """What a table read in this way asks of a model."""
        return _TASKS.get(self.kind, Task.GENERATE)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that have a role."""
        single = (self.target, self.rejected, self.system, self.history, self.feedback)
        return tuple(dict.fromkeys((*self.texts, *(c for c in single if c), *self.annotators)))

    @property
    def by_role(self) -> dict[str, str | tuple[str, ...]]:
        """Role → column name(s), as a report shows it."""
        named: dict[str, tuple[str, ...]] = {
            "text" if self.task is not Task.GENERATE else "prompt": self.texts,
            "label" if self.task in LABELLED else "response": (self.target,) if self.target else (),
            "annotator": self.annotators,
            "rejected": (self.rejected,) if self.rejected else (),
        }
        if self.kind == "chat":
            named = {"messages": self.texts}
        beside = {"system": self.system, "history": self.history, "feedback": self.feedback}
        named |= {role: (column,) for role, column in beside.items() if column}
        return {role: c[0] if len(c) == 1 else c for role, c in named.items() if c}

    def __str__(self) -> str:
        left, right = " + ".join(self.texts), self.target or " / ".join(self.annotators)
        if self.kind == "chat":
            return f"chat in '{left}'"
        if self.kind == "corpus":
            return f"running text in '{left}'"
        if self.kind == "preference":
            return f"'{right}' preferred to '{self.rejected}'" + (
                f", asked by '{left}'" if left else ""
            )
        return f"{_CALLED[self.kind]} '{right}' to '{left}'"

    def noting(self, note: str) -> ColumnRoles:
        """The same roles with a sentence more for the report."""
        return replace(self, notes=(*self.notes, note))

    @property
    def flag(self) -> str:
        """The flags that choose these roles."""
        if self.task in LABELLED:
            labels = self.target or ",".join(self.annotators)
            return f"--text-column {','.join(self.texts)} --label-column {labels}"
        if self.kind == "corpus":
            return f"--task corpus --text-column {self.texts[0]}"
        if self.kind == "chat":
            return f"--prompt-column {self.texts[0]}"
        prompt = f"--prompt-column {self.texts[0]} " if self.texts else ""
        return f"{prompt}--response-column {self.target}"


@dataclass(frozen=True)
class Declared:
    """What a description that lies beside the data says of its columns.

    Attributes:
        where: file and name of the description, for messages.
        roles: the columns' roles.
        optional: columns that need not be there.
        tags: keys and roles of messages, where they have names of their own.
    """

    where: str
    roles: ColumnRoles
    optional: tuple[str, ...] = ()
    tags: Tags | None = None


def undecided(where: str, readings: Sequence[ColumnRoles]) -> AuditError:
    """The error for data that can be read in more than one way."""
    several = "two readings fit" if len(readings) == 2 else f"{len(readings)} readings fit"
    shown = [*readings[:5], *readings[5:][-1:]]  # the last one is of another kind than the rest
    listing = "; ".join(f"({i}) {r}" for i, r in enumerate(shown, 1))
    flags = " or ".join(f"({i}) {r.flag}" for i, r in enumerate(shown, 1))
    return AuditError(f"{where}: {several}: {listing}", f"Settle it with {flags}")


def resolve(where: str, flag: str, value: str, names: Sequence[str]) -> tuple[str, ...]:
    """The column, or columns separated by commas, that a flag names.

    Args:
        where: the file, for the error.
        flag: as typed.
        value: its value.
        names: of the columns there are.

    Raises:
        AuditError: for a column that does not exist, with the nearest name.

    Example:
        >>> resolve("x.csv", "--text-column", "premise,Hypothesis", ["premise", "hypothesis"])
        ('premise', 'hypothesis')
    """
    if value in names:
        return (value,)
    by_key: Mapping[str, str] = {name.strip().lower(): name for name in reversed(names)}
    wanted = [part.strip() for part in value.split(",") if part.strip()]
    if whole := by_key.get(value.strip().lower()):
        return (whole,)
    for part in wanted or [value]:
        if part.lower() not in by_key:
            near = difflib.get_close_matches(part.lower(), by_key, n=1, cutoff=0.5)
            hint = (
                f"Did you mean {flag} {by_key[near[0]]}?"
                if near
                else f"Choose one of these names with {flag}"
            )
            raise AuditError(f"{where}: no column '{part}' (columns: {', '.join(names)})", hint)
    return tuple(by_key[part.lower()] for part in wanted)
