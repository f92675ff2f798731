"""Tables that do not come from data files: DataFrames, `datasets` objects, hub ids."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dataedge.errors import AuditError
from dataedge.load.reading_process import read_apart
from dataedge.load.saved import read_dataset, read_splits
from dataedge.load.table import JSON_CELLS, single

if TYPE_CHECKING:
    from dataedge.load.table import Table

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
TABLES = frozenset({"csv", "json", "parquet", "arrow", "text"})
"""Readers of the datasets library that are let loose on files from the hub; another one unpickles."""


def read_source(source: object) -> tuple[str, Table]:
    """Reads whatever a user may pass.

    Args:
        source: a path, a hub id, a DataFrame of pandas or Polars, a `datasets.Dataset` or `DatasetDict`.

    Returns:
        The source's name for reports and messages, and its table.

    Raises:
        AuditError: where it cannot be read.
    """
    if isinstance(source, str | Path):
        name, path = str(source), Path(source).expanduser()
        if not str(source).strip():
            raise AuditError(
                "no path given",
                "Name a data file, a folder of them or a hub id: `dataedge audit DATA`",
            )
        if (
            isinstance(source, str)
            and _HUB_ID.fullmatch(source)
            and not path.exists()
            and not path.parent.exists()
        ):
            return name, _read_hub(name)
        return name, read_apart(path, name)
    pandas, datasets = sys.modules.get("pandas"), sys.modules.get("datasets")
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(source, polars.LazyFrame):
        source = source.collect()
    if polars is not None and isinstance(source, polars.DataFrame):
        return "<DataFrame>", _read_polars(source)
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return "<DataFrame>", _read_frame(source)
    if datasets is not None and isinstance(source, datasets.Dataset):
        return "<Dataset>", read_dataset(source, "<Dataset>", str(source.split or ""))
    if datasets is not None and isinstance(source, datasets.DatasetDict):
        return "<DatasetDict>", read_splits(source, "<DatasetDict>")
    raise AuditError(
        f"a {type(source).__name__} is not a dataset",
        "Pass a path, a hub id, a DataFrame or a datasets.Dataset to `dataedge.audit`",
    )


def _read_frame(frame: Any) -> Table:
    if len(frame) == 0:
        raise AuditError(
            "<DataFrame> has no rows", "Pass a DataFrame with rows in it to `dataedge.audit`"
        )
    arrays: list[pa.Array] = []
    fields: list[pa.Field] = []
    for at, name in enumerate(frame.columns):
        array, metadata = _array(frame.iloc[:, at])
        label = str(name)
        if any(label == f.name for f in fields):
            label = f"{label}_{at + 1}"
        arrays.append(array)
        fields.append(pa.field(label, array.type, metadata=metadata))
    return single(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), "<DataFrame>")


def _read_polars(frame: Any) -> Table:
    if len(frame) == 0:
        raise AuditError(
            "<DataFrame> has no rows", "Pass a DataFrame with rows in it to `dataedge.audit`"
        )
    columns = {
        column.name: pa.array(
            [None if v is None else str(v) for v in column.to_list()], pa.string()
        )
        if str(column.dtype) == "Object"
        else column.to_arrow()
        for column in frame.get_columns()
    }
    return single(pa.table(columns), "<DataFrame>")


def _array(series: Any) -> tuple[pa.Array, dict[bytes, bytes] | None]:
    """A column of a DataFrame; one of mixed types as JSON texts."""
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        missing = [bool(m) for m in series.isna()]
        cells = [
            None if gone else json.dumps(value, default=str)
            for value, gone in zip(series.tolist(), missing, strict=True)
        ]
        return pa.array(cells, pa.string()), JSON_CELLS
    return (array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array), None


def _read_hub(name: str) -> Table:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import HfApi, constants

    try:
        if not constants.HF_HUB_OFFLINE:
            # One plain request first: without a network it fails at once, where load_dataset
            # tries again for half a minute.
            HfApi().dataset_info(name, timeout=20)
        found = open_repository(name)
    except AuditError:
        raise
    except Exception as error:  # the hub's client raises many kinds: network, rights, format
        reason = str(error).strip().split("\n", maxsplit=1)[0][:200] or type(error).__name__
        raise AuditError(
            f"{name}: no such local path, and the hub gave no dataset of this name: {reason}",
            "Check the spelling and the network, or download the files: `dataedge audit FOLDER`",
        ) from error
    return read_splits(found, name)


def open_repository(name: str) -> Any:
    """The splits of a dataset's repository, hub id or folder, where its files are tables.

    Raises:
        AuditError: they are of another kind, archives of mixed files say.
    """
    import datasets

    builder = datasets.load_dataset_builder(name)
    if builder.name not in TABLES:
        raise AuditError(
            f"{name}: its files are of the kind {builder.name!r}, which can hold pickles or media and "
            "is not read",
            f"Convert it to one of {', '.join(sorted(TABLES))}, then run `dataedge audit FILE`",
        )
    builder.download_and_prepare()
    return builder.as_dataset()
