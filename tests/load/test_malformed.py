"""Nothing that a dataset can hold ends in a traceback: it is read, or refused with a sentence and a hint."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataedge.load import load
from tests.load import costly, malformed

BATCH = 50


@pytest.mark.parametrize("start", range(0, 300, BATCH))
def test_malformed_inputs_are_read_or_refused(start: int, tmp_path: Path) -> None:
    """`benchmarks/malformed.py` goes through 10,000 others, with limits of memory and time."""
    kinds: Counter[str] = Counter()
    for number in range(start, start + BATCH):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = malformed.make(folder, number)
        kind, said = malformed.outcome(path)
        kinds[kind] += 1
        assert kind != "crash", f"input {number} ({path.name!r}): {said}"
    assert min(kinds["read"], kinds["refused"]) > BATCH / 5, kinds
    assert not Path("/tmp/was_run").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("many_columns_csv", "1,000,000 columns, and at most 10,000 are read"),
        ("many_keys_jsonl", "200,000 columns, and at most 10,000 are read"),
        pytest.param("parquet_bomb", "unpacks to over 5", marks=pytest.mark.long),
        ("deep_json", "holds no text"),
        ("huge_number", "no column of text"),
    ],
)
def test_what_is_made_to_be_costly_is_refused_early(name: str, said: str, tmp_path: Path) -> None:
    kind, sentence = malformed.outcome(costly.INPUTS[name](tmp_path))
    assert kind == "refused", sentence
    assert said in sentence


def test_a_dataset_that_repeats_itself_is_no_bomb(tmp_path: Path) -> None:
    """A long instruction that stands in every row packs well; such a dataset is read."""
    rows = [
        {"prompt": "You help with orders. " * 200 + f"Case {i}.", "completion": f"answer {i}"}
        for i in range(3000)
    ]
    path = tmp_path / "same.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")
    assert path.stat().st_size * 40 < sum(len(row["prompt"]) for row in rows)
    assert len(load(path).items) == 3000
