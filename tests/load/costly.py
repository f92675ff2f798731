"""Inputs that are made to be costly: wide, deep, or small on disk and large in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def many_columns_csv(folder: Path) -> Path:
    """A million columns and three rows."""
    path = folder / "wide.csv"
    with path.open("w") as file:
        for start in ("c", "1", "2", "3"):
            file.write(",".join(f"{start}{i}" for i in range(1_000_000)) + "\n")
    return path


def many_keys_jsonl(folder: Path) -> Path:
    """Rows with keys of their own: 200,000 columns in all."""
    path = folder / "wide.jsonl"
    with path.open("w") as file:
        for row in range(200):
            file.write(json.dumps({f"k{row}_{i}": i for i in range(1000)}) + "\n")
    return path


def deep_json(folder: Path) -> Path:
    """A value in a hundred thousand brackets."""
    path = folder / "deep.json"
    path.write_text('[{"text": ' + "[" * 100_000 + "]" * 100_000 + "}]")
    return path


def deep_jsonl(folder: Path) -> Path:
    """Rows that are objects in objects, ten thousand deep."""
    path = folder / "deep.jsonl"
    row = '{"a":' * 10_000 + "1" + "}" * 10_000
    path.write_text("\n".join([row] * 30))
    return path


def parquet_bomb(folder: Path) -> Path:
    """300 million rows of the same two words in fifty kilobytes."""
    path = folder / "bomb.parquet"
    text = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(30_000_000, np.int32)), pa.array(["the same words " * 20])
    )
    table = pa.table({"text": text, "label": text})
    pages = {"data_page_size": 1 << 28, "write_batch_size": 1 << 24, "max_rows_per_page": 1 << 24}
    with pq.ParquetWriter(path, table.schema, compression="zstd", **pages) as writer:
        for _ in range(10):
            writer.write_table(table, row_group_size=len(table))
    return path


def long_line(folder: Path) -> Path:
    """One cell of 200 megabytes."""
    path = folder / "long.csv"
    path.write_text("text,label\n" + "a" * 200_000_000 + ",b\n")
    return path


def open_quote(folder: Path) -> Path:
    """A quote at the start of a CSV that never ends, and 20 megabytes behind it."""
    path = folder / "quote.csv"
    path.write_text('text,label\n"' + "some words of it,a\n" * 1_000_000)
    return path


def many_small_files(folder: Path) -> Path:
    """20,000 files of a row each."""
    for i in range(20_000):
        (folder / f"part-{i:05d}.csv").write_text(f"text,label\nsome words {i},{'ab'[i % 2]}\n")
    return folder


def huge_number(folder: Path) -> Path:
    """A number of a million digits."""
    path = folder / "number.json"
    path.write_text('[{"text": "a", "score": ' + "9" * 1_000_000 + "}]")
    return path


def many_messages(folder: Path) -> Path:
    """One conversation of 200,000 messages."""
    path = folder / "chat.jsonl"
    said = [{"role": ("user", "assistant")[i % 2], "content": f"words {i}"} for i in range(200_000)]
    path.write_text(json.dumps({"messages": said}) + "\n")
    return path


INPUTS: dict[str, Callable[[Path], Path]] = {
    make.__name__: make
    for make in (
        many_columns_csv, many_keys_jsonl, deep_json, deep_jsonl, parquet_bomb, long_line, open_quote,
        many_small_files, huge_number, many_messages,
    )
}  # fmt: skip
