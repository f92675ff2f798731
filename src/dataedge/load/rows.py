"""A table and its columns' roles → items: rows that cannot be used are counted, duplicates collapse."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dataedge.errors import AuditError
from dataedge.items import Item
from dataedge.load import chat
from dataedge.load.cells import (
    UnusableError,
    answer_cell,
    conversation_cell,
    history_cell,
    preference_cells,
    text_cell,
)
from dataedge.load.label_lists import parse_label_lists
from dataedge.load.label_rows import parse_labelled
from dataedge.load.number_rows import parse_numbers
from dataedge.load.passages import head_and_rest, row_passages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataedge.load.column_roles import ColumnRoles
    from dataedge.load.table import Table

    Parse = Callable[[int], Iterator[Item]]


@dataclass
class Rows:
    """What the rows of a table became.

    Attributes:
        items: distinct ones, in order of first appearance, with the raw name of their split.
        rows: rows (of a corpus: passages) that were read.
        problems: what is wrong → the 0-based rows it is wrong with.
        unlabelled: 0-based rows without a label.
        crossed: items with copies in more than one split.
    """

    items: list[Item] = field(default_factory=list)
    rows: int = 0
    problems: dict[str, list[int]] = field(default_factory=dict)
    unlabelled: list[int] = field(default_factory=list)
    crossed: int = 0

    def notes(self, table: Table) -> list[str]:
        """One sentence per kind of problem, with the first row that has it."""
        found = [
            f"{first_place(table, at)}: {problem}; {_such(at)} left out"
            for problem, at in self.problems.items()
        ]
        if at := self.unlabelled:
            place = first_place(table, at)
            found.append(f"{place}: no label; {_such(at)} used only to find duplicates")
        if self.crossed:
            found.append(f"{table.name}: copies in several splits: {self.crossed:,} items")
        return found


def read_rows(
    table: Table,
    roles: ColumnRoles,
    splits: list[str | None],
    groups: list[str] | None = None,
    times: list[float] | None = None,
) -> Rows:
    """Turns every row into an item, or several for a long row of a corpus.

    Args:
        table: the data.
        roles: the columns' roles.
        splits: raw split of each row.
        groups: group of each row, "" for none; None without a column of them.
        times: when each row came about; None without a column of them.

    Raises:
        AuditError: if no row can be used.
    """
    parse = _PARSERS[roles.kind](table, roles)
    rows = Rows(rows=len(table))
    collected = _Collected()
    for at in range(len(table)):
        try:
            for item in parse(at):
                collected.add(
                    replace(
                        item,
                        split=splits[at],
                        groups=(groups[at],) if groups and groups[at] else (),
                        time=times[at] if times else None,
                    )
                )
                if item.label_missing:
                    rows.unlabelled.append(at)
        except UnusableError as error:
            rows.problems.setdefault(str(error), []).append(at)
    rows.items, rows.crossed = collected.items(), len(collected.crossed)
    if roles.kind == "corpus":
        unusable = sum(map(len, rows.problems.values()))
        rows.rows = sum(item.count for item in rows.items) + unusable
    if not rows.items:
        problem, where = max(rows.problems.items(), key=lambda pair: len(pair[1]))
        raise AuditError(
            f"{first_place(table, where)}: {problem}, and no row is usable",
            "Name other columns: --text-column, --label-column, --prompt-column, --response-column",
        )
    return rows


def items_by_row(table: Table, roles: ColumnRoles) -> Iterator[list[Item]]:
    """The items of each row, without what stands beside them (split, group, time); none if unusable."""
    for found in items_or_problem(table, roles):
        yield [] if isinstance(found, str) else found


def items_or_problem(table: Table, roles: ColumnRoles) -> Iterator[list[Item] | str]:
    """The items of each row as `items_by_row` gives them, or what makes the row unusable."""
    parse = _PARSERS[roles.kind](table, roles)
    for at in range(len(table)):
        try:
            yield list(parse(at))
        except UnusableError as error:
            yield str(error)


def first_place(table: Table, rows: list[int]) -> str:
    """The file and row of the first of some 0-based rows."""
    name, row = table.place(rows[0])
    return f"{name}, {'passage' if table.prose else 'row'} {row}"


def _such(rows: list[int]) -> str:
    return f"{len(rows):,} such row{'s' if len(rows) > 1 else ''}"


class _Collected:
    """Distinct items and how often each came; copies in two splits count for the earlier one."""

    _ORDER = ("train", "validation", "test")

    def __init__(self) -> None:
        self._items: dict[tuple[object, ...], Item] = {}
        self._counts: dict[tuple[object, ...], int] = {}
        self.crossed: set[tuple[object, ...]] = set()

    def add(self, item: Item) -> None:
        key = (
            *(item.texts, item.target, item.annotations, item.rejected, item.label_missing),
            item.number,
        )
        first = self._items.setdefault(key, item)
        self._counts[key] = self._counts.get(key, 0) + 1
        if set(item.groups) - set(first.groups) or (item.time or 0.0) < (first.time or 0.0):
            joined = tuple(sorted({*first.groups, *item.groups}))
            time = None if first.time is None else min(first.time, item.time or first.time)
            first = self._items[key] = replace(first, groups=joined, time=time)
        if item.split == first.split:
            return
        self.crossed.add(key)
        both = {first.split, item.split}
        earlier = next((s for s in self._ORDER if s in both), None)
        self._items[key] = replace(first, split=earlier)

    def items(self) -> list[Item]:
        return [
            item if (count := self._counts[key]) == 1 else replace(item, count=count)
            for key, item in self._items.items()
        ]


def _before(table: Table, roles: ColumnRoles) -> Callable[[int], list[chat.Turn]]:
    """A row's system prompt and earlier rounds, where columns of their own hold them."""
    system = table.column(roles.system) if roles.system else None
    history = table.column(roles.history) if roles.history else None

    def before(at: int) -> list[chat.Turn]:
        found: list[chat.Turn] = []
        if system is not None and system[at]:
            found.append(("system", text_cell(str(roles.system), system[at])))
        if history is not None:
            found += history_cell(str(roles.history), history[at])
        return found

    return before


def _prompts(table: Table, roles: ColumnRoles) -> Callable[[int], str]:
    """A row's prompt: what is asked, what is read beside it, and what stands before it."""
    name, *beside = roles.texts
    prompts = table.column(name)
    others = [(other, table.column(other)) for other in beside]
    before = _before(table, roles)

    def prompt(at: int) -> str:
        text = text_cell(name, prompts[at], dialogue=True)
        for other, column in others:
            if column[at] is None or column[at] == "":
                continue
            extra = text_cell(other, column[at])
            first = other.strip().lower() == "context"
            text = f"{extra}\n\n{text}" if first else f"{text}\n\n{extra}"
        if earlier := before(at):
            return chat.as_prompt(chat.turns(prompts[at]) or [("user", text)], earlier)
        return text

    return prompt


def _pair(table: Table, roles: ColumnRoles) -> Parse:
    prompt = _prompts(table, roles)
    name = str(roles.target)
    responses = table.column(name)

    def parse(at: int) -> Iterator[Item]:
        yield Item((prompt(at),), answer_cell(name, responses[at]), row=at + 1)

    return parse


def _chat(table: Table, roles: ColumnRoles) -> Parse:
    name = roles.texts[0]
    column = table.column(name)
    before = _before(table, roles)

    def parse(at: int) -> Iterator[Item]:
        prompt, response = conversation_cell(name, column[at], before(at))
        yield Item((prompt,), response, row=at + 1)

    return parse


def _preference(table: Table, roles: ColumnRoles) -> Parse:
    prompt = _prompts(table, roles) if roles.texts else None
    names = str(roles.target), str(roles.rejected)
    chosen, rejected = (table.column(name) for name in names)

    def parse(at: int) -> Iterator[Item]:
        if prompt is None:
            found = preference_cells(names, chosen[at], rejected[at])
            yield Item((found.prompt,), found.chosen, row=at + 1, rejected=found.rejected)
            return
        asked = prompt(at)
        good, bad = answer_cell(names[0], chosen[at]), answer_cell(names[1], rejected[at])
        yield Item((asked,), good, row=at + 1, rejected=bad)

    return parse


def _corpus(table: Table, roles: ColumnRoles) -> Parse:
    name = roles.texts[0]
    column = table.column(name)

    def parse(at: int) -> Iterator[Item]:
        text = text_cell(name, column[at])
        if len(text) < 2:
            raise UnusableError(name, "is a single character")
        for passage in [text] if table.prose else row_passages(text):
            head, rest = head_and_rest(passage)
            yield Item((head,), rest, row=at + 1)

    return parse


_PARSERS: dict[str, Callable[[Table, ColumnRoles], Parse]] = {
    "labelled": parse_labelled,
    "label_lists": parse_label_lists,
    "number": parse_numbers,
    "pair": _pair,
    "chat": _chat,
    "preference": _preference,
    "corpus": _corpus,
}
