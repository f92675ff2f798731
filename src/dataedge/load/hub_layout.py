"""Folders laid out as repositories of the hub: `configs` in README.md, or a folder per config.

Its form: https://huggingface.co/docs/hub/datasets-manual-configuration.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dataedge.errors import AuditError
from dataedge.load.folder_files import (
    Described,
    by_folder,
    by_name,
    choose_files,
    data_files,
    exists,
    inside,
    is_data_file,
)
from dataedge.load.split_names import SPLIT_ORDER, file_split, split_word
from dataedge.load.table import listing

if TYPE_CHECKING:
    from collections.abc import Sequence

CARD: Final = "README.md"
_INFO: Final = re.compile(r"^dataset_info:.*\n(?:[ \t#-].*\n|\n)*", re.MULTILINE)
"""What a card says of sizes and features: long, and not needed to find the files."""


class Card(NamedTuple):
    """README.md: what stands between its first two lines of dashes, and the rest."""

    head: dict[str, Any]
    text: str


def describe_configs(folder: Path, name: str) -> Described | None:
    """The files of the one config, or the default one, that a folder's README.md names.

    Args:
        folder: that it lies in.
        name: the folder as messages call it.

    Returns:
        The files; None where README.md names no config, or one without files of its own.

    Raises:
        AuditError: README.md cannot be read, several configs fit, or a file is not there or not inside.
    """
    name = name.rstrip("/")
    where = f"{name}/{CARD}"
    card = read_card(folder / CARD, where)
    if card is None:
        return None
    configs = _configs(card.head["configs"], where)
    chosen = _choose(folder, name, configs)
    config = f"{where}: config '{chosen['config_name']}'"
    base = str(chosen.get("data_dir") or "")
    if not base and chosen.get("data_files") is None:
        return None
    home = inside(folder, base, config)
    files: list[tuple[str | None, Path]]
    if chosen.get("data_files") is None:
        files = _of_folder(folder, home, config)
    else:
        files = [
            (split_word(split), path)
            for split, patterns in _patterns(chosen["data_files"], config)
            for pattern in patterns
            for path in _matching(folder, home, pattern, config)
        ]
    files = list(dict.fromkeys(files))
    files.sort(key=lambda pair: SPLIT_ORDER.index(pair[0] or "train"))
    left = [c["config_name"] for c in configs if c is not chosen]
    notes = (f"{where}: read config '{chosen['config_name']}', left out {listing(left)}",)
    own = {**card.head, "configs": [chosen]}
    return Described(files, None, notes if left else (), own)


def describe_folders(folder: Path, name: str) -> Described | None:
    """A folder per split, or the one config, or the one called `default`, whose files or folders are splits.

    Args:
        folder: that has no data file itself.
        name: as messages call it.

    Returns:
        The files, such as `train/0000.parquet`, `en/train-00000-of-00001.parquet` or
        `en/train/0000.parquet`; None where there is no such folder.

    Raises:
        AuditError: there are several configs, or a folder leads out of this one.
    """
    name = name.rstrip("/")
    if splits := _in_folders_of_splits(folder):
        return Described(_checked(folder, splits, name), None, (), {})
    found = {sub.name: files for sub in _folders(folder) if (files := _of_config(sub))}
    if not found:
        return None
    if len(found) > 1 and "default" not in found:
        raise AuditError(
            f"{name}: {len(found)} folders hold data, a config each: {listing(found)}",
            f"Name one of them: `dataedge audit {name}/{next(iter(found))}`",
        )
    chosen = next(iter(found)) if len(found) == 1 else "default"
    left = [sub for sub in found if sub != chosen]
    notes = (f"{name}: read {chosen}/, left out {listing(left)}",) if left else ()
    return Described(_checked(folder, found[chosen], name), None, notes, {})


def _folders(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if p.is_dir() and p.name[0] not in "._"]


def _of_config(folder: Path) -> list[tuple[str | None, Path]]:
    """The files of a folder if splits name them or the folders that they lie in; else none."""
    files = data_files(folder)
    if any(map(by_name, files)):
        return choose_files(files)
    return [] if files else _in_folders_of_splits(folder)


def _in_folders_of_splits(folder: Path) -> list[tuple[str | None, Path]]:
    """The files of the folders that are named by splits."""
    named = [sub for sub in _folders(folder) if file_split(sub.name)]
    return choose_files([p for sub in named for p in data_files(sub)], by_folder)


def _of_folder(folder: Path, home: Path, where: str) -> list[tuple[str | None, Path]]:
    """The files of the folder of a config, each with the split that it or its folder is named by."""
    chosen = choose_files(data_files(home)) if home.is_dir() else []
    if not chosen and home.is_dir():
        chosen = _in_folders_of_splits(home)
    if not chosen:
        raise AuditError(
            f"{where}: no data file in '{home.name}'",
            f"Correct `data_dir` in {CARD}, or name the file: `dataedge audit FILE`",
        )
    return _checked(folder, chosen, where)


def _checked(
    folder: Path, chosen: list[tuple[str | None, Path]], where: str
) -> list[tuple[str | None, Path]]:
    """The same files, none of which leads out of the folder."""
    return [
        (split, inside(folder, path.relative_to(folder).as_posix(), where))
        for split, path in chosen
    ]


def read_card(path: Path, where: str) -> Card | None:
    """What a README.md says at its head; None where it says nothing of configs.

    Args:
        path: the file.
        where: as messages call it.

    Raises:
        AuditError: its head speaks of configs and is no YAML, or has no end.
    """
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines(keepends=True)
    if not lines or lines[0].rstrip() != "---":
        return None
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), len(lines))
    head = "".join(lines[1:end])
    if not re.search(r"^configs\s*:", head, re.MULTILINE):
        return None
    if end == len(lines):
        raise AuditError(
            f"{where}: the YAML at its head has no end",
            "End it with a line '---', or name the file: `dataedge audit FILE`",
        )
    import yaml

    try:
        # the loader in Python: the one in C has no limit of depth
        found = yaml.load(_INFO.sub(lambda m: "\n" * m[0].count("\n"), head), yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        reason = "nested too deeply" if isinstance(error, RecursionError) else reason
        raise AuditError(
            f"{where}{f', line {mark.line + 2}' if mark else ''}: the YAML at its head cannot be read: "
            f"{reason}",
            "Correct it, or name the file: `dataedge audit FILE`",
        ) from error
    if not isinstance(found, dict) or "configs" not in found:
        raise AuditError(
            f"{where}: the YAML at its head is no object with `configs`",
            "Correct it, or name the file: `dataedge audit FILE`",
        )
    return Card(found, "".join(lines[end + 1 :]))


def _configs(given: Any, where: str) -> list[dict[str, Any]]:
    """The configs, each with a name; of two with the same name the last counts."""
    named: dict[str, dict[str, Any]] = {}
    for config in given if isinstance(given, list) and given else [None]:
        entry = config if isinstance(config, dict) else {}
        name = entry.get("config_name")
        if not isinstance(name, str | int | float):
            raise AuditError(
                f"{where}: `configs` is no list of configs with a `config_name` each",
                "Correct it, or name the file: `dataedge audit FILE`",
            )
        named[str(name)] = {**entry, "config_name": str(name)}
    return list(named.values())


def _choose(folder: Path, name: str, configs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    marked = [c for c in configs if c["config_name"] == "default" or c.get("default") is True]
    found = configs if len(configs) == 1 else marked
    if len(found) == 1:
        return found[0]
    names = [c["config_name"] for c in found or configs]
    places = [n for n in names if exists(folder / n)]
    beside = (
        f", or name a folder: `dataedge audit {name}/{places[0]}`"
        if places
        else ", or name the file: `dataedge audit FILE`"
    )
    raise AuditError(
        f"{name}/{CARD}: {len(names)} {'default ' if found else ''}configs: {listing(names)}",
        f"Set `default: true` in {CARD} for one of them alone{beside}",
    )


def _patterns(given: Any, where: str) -> list[tuple[str, list[str]]]:
    """Split → paths; paths without a split are `train`, as the datasets library has it."""
    entries = given if isinstance(given, list) else [given]
    if not any(isinstance(e, dict) for e in entries):
        entries = [{"split": "train", "path": entries}]
    found: list[tuple[str, list[str]]] = []
    for entry in entries:
        split, path = (entry.get(k) if isinstance(entry, dict) else None for k in ("split", "path"))
        paths = [p for p in (path if isinstance(path, list) else [path]) if isinstance(p, str)]
        if not isinstance(split, str) or not paths or (isinstance(path, list) and paths != path):
            raise AuditError(
                f"{where}: `data_files` is no path, list of paths, or list of splits with paths",
                f"Correct it in {CARD}, or name the file: `dataedge audit FILE`",
            )
        found.append((split, paths))
    return found


def _matching(folder: Path, home: Path, pattern: str, where: str) -> list[Path]:
    """The data files that a path names, or a glob: `*`, `?` and `[…]` in a name, `**` for folders."""
    inside(folder, pattern, where)
    wanted = (*home.relative_to(folder).parts, *Path(pattern).parts)
    path = inside(folder, "/".join(wanted), where)
    if exists(path) and path.is_file():
        return [path]
    found = [
        inside(folder, relative.as_posix(), where)
        for relative in _walk(folder)
        if matches(wanted, relative.parts) and is_data_file(folder / relative)
    ]
    if not found:
        raise AuditError(
            f"{where}: no data file matches '{pattern[:200]}'",
            f"Correct `data_files` in {CARD}, or name the file: `dataedge audit FILE`",
        )
    return found


def _walk(folder: Path) -> list[Path]:
    """Files of a folder and of those in it, by name; links to folders are not followed."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f[0] != "." and not f.startswith("__"))
        found += [Path(place, f).relative_to(folder) for f in sorted(files)]
    return found


def matches(pattern: Sequence[str], path: Sequence[str]) -> bool:
    """Whether the names of a path match a glob.

    Args:
        pattern: its parts; `**` stands for any number of folders.
        path: its parts.

    Example:
        >>> matches(("data", "**", "*.csv"), ("data", "a", "b", "x.csv"))
        True
        >>> matches(("*.csv",), ("data", "x.csv"))
        False
    """
    at = {0}
    for part in pattern:
        if part == "**":
            at = set(range(min(at, default=len(path) + 1), len(path) + 1))
        else:
            at = {i + 1 for i in at if i < len(path) and fnmatchcase(path[i], part)}
    return len(path) in at


def write_card(folder: Path, described: Described, out: Path) -> None:
    """Write README.md for copied files: that of the originals, with the config that was read alone.

    Args:
        folder: of the originals.
        described: what was said of them.
        out: folder of the copies.
    """
    import yaml

    card = read_card(folder / CARD, CARD)
    head = yaml.safe_dump(dict(described.own), sort_keys=False, allow_unicode=True)
    (out / CARD).write_text(f"---\n{head}---\n{card.text if card else ''}", encoding="utf-8")
