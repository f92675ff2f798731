"""Tables of the `datasets` library: in memory, and in the folders that it saves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError
from dataedge.load.dataset_info import INFO, read_info
from dataedge.load.duck import first_line
from dataedge.load.folder_files import inside
from dataedge.load.split_names import SPLIT_ORDER, split_word
from dataedge.load.table import class_names, concat, single, with_class_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dataedge.load.table import Table


def is_saved(path: Path) -> bool:
    """Whether a folder is one that `save_to_disk` wrote; another `dataset_info.json` is LLaMA-Factory's."""
    if (path / "dataset_dict.json").exists() or (path / "state.json").exists():
        return True
    return (path / INFO).exists() and read_info(path, str(path)) is None


def read_saved(path: Path, name: str) -> Table:
    """Reads a folder written by `save_to_disk`; its files are memory-mapped in the process that reads them.

    Raises:
        AuditError: it is not as `save_to_disk` writes it, or names files outside of it.
    """
    import datasets

    try:
        _check_inside(path, name)
        saved = datasets.load_from_disk(str(path))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # pa.ArrowInvalid is a ValueError, and what is not as it should be fails in any of these ways
        reason = f"{error} is missing" if isinstance(error, KeyError) else first_line(error)
        raise AuditError(
            f"{name}: a saved datasets folder that cannot be read: {reason[:300]}",
            "Save it again with `save_to_disk`, or name a data file: `dataedge audit FILE`",
        ) from error
    if isinstance(saved, datasets.DatasetDict):
        return read_splits(saved, name)
    return read_dataset(saved, name, "")


def _check_inside(path: Path, name: str) -> None:
    """Refuse a saved folder whose splits or files lie elsewhere; the library would read them."""
    split_file = path / "dataset_dict.json"
    splits = json.loads(split_file.read_text("utf-8"))["splits"] if split_file.exists() else []
    for folder in [inside(path, split, name) for split in splits] or [path]:
        state = json.loads((folder / "state.json").read_text("utf-8"))
        for entry in state["_data_files"]:
            inside(folder, entry["filename"], name)


def read_splits(splits: Mapping[str, Any], name: str) -> Table:
    """The splits of a `DatasetDict` as one table, train first."""
    order = sorted(splits, key=lambda s: (SPLIT_ORDER.index(split_word(s) or "train"), s))
    if not order:
        raise AuditError(
            f"{name} is empty", "Pass a dataset with at least one split to `dataedge.audit`"
        )
    tables = [read_dataset(splits[s], f"{name}[{s}]", s) for s in order]
    return concat(
        tables, name, "Load one split with the datasets library and pass it to `dataedge.audit`"
    )


def read_dataset(dataset: Any, name: str, split: str) -> Table:
    """One `datasets.Dataset` as a table."""
    if len(dataset) == 0:
        raise AuditError(
            f"{name} has no rows", "Pass a dataset with rows in it to `dataedge.audit`"
        )
    data = dataset.with_format("arrow")[:]
    names = class_names(dataset.features.to_dict())
    return with_class_names(single(data, name, split=split_word(split)), names)
