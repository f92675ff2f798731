"""Nothing that comes with a dataset runs: no script, no pickle, whatever it is called."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from typing import TYPE_CHECKING, Any

import datasets
import pyarrow as pa
import pytest

from dataedge.errors import AuditError
from dataedge.load import load
from dataedge.load.sources import open_repository

if TYPE_CHECKING:
    from pathlib import Path

ROWS = {"text": ["one fine day", "another day", "a third day"], "label": ["a", "b", "a"]}


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "it-ran"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def script(folder: Path, marker: Path) -> None:
    """A loading script beside the data, named as the datasets library once wanted it."""
    code = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n"
    for name in (folder.name, "dataset", "__init__"):
        (folder / f"{name}.py").write_text(code)


def test_a_script_beside_the_data_does_not_run(tmp_path: Path, marker: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train.csv").write_text("text,label\none fine day,a\nanother day,b\nthird,a\n")
    script(folder, marker)
    assert len(load(folder).items) == 3
    with pytest.raises(RuntimeError, match="scripts are no longer supported"):
        open_repository(str(folder))
    (folder / "mine.py").unlink()
    assert set(open_repository(str(folder))) == {"train"}
    assert not marker.exists()


def test_a_script_in_a_saved_folder_does_not_run(tmp_path: Path, marker: Path) -> None:
    folder = tmp_path / "saved"
    datasets.Dataset.from_dict(ROWS).save_to_disk(str(folder))
    script(folder, marker)
    (folder / "state.pkl").write_bytes(pickle.dumps(Bomb(marker)))
    assert len(load(folder).items) == 3
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_a_pickled_type_in_a_schema_is_not_unpickled(
    tmp_path: Path, marker: Path, suffix: str
) -> None:
    """What made Arrow files run code once (CVE-2023-47248): an extension type that is a pickle."""
    bomb = pickle.dumps(Bomb(marker))
    extension = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": bomb,
    }
    schema = pa.schema(
        [pa.field("text", pa.string(), metadata=extension), pa.field("label", pa.string())]
    )
    table = pa.table(ROWS, schema=schema)
    file = tmp_path / f"data{suffix}"
    if suffix == ".parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(table, file)
    else:
        with pa.ipc.new_file(str(file), schema) as out:
            out.write_table(table)
    assert bomb in file.read_bytes() or suffix == ".parquet"
    assert len(load(file).items) == 3
    assert not marker.exists()


def test_an_archive_that_may_hold_pickles_is_refused(tmp_path: Path, marker: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    with tarfile.open(folder / "train.tar", "w") as out:
        for name, data in {"1.txt": b"one", "1.pth": pickle.dumps(Bomb(marker))}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
    with pytest.raises(AuditError, match="of the kind 'webdataset'") as caught:
        open_repository(str(folder))
    assert "parquet" in caught.value.hint
    assert not marker.exists()


@pytest.mark.parametrize("name", ["data.pkl", "data.npy", "data.pt", "data.py"])
def test_pickles_and_code_are_no_data_files(tmp_path: Path, marker: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(marker)))
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(AuditError):
            load(path)
    assert not marker.exists()
