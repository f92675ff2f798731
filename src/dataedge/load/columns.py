"""Columns → the roles that fit: by the user's flags, by name, then by what the values are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dataedge.errors import AuditError
from dataedge.items import LABELLED, Task
from dataedge.load import naming
from dataedge.load.candidates import Candidates
from dataedge.load.column_roles import ColumnRoles, Flags, resolve, undecided
from dataedge.load.dataset_info import require_tags
from dataedge.load.table import listing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dataedge.load.column_roles import Declared
    from dataedge.load.table import Table


def read_columns(table: Table, flags: Flags, aside: Collection[str] = ()) -> ColumnRoles:
    """Decides how a table is read.

    Args:
        table: the data.
        flags: explicit choices; they win.
        aside: columns that play no other role: of split names, groups, times.

    Raises:
        AuditError: where no roles fit, two fit, or a flag does not fit.

    Example:
        >>> import pyarrow as pa
        >>> from dataedge.load.table import single
        >>> table = single(pa.table({"question": ["why?"], "answer": ["because"]}), "x.csv")
        >>> print(read_columns(table, Flags()))
        answers 'answer' to 'question'
    """
    candidates = Candidates(table, flags, aside)
    if not flags.silent:
        return _by_flags(candidates)
    if table.prose:
        found = [ColumnRoles("corpus", ("text",))]
    elif table.declared and flags.task in (None, table.declared.roles.task):
        found = [_declared(table, table.declared)]
    elif flags.task is Task.CORPUS:
        found = candidates.corpora()
    else:
        found = candidates.by_name()
    if flags.task is None:
        found = _without_metadata(found, candidates.where)
    else:
        found = [r for r in found if r.task is flags.task] or _reread(candidates, found)
    if not found and flags.task is not Task.CORPUS and not table.prose:
        found = candidates.by_values()
    if len(found) > 1:
        raise undecided(candidates.where, found)
    if not found:
        raise _no_reading(candidates)
    return _closed_answers(candidates, found[0])


def _declared(table: Table, declared: Declared) -> ColumnRoles:
    """The roles that a description beside the data gives its columns."""
    roles, names = declared.roles, table.names
    texts = tuple(t for t in roles.texts if t in names or t not in declared.optional)
    roles = replace(roles, texts=texts)
    if missing := [c for c in roles.columns if c not in names]:
        raise AuditError(
            f"{declared.where} names the column '{missing[0][:100]}', which {table.name} does not have "
            f"(columns: {listing(names)})",
            "Correct its `columns`, or name the columns with --prompt-column and --response-column",
        )
    require_tags(table, declared)
    return roles


def _without_metadata(found: list[ColumnRoles], where: str) -> list[ColumnRoles]:
    """A label beside a prompt and its response, with no text of its own, is metadata."""
    answers = {c for r in found if r.task is Task.GENERATE for c in r.columns}
    kept = [r for r in found if r.task is Task.GENERATE or not set(r.texts) <= answers]
    dropped = "; ".join(str(r) for r in found if r not in kept)
    note = f"{where}: not treated as {dropped}; use --task classify for that"
    return [r.noting(note) for r in kept] if dropped else kept


def _reread(candidates: Candidates, found: Sequence[ColumnRoles]) -> list[ColumnRoles]:
    """Responses that repeat are classes, and those that are numbers are numbers, if the task says so."""
    pairs = [(r.texts, r.target) for r in found if r.kind == "pair" and r.target]
    columns = candidates.columns
    if candidates.flags.task is Task.NUMBER:
        return [ColumnRoles("number", texts, c) for texts, c in pairs if columns[c].number]
    if candidates.flags.task is not Task.CLASSIFY:
        return []
    return [ColumnRoles("labelled", texts, c) for texts, c in pairs if columns[c].class_like]


def _closed_answers(candidates: Candidates, roles: ColumnRoles) -> ColumnRoles:
    """Answers out of a handful of short ones are labels, unless the task says otherwise."""
    if roles.kind != "pair" or candidates.flags.task or not roles.target:
        return roles
    answers = candidates.columns[roles.target]
    if not answers.label_like or answers.distinct > 20 or answers.filled < 5 * answers.distinct:
        return roles
    note = (
        f"{candidates.where}: '{roles.target}' holds {answers.distinct} short answers that "
        "repeat: read as labels (--task generate reads them as responses)"
    )
    return ColumnRoles("labelled", roles.texts, roles.target, notes=roles.notes).noting(note)


def _by_flags(candidates: Candidates) -> ColumnRoles:
    flags = candidates.flags
    generate = bool(flags.prompt or flags.response)
    if flags.label and generate:
        raise AuditError(
            "--label-column and --prompt-column/--response-column belong to two tasks",
            "Keep --label-column, or --prompt-column with --response-column",
        )
    asked = Task.CLASSIFY if flags.label else Task.GENERATE if generate else None
    label_task = asked is Task.CLASSIFY and flags.task in LABELLED
    if flags.task and asked and flags.task is not asked and not label_task:
        raise AuditError(
            f"--task {flags.task} conflicts with the named columns, which are for {asked}",
            f"Use --task {asked}, leave --task out, or name other columns",
        )
    if generate:
        return _generate(candidates)
    if flags.label:
        return _classify(candidates, flags.label)
    texts = candidates.texts(())
    if flags.task is Task.CORPUS:
        return ColumnRoles("corpus", texts[:1])
    if flags.task is Task.GENERATE:
        raise AuditError(
            "--text-column does not go with --task generate",
            "Name the columns with --prompt-column and --response-column",
        )
    return _label_beside(candidates, texts)


def _label_beside(candidates: Candidates, texts: tuple[str, ...]) -> ColumnRoles:
    """The label that goes with texts named by a flag; without one, a text is a corpus."""
    candidates.without(texts)
    if named := candidates.labelled_by_name():
        return named
    found = candidates.labelled_by_values()
    if len(found) > 1:
        raise undecided(candidates.where, found)
    if not found and candidates.flags.task in LABELLED:
        raise _no_reading(candidates)
    return found[0] if found else ColumnRoles("corpus", texts[:1])


def _classify(candidates: Candidates, value: str) -> ColumnRoles:
    where = candidates.where
    labels = resolve(where, "--label-column", value, tuple(candidates.all))
    for name in labels:
        candidates.refuse_label(name)
        column = candidates.all[name]
        if len(labels) > 1 and (column.measured or candidates.flags.task is Task.NUMBER):
            raise AuditError(
                f"{where}: column '{name}' holds numbers: annotators' labels must be classes",
                "Name one column of numbers with --label-column",
            )
        single = not column.measured and not candidates.listed(name)
        if column.filled >= 20 and column.distinct == column.filled and single:
            raise AuditError(
                f"{where}: column '{name}' has a different value in every row, so it is not a label",
                "Name a column whose values repeat with --label-column",
            )
    if len(labels) > 1:
        if listed := [name for name in labels if candidates.listed(name)]:
            raise AuditError(
                f"{where}: column '{listed[0]}' holds several labels per row: annotators give one each",
                f"Name it alone: --label-column {listed[0]}",
            )
        return candidates.labelled(None, labels)
    annotators = tuple(a for a in candidates.names.annotators() if a not in labels)
    return candidates.labelled(labels[0], annotators if len(annotators) > 1 else ())


def _generate(candidates: Candidates) -> ColumnRoles:
    where, flags, names = candidates.where, candidates.flags, tuple(candidates.all)
    prompts: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()
    if flags.prompt:
        prompts = resolve(where, "--prompt-column", flags.prompt, names)
    if flags.response:
        responses = resolve(where, "--response-column", flags.response, names)
    if responses and responses[0].lower() == naming.CHOSEN and candidates.preferences():
        (preference,) = candidates.preferences()
        texts = prompts or preference.texts
        return ColumnRoles("preference", texts, responses[0], rejected=preference.rejected)
    only = prompts or responses
    if not (prompts and responses) and candidates.all[only[0]].nested:
        return ColumnRoles("chat", only[:1])
    if not responses:
        known = naming.PROMPTS.get(prompts[0].lower(), ())
        responses = _partner(candidates, prompts, candidates.names.any(known))
    if not prompts:
        keys = [k for k, known in naming.PROMPTS.items() if responses[0].lower() in known]
        prompts = _partner(candidates, responses, candidates.names.any(keys))
        prompts = candidates.with_second(prompts[0]) if prompts else ()
    if not prompts or not responses:
        missing = "--response-column" if prompts else "--prompt-column"
        raise AuditError(
            f"{where}: it is unclear which column goes with '{only[0]}' ({candidates.listing()})",
            f"Name it with {missing}",
        )
    return ColumnRoles("pair", prompts, responses[0])


def _partner(
    candidates: Candidates, given: tuple[str, ...], known: Sequence[str]
) -> tuple[str, ...]:
    """The prompt of a response or the response of a prompt: by name, or the only other text."""
    if known:
        return (known[0],)
    texts = [n for n, p in candidates.columns.items() if p.free_text and n not in given]
    return (texts[0],) if len(texts) == 1 else ()


def _no_reading(candidates: Candidates) -> AuditError:
    task, listing = candidates.flags.task, candidates.listing()
    if task is Task.CLASSIFY:
        return AuditError(
            f"{candidates.where}: --task classify, but no column of labels: {listing}",
            "Name it with --label-column, or leave --task out",
        )
    if task is Task.MULTILABEL:
        return AuditError(
            f"{candidates.where}: --task multilabel, but no column of lists of labels: {listing}",
            "Name it with --label-column, or leave --task out",
        )
    if task is Task.NUMBER:
        return AuditError(
            f"{candidates.where}: --task number, but no column of numbers: {listing}",
            "Name it with --label-column, or leave --task out",
        )
    if task is Task.GENERATE:
        return AuditError(
            f"{candidates.where}: --task generate, but no prompt with a response: {listing}",
            "Name them with --prompt-column and --response-column, or leave --task out",
        )
    if len(candidates.all) == 1:
        return AuditError(
            f"{candidates.where}: its only column holds no text: {listing}",
            "An audit needs a column of text (--text-column), and usually one of labels or responses",
        )
    return AuditError(
        f"{candidates.where}: no column of text: {listing}",
        "An audit needs a column of text: name it with --text-column",
    )
