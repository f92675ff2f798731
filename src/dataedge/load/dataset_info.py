"""`dataset_info.json` of LLaMA-Factory: datasets by name, their files, columns, and tags of messages.

Its form: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dataedge.errors import AuditError
from dataedge.load.chat import Tags, listed
from dataedge.load.column_roles import ColumnRoles, Declared
from dataedge.load.folder_files import Described, exists, inside
from dataedge.load.split_names import SPLIT_ORDER, file_split
from dataedge.load.table import listing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dataedge.load.table import Table

INFO: Final = "dataset_info.json"
ELSEWHERE: Final = {
    "hf_hub_url": "is on the Hugging Face hub",
    "ms_hub_url": "is on the ModelScope hub",
    "om_hub_url": "is on the Modelers hub",
    "script_url": "is made by a script, and no script is run",
    "cloud_file_name": "is in cloud storage",
}
"""Key of a dataset that is no file of the folder → where it is; LLaMA-Factory prefers them to `file_name`."""
FORMATTINGS: Final = ("alpaca", "sharegpt", "openai")
_ROLES: Final = {
    "user_tag": ("user", "human"),
    "assistant_tag": ("assistant", "gpt"),
    "system_tag": ("system", "system"),
    "observation_tag": ("observation", "observation"),
    "function_tag": ("function_call", "function_call"),
}
"""Tag → the role, and how it is written unless the tag says otherwise."""
_DEFAULT_COLUMNS: Final = {"prompt": "instruction", "query": "input", "response": "output"}


def read_info(folder: Path, name: str) -> dict[str, Any] | None:
    """The entries of a folder's `dataset_info.json`.

    Args:
        folder: that it lies in.
        name: the folder as messages call it.

    Returns:
        Dataset → its entry; None where there is no such file, or it is none of LLaMA-Factory.

    Raises:
        AuditError: it is no JSON.
    """
    path = folder / INFO
    if not path.is_file() or (folder / "state.json").exists():
        return None
    try:
        info = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise AuditError(
            f"{name}/{INFO} cannot be read as JSON: {reason}",
            "Correct the file, or name the file: `dataedge audit FILE`",
        ) from error
    keys = ("file_name", *ELSEWHERE)
    entries = info.values() if isinstance(info, dict) else []
    known = any(isinstance(e, dict) and isinstance(e.get(k), str) for e in entries for k in keys)
    return info if known else None


def describe_folder(folder: Path, name: str) -> Described | None:
    """The dataset that a folder's `dataset_info.json` names, or its datasets that are splits.

    Args:
        folder: that it lies in.
        name: the folder as messages call it.

    Returns:
        The files and what is said of their columns; None where there is no such description.

    Raises:
        AuditError: no dataset of it can be read, or several can.
    """
    name = name.rstrip("/")
    info = read_info(folder, name)
    if info is None:
        return None
    found: dict[str, tuple[Path, Declared]] = {}
    problems: list[AuditError] = []
    for key, entry in info.items():
        try:
            found[key] = _dataset(folder, f"{name}/{INFO}: dataset '{key}'", entry)
        except AuditError as error:
            problems.append(error)
    if not found:
        if len(problems) == 1:
            raise problems[0]
        raise AuditError(
            f"{problems[0].message}; nor can {len(problems) - 1} more of its datasets be read",
            f"Correct {INFO}, or name a file: `dataedge audit FILE`",
        )
    splits = {key: file_split(key) for key in found}
    described = [replace(declared, where="") for _, declared in found.values()]
    alike = all(declared == described[0] for declared in described)
    sides = {s for s in splits.values() if s}
    if len(found) > 1 and not (alike and len(sides) == len(found) and "train" in sides):
        shown = [f"{key} ({path.relative_to(folder)})" for key, (path, _) in found.items()]
        raise AuditError(
            f"{name}/{INFO}: {len(found)} datasets: {listing(shown)}",
            f"Name the file of one of them: `dataedge audit {next(iter(found.values()))[0]}`",
        )
    keys = sorted(found, key=lambda key: SPLIT_ORDER.index(splits[key] or "train"))
    notes: list[str] = []
    if left := [key for key in info if key not in found]:
        read = ", ".join(keys)
        first_left = problems[0].message
        notes.append(f"{name}/{INFO}: left out {listing(left)} (read: {read}); {first_left}")
    notes += _not_applied(name, info, keys)
    files = [(splits[key] if len(keys) > 1 else None, found[key][0]) for key in keys]
    own = {key: info[key] for key in keys}
    return Described(files, found[keys[0]][1], tuple(notes), own)


def describe_file(path: Path, name: str) -> Described | None:
    """What a `dataset_info.json` beside a file, or one folder above, says of it.

    Args:
        path: the file.
        name: as messages call it.

    Returns:
        What is said, with a note where it cannot be used; None where nothing is.
    """
    for folder in (path.parent, path.parent.parent):
        named = path.relative_to(folder).as_posix()
        try:
            info = read_info(folder, str(folder))
        except AuditError as error:
            note = f"{name}: its description is not used: {error.message}"
            return Described([(None, path)], None, (note,), {})
        own = {
            key: entry
            for key, entry in (info or {}).items()
            if isinstance(entry, dict) and entry.get("file_name") == named
        }
        if own:
            return _file_as_described(folder, path, name, own)
    return None


def _file_as_described(folder: Path, path: Path, name: str, own: dict[str, Any]) -> Described:
    found: list[Declared] = []
    where = f"{folder}/{INFO}: dataset"
    try:
        found = [_dataset(folder, f"{where} '{key}'", entry)[1] for key, entry in own.items()]
        problem = f"{len(own)} datasets of {INFO} describe it in different ways: {listing(own)}"
    except AuditError as error:
        problem = error.message
    if not found or any(replace(d, where="") != replace(found[0], where="") for d in found):
        return Described(
            [(None, path)], None, (f"{name}: its description is not used: {problem}",), {}
        )
    key = next(iter(own))
    notes = (f"{name}: read as {INFO} describes dataset '{key}'", *_not_applied(name, own, [key]))
    return Described([(None, path)], found[0], notes, {key: own[key]})


def _not_applied(name: str, info: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    sampled = [key for key in keys if info[key].get("num_samples")]
    what = f"`num_samples` of {listing(sampled)} is not applied: all rows are read"
    return [f"{name}: {what} (--limit takes a sample)"] if sampled else []


def _dataset(folder: Path, where: str, entry: Any) -> tuple[Path, Declared]:
    """The file of a dataset and what is said of its columns."""
    if not isinstance(entry, dict):
        raise AuditError(
            f"{where} is no object",
            "Give it a `file_name`, or name the file: `dataedge audit FILE`",
        )
    for key, place in ELSEWHERE.items():
        if key in entry:
            raise AuditError(
                f"{where} {place} (`{key}`), and nothing is downloaded",
                "Download its files and name one: `dataedge audit FILE`",
            )
    named = entry.get("file_name")
    if not isinstance(named, str) or not named.strip():
        raise AuditError(
            f"{where} has no `file_name`", "Give it one, or name the file: `dataedge audit FILE`"
        )
    path = inside(folder, named, where)
    if not exists(path):
        raise AuditError(
            f"{where}: there is no file '{named[:200]}'",
            "Correct its `file_name`, or name the file: `dataedge audit FILE`",
        )
    return path, _declared(where, entry)


def _texts(where: str, entry: Mapping[str, Any], key: str) -> dict[str, str]:
    """The object of texts under a key; entries that are null are left out."""
    given = entry.get(key) or {}
    if isinstance(given, dict) and all(isinstance(v, str | None) for v in given.values()):
        return {k: v for k, v in given.items() if v}
    raise AuditError(
        f"{where}: `{key}` is no object of names",
        f"Correct it in {INFO}, or name the file: `dataedge audit FILE`",
    )


def _declared(where: str, entry: Mapping[str, Any]) -> Declared:
    formatting = entry.get("formatting") or FORMATTINGS[0]
    if formatting not in FORMATTINGS:
        raise AuditError(
            f"{where}: unknown formatting {formatting!r:.60}",
            f"Choose one of {', '.join(FORMATTINGS)} in {INFO}, or name the file: `dataedge audit FILE`",
        )
    columns, given = _texts(where, entry, "columns"), _texts(where, entry, "tags")
    preference = (columns.get("chosen", "chosen"), columns.get("rejected", "rejected"))
    target, rejected = preference if entry.get("ranking") else (None, None)
    system, feedback = columns.get("system"), columns.get("kto_tag")
    if formatting != "alpaca":
        messages = columns.get(
            "messages", "messages" if formatting == "openai" else "conversations"
        )
        roles = ColumnRoles(
            "preference" if target else "chat",
            (messages,),
            target,
            rejected=rejected,
            system=system,
            feedback=feedback,
        )
        return Declared(where, roles, tags=_tags(given) if given else None)
    named = columns if entry.get("columns") is not None else _DEFAULT_COLUMNS
    if "prompt" not in named:
        raise AuditError(
            f"{where}: `columns` names no prompt",
            f"Name the column of prompts in {INFO}, or name the file: `dataedge audit FILE`",
        )
    texts = tuple(named[key] for key in ("prompt", "query") if key in named)
    target = target or named.get("response")
    if target is None:
        return Declared(where, ColumnRoles("corpus", texts[:1]))
    roles = ColumnRoles(
        "preference" if rejected else "pair",
        texts,
        target,
        rejected=rejected,
        system=system,
        history=columns.get("history"),
        feedback=feedback,
    )
    return Declared(where, roles, () if named is columns else (_DEFAULT_COLUMNS["query"],))


def _tags(given: Mapping[str, str]) -> Tags:
    roles = {given.get(tag, usual): role for tag, (role, usual) in _ROLES.items()}
    return Tags(given.get("role_tag", "from"), given.get("content_tag", "value"), roles)


def require_tags(table: Table, declared: Declared) -> None:
    """Raises where no message has the keys or the roles that the tags name.

    Args:
        table: the data.
        declared: what was said of it.

    Raises:
        AuditError: names the tag, and what there is instead.
    """
    tags, column = declared.tags, declared.roles.texts[0]
    if tags is None:
        return
    keys: dict[str, None] = {}
    roles: dict[str, None] = {}
    written = {role: as_written for as_written, role in tags.roles.items()}
    wanted = {tags.role: keys, tags.content: keys, written["user"]: roles}
    if declared.roles.kind == "chat":
        wanted[written["assistant"]] = roles
    step = 1000
    for start in range(0, len(table), step):
        part = table.data.select([column]).slice(start, step)
        for cell in replace(table, data=part, declared=None, _cache={}).column(column):
            messages = [m for m in listed(cell) or [] if isinstance(m, dict)]
            keys |= dict.fromkeys(key for m in messages for key in m)
            roles |= dict.fromkeys(m[tags.role] for m in messages if _named(m, tags.role))
        if all(name in there for name, there in wanted.items()):
            return
    if not keys:
        return  # no messages at all: the reader of conversations says so
    for name, there in wanted.items():
        if name not in there:
            what = "key" if there is keys else "role"
            raise AuditError(
                f"{declared.where}: no message in column '{column}' has the {what} '{name}' that `tags` "
                f"names ({what}s there: {listing(there) or 'none'})",
                f"Correct `tags` in {INFO}, or name the columns with --prompt-column",
            )


def _named(message: Mapping[str, Any], key: str) -> bool:
    return isinstance(message.get(key), str)


def write_info(described: Described, out: Path, named: Mapping[str, str]) -> None:
    """Write a description of copied files.

    Args:
        described: what was said of the originals.
        out: folder of the copies.
        named: dataset → its `file_name` there.
    """
    entries = {
        key: {**{k: v for k, v in entry.items() if k != "file_sha1"}, "file_name": named[key]}
        for key, entry in described.own.items()
    }
    text = json.dumps(entries, indent=2, ensure_ascii=False)
    (out / INFO).write_text(text + "\n", encoding="utf-8")
