"""DataFrames of Polars are read like those of pandas."""

from __future__ import annotations

import pytest

from dataedge.errors import AuditError
from dataedge.load import load


def test_a_polars_frame_is_read_like_a_pandas_one() -> None:
    import datetime as dt

    import pandas as pd
    import polars as pl

    values = {
        "text": [f"text {i} ü" for i in range(30)],
        "label": [None if i == 7 else ["warm", "cold"][i % 2] for i in range(30)],
        "when": [dt.date(2026, 1, 1 + i) for i in range(30)],
    }
    frame = pl.DataFrame(values)
    read = load(frame)
    assert read.items == load(pd.DataFrame(values)).items
    assert load(frame.lazy()).items == read.items
    as_classes = frame.with_columns(pl.col("label").cast(pl.Categorical))
    assert load(as_classes).items == read.items
    lists = pl.DataFrame({"text": values["text"], "tags": [["a", "b"], ["b"], []] * 10})
    assert load(lists).task == "multilabel"
    with pytest.raises(AuditError, match="no rows"):
        load(pl.DataFrame({"text": [], "label": []}))
