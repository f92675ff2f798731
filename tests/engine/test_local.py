from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from dataedge.engine import stage_key
from dataedge.engine.local import Engine
from dataedge.errors import AuditError
from dataedge.progress import Progress
from dataedge.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Length:
    name, version, batch_size = "length", 1, 3

    def __init__(self, bad: str = "", base: int = 0) -> None:
        self.bad, self.base, self.batches, self.ready = bad, base, 0, False

    def params(self) -> dict[str, Any]:
        return {"base": self.base}

    def setup(self) -> None:
        self.ready = True

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        assert self.ready
        self.batches += 1
        texts = batch["text"].to_pylist()
        if self.bad and self.bad in texts:
            raise ValueError(f"cannot read {self.bad}")
        return pa.record_batch(
            {"unit": batch["unit"], "length": pa.array([self.base + len(t) for t in texts])}
        )


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Store(tmp_path) as store:
        yield Engine(store, Progress(quiet=True))


def table(texts: list[str]) -> pa.Table:
    return pa.table({"unit": [f"u-{t}" for t in texts], "text": texts})


def test_results_come_in_the_order_asked_and_repeats_are_computed_once(engine: Engine) -> None:
    stage = Length()
    found = engine.run(stage, table(["aaa", "b", "cc", "b", "dddd"]))
    assert found["length"].to_pylist() == [3, 1, 2, 1, 4]
    assert stage.batches == 2  # four distinct units in batches of three
    again = Length()
    assert engine.run(again, table(["cc", "aaa"]))["length"].to_pylist() == [2, 3]
    assert again.batches == 0
    assert not again.ready  # nothing to do, nothing opened


def test_a_unit_counts_once_towards_the_whole(tmp_path: Path) -> None:
    """Whether it is asked again in this run, or was asked in an earlier one."""
    for done in (3, 4):
        with Store(tmp_path) as store:
            engine = Engine(store, Progress(quiet=True))
            engine.progress.expect(10, ("length",))
            engine.run(Length(), table(["a", "bb", "ccc"]))
            engine.run(Length(), table(["ccc", "bb"]))
            assert engine.progress.done == 3
            engine.run(Length(), table(["ccc", "dddd"][: done - 2]))
            assert engine.progress.done == done


def test_a_parameter_is_part_of_the_key(engine: Engine) -> None:
    engine.run(Length(), table(["aaa"]))
    other = Length(base=10)
    assert engine.run(other, table(["aaa"]))["length"].to_pylist() == [13]
    assert stage_key(other) != stage_key(Length())


def test_a_bad_unit_fails_alone(engine: Engine) -> None:
    found = engine.run(Length(bad="bb"), table(["aaa", "bb", "c"]))
    assert found["length"].to_pylist() == [3, None, 1]
    assert "cannot read bb" in found["error"].to_pylist()[1]
    assert engine.records["length"].failed == 1
    mended = engine.run(Length(), table(["aaa", "bb", "c"]))
    assert mended["length"].to_pylist() == [3, 2, 1]


def test_where_everything_fails_the_cause_is_raised(engine: Engine) -> None:
    class Broken(Length):
        def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            raise RuntimeError("no such device")

    with pytest.raises(
        AuditError, match=r"every one of 2 questions failed.*no such device"
    ) as caught:
        engine.run(Broken(), table(["a", "b"]))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_text_that_the_embedder_fails_on_is_named(engine: Engine) -> None:
    import numpy as np

    from dataedge.prepare.vectors import Embed, embed

    class Picky:
        def encode(self, texts: list[str], **_: Any) -> np.ndarray:
            if "bad" in texts:
                raise ValueError("cannot encode")
            return np.ones((len(texts), 3), np.float32)

    stage = Embed("embedded")
    stage._model = Picky()
    with pytest.raises(AuditError, match=r"1 texts, first 'bad'.*cannot encode") as caught:
        embed(engine, stage, ["one", "bad", "two"])
    assert caught.value.code == 3
    assert embed(engine, stage, ["two", "one"]).shape == (2, 3)


class Tight(Length):
    """Two texts at once are more than the memory holds; so is a long one by itself."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch["text"].to_pylist()
        if len(texts) > 1 or len(texts[0]) > 9:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().__call__(batch)


def test_a_batch_too_large_for_the_memory_goes_on_one_by_one(engine: Engine) -> None:
    found = engine.run(Tight(), table(["aaa", "b", "cc"]))
    assert found["length"].to_pylist() == [3, 1, 2]
    with pytest.raises(AuditError, match="the memory ran out") as caught:
        engine.run(Tight(), table(["d", "long enough to fail"]))
    assert caught.value.code == 3
