"""Tables of the `datasets` library: in memory, and in the folders that it saves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dataedge.errors import AuditError
from dataedge.load.dataset_info import INFO, read_info
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
    """Reads a folder written by `save_to_disk`; its files are memory-mapped, not copied."""
    import datasets

    try:
        saved = datasets.load_from_disk(str(path))
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise AuditError(
            f"{name}: a saved datasets folder that cannot be read: {error}",
            "Save it again with `save_to_disk`, or name a data file",
        ) from error
    if isinstance(saved, datasets.DatasetDict):
        return read_splits(saved, name)
    return read_dataset(saved, name, "")


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
