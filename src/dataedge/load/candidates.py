"""The column roles that a table's names and values allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataedge.errors import AuditError
from dataedge.items import Task
from dataedge.load import naming
from dataedge.load.annotators import share_values
from dataedge.load.column_roles import ColumnRoles, Flags, resolve, undecided
from dataedge.load.label_lists import asked_labels, holds_lists
from dataedge.load.naming import Names
from dataedge.load.profile import Profile, profiles
from dataedge.load.table import listing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dataedge.load.table import Table


class Candidates:
    """The columns of one table, and the ways to read them.

    Args:
        table: the data.
        flags: what the user said; a named text is used wherever a text is needed.
        aside: columns that play no other role.
    """

    def __init__(self, table: Table, flags: Flags, aside: Collection[str]) -> None:
        self.table = table
        self.flags = flags
        self.where = table.name
        self.all = profiles(table)
        self.columns = {n: p for n, p in self.all.items() if n not in aside}
        self.names = Names.of(self.columns)

    def without(self, taken: Collection[str]) -> None:
        """Takes columns out of the running."""
        self.columns = {n: p for n, p in self.columns.items() if n not in taken}
        self.names = Names.of(self.columns)

    def by_name(self) -> list[ColumnRoles]:
        """Readings whose columns have the names that datasets use for them."""
        found = [*self._chats(), *self.preferences(), *self._pairs()]
        labelled = self.labelled_by_name(has_other=bool(found))
        return [*found, labelled] if labelled else found

    def _chats(self) -> list[ColumnRoles]:
        names = self.names.any(naming.CHATS)
        return [ColumnRoles("chat", (n,)) for n in names if self.columns[n].nested]

    def preferences(self) -> list[ColumnRoles]:
        """A chosen and a rejected response, with the prompt if it stands apart."""
        chosen, rejected = self.names.get(naming.CHOSEN), self.names.get(naming.REJECTED)
        if not chosen or not rejected:
            return []
        prompts = self.names.any(list(naming.PROMPTS))[:1]
        texts = self.with_second(prompts[0]) if prompts else ()
        return [ColumnRoles("preference", texts, chosen, rejected=rejected)]

    def _pairs(self) -> list[ColumnRoles]:
        found: list[ColumnRoles] = []
        for key, responses in naming.PROMPTS.items():
            prompt = self.names.get(key)
            if prompt and not any(prompt in r.texts for r in found):
                texts = self.with_second(prompt)
                found += [ColumnRoles("pair", texts, r) for r in self.names.any(responses)]
        return found

    def with_second(self, prompt: str) -> tuple[str, ...]:
        """A prompt and what is read beside it: an instruction's input, a question's context."""
        second = self.names.get(naming.SECOND_INPUTS.get(prompt.strip().lower(), ""))
        return (prompt, second) if second and not self.columns[second].nested else (prompt,)

    def labelled_by_name(self, *, has_other: bool = False) -> ColumnRoles | None:
        """A label, annotators or both.

        Args:
            has_other: other roles fit, so that a label column which is none is no error.
        """
        if self.flags.task is Task.MULTILABEL:
            return None  # by the values: lists
        annotators = tuple(a for a in self.names.annotators() if self.columns[a].class_like)
        annotators = annotators if len(annotators) > 1 else ()
        for tier in naming.LABELS:
            labels = [n for n in self.names.any(tier) if n not in annotators]
            if usable := [n for n in labels if self.columns[n].class_like]:
                one = self._one_label(usable)
                if self.flags.task is Task.NUMBER:
                    self.refuse_label(one)
                return self.labelled(one, annotators)
            if labels and not annotators and not has_other:
                self.refuse_label(labels[0])
                if self.columns[labels[0]].measured or self.listed(labels[0]):
                    return self.labelled(labels[0])
        return self.labelled(None, annotators) if annotators else None

    def _one_label(self, labels: Sequence[str]) -> str:
        """One of several label columns, if they are the same labels under two names."""
        first = list(map(str, self.table.column(labels[0])))
        for other in labels[1:]:
            pairs = set(zip(first, map(str, self.table.column(other)), strict=True))
            if not len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}):
                texts = self.texts(labels)
                raise undecided(self.where, [ColumnRoles("labelled", texts, n) for n in labels])
        return next((n for n in labels if not self.columns[n].number), labels[0])

    def refuse_label(self, name: str) -> None:
        """Raises for a label column that does not hold what the task asks for."""
        column = self.all[name]
        if self.flags.task is Task.NUMBER and not column.number:
            raise AuditError(
                f"{self.where}: --task number, but column '{name}' does not hold numbers alone",
                "Name a column of numbers with --label-column, or use --task classify",
            )
        if self.flags.task is Task.MULTILABEL and not self.listed(name):
            raise AuditError(
                f"{self.where}: --task multilabel, but column '{name}' does not hold lists of labels",
                'Write the labels of a row as a list, ["a", "b"], or use --task classify',
            )
        if self.flags.task is Task.CLASSIFY and (column.nested or column.listed):
            raise AuditError(
                f"{self.where}: column '{name}' holds several labels per row (lists), and --task classify "
                "takes one label of a closed set per text",
                "Use --task multilabel, which asks about each label",
            )
        if (column.nested or column.listed) and not self.listed(name):
            raise AuditError(
                f"{self.where}: column '{name}' holds lists of something else than labels",
                "Name another column with --label-column",
            )

    def listed(self, name: str) -> bool:
        """Whether a column holds several labels per row."""
        return holds_lists(self.table, name)

    def label_lists(self) -> list[ColumnRoles]:
        """Columns of lists of labels that can be asked about; those with a telling name if there are any."""
        lists = [n for n in self.columns if self.listed(n)]
        named = [n for n in self.names.any(naming.LABEL_LISTS) if n in lists]
        if self.flags.task is not Task.MULTILABEL:
            free = [p for n, p in self.columns.items() if n not in lists and p.free_text]
            lists = named if len(free) == 1 else []
        usable = [n for n in named or lists if asked_labels(self.table, n).asked]
        return [self.labelled(n) for n in usable]

    def labelled(self, label: str | None, annotators: tuple[str, ...] = ()) -> ColumnRoles:
        """A label (or annotators who vote) with the text beside it."""
        taken = [*([label] if label else []), *annotators]
        task = self.flags.task
        if label is not None and task is not Task.CLASSIFY and self.listed(label):
            roles = ColumnRoles("label_lists", self.texts(taken), label)
            found = asked_labels(self.table, label)
            short = len(found.asked) < found.known
            return roles.noting(found.note(self.where, label)) if short else roles
        if label is None or not self.all[label].measured:
            if task is Task.NUMBER and label is not None:
                return ColumnRoles("number", self.texts(taken), label)
            return ColumnRoles("labelled", self.texts(taken), label, annotators)
        named = f"{self.where}: '{label}' holds {self.all[label].distinct:,} different numbers: read as "
        if task is Task.CLASSIFY:
            roles = ColumnRoles("labelled", self.texts(taken), label)
            return roles.noting(f"{named}classes by quartile (--task number reads them as numbers)")
        roles = ColumnRoles("number", self.texts(taken), label)
        return roles.noting(f"{named}numbers (--task classify makes classes by quartile of them)")

    def texts(self, taken: Collection[str]) -> tuple[str, ...]:
        """The one or two texts that stand beside the columns taken.

        Raises:
            AuditError: where there is none, or more than two without a telling name.
        """
        if self.flags.text:
            return resolve(self.where, "--text-column", self.flags.text, tuple(self.all))
        free = {n: p for n, p in self.columns.items() if n not in taken and p.wordy}
        names = Names.of(free)
        if pair := names.pair(naming.TEXT_PAIRS):
            return pair
        for tier in naming.TEXTS:
            if len(named := names.any(tier)) == 1:
                return (named[0],)
        found = [n for n, p in free.items() if p.free_text and not p.label_like]
        found = found or [n for n, p in free.items() if not p.label_like]
        if len(found) in (1, 2):
            return tuple(found)
        if found:
            raise AuditError(
                f"{self.where}: {len(found)} columns could be the text: {listing(found)}",
                f"Choose one: --text-column {found[0]}, or two of them: --text-column {found[0]},{found[1]}",
            )
        beside = f" beside {listing(taken)}" if taken else ""
        raise AuditError(
            f"{self.where}: no column of text{beside} (columns: {self.listing()})",
            "An audit needs a column of text: name it with --text-column",
        )

    def by_values(self) -> list[ColumnRoles]:
        """Readings that the values allow where no name tells."""
        task = self.flags.task
        if task is Task.NUMBER:
            return [self.labelled(n) for n, p in self.columns.items() if p.number]
        if task is Task.MULTILABEL:
            return self.label_lists()
        if task is not Task.GENERATE and (labelled := self.labelled_by_values()):
            return labelled
        if task is Task.CLASSIFY:
            return []
        if task is None and (several := self.label_lists()):
            return several
        texts = [n for n, p in self.columns.items() if p.free_text]
        prompts = [n for n in self.names.any(list(naming.PROMPTS)) if n in texts][:1]
        if prompts and len(texts) > 1:
            return [ColumnRoles("pair", (prompts[0],), n) for n in texts if n not in prompts]
        corpus = () if task is Task.GENERATE else self.corpora()
        if len(texts) == 2 and len(corpus) != 1:
            a, b = texts
            return [ColumnRoles("pair", (a,), b), ColumnRoles("pair", (b,), a)]
        return list(corpus)

    def labelled_by_values(self) -> list[ColumnRoles]:
        """Columns of a few values that repeat, beside the text; annotators if they agree."""
        known = self.names.pair(naming.TEXT_PAIRS) or self.names.any(naming.TEXTS[0])
        labels = [n for n, p in self.columns.items() if p.label_like and n not in known]
        if annotators := share_values(self.table, [self.columns[n] for n in labels]):
            roles = self.labelled(None, annotators)
            note = (
                f"{self.where}: {', '.join(annotators)} share their values and agree: read as "
                "annotators (--label-column names one of them)"
            )
            return [roles.noting(note)]
        if not labels:
            return []
        texts = self.texts(labels)
        found = [ColumnRoles("labelled", texts, n) for n in labels]
        rare = any(self.columns[n].rare for n in labels)
        if self.flags.task is None and (len(found) > 1 or rare):
            found.append(ColumnRoles("corpus", texts[-1:]))
        return found

    def corpora(self) -> list[ColumnRoles]:
        """Columns of running text: the only one, or the one whose name says so."""
        texts = [n for n, p in self.columns.items() if p.free_text]
        if not texts and len(self.columns) == 1:
            texts = [n for n, p in self.columns.items() if p.wordy and not p.label_like]
        named = [n for n in self.names.any(naming.CORPUS_TEXTS) if n in texts]
        return [ColumnRoles("corpus", (n,)) for n in (named[:1] or texts)]

    def listing(self) -> str:
        """The columns and what they hold, for an error."""
        shown = [f"{n:.60} ({_describe(p)})" for n, p in self.all.items()]
        return ", ".join(shown[:12]) + (" …" if len(shown) > 12 else "")


def _describe(column: Profile) -> str:
    if column.nested:
        return "lists or objects"
    if not column.filled:
        return "empty"
    if column.number:
        return "numbers"
    return "text" if column.free_text else f"{column.distinct:,} short values"
