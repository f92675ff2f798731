"""What ends an audit from outside: no room, no memory, a signal. A sentence, and the same command goes on."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
import torch

from dataedge.cli import app
from dataedge.errors import machine_trouble
from dataedge.store import FILE

if TYPE_CHECKING:
    from collections.abc import Callable


def fill_numpy() -> None:
    np.ones((1 << 50,))


def fill_torch() -> None:
    torch.ones(1 << 50)


def fill_duckdb() -> None:
    with duckdb.connect(config={"memory_limit": "20MB", "temp_directory": ""}) as con:
        con.execute("select list(range) from range(100_000_000)")


@pytest.mark.parametrize("fill", [fill_numpy, fill_torch, fill_duckdb])
def test_memory_that_ran_out_is_known_whoever_says_it(fill: Callable[[], None]) -> None:
    with pytest.raises((MemoryError, RuntimeError, duckdb.Error)) as caught:
        fill()
    trouble = machine_trouble(caught.value)
    assert trouble is not None
    assert trouble.message == "the memory ran out"
    assert trouble.code == 3


def test_a_full_disk_is_known_whoever_says_it() -> None:
    with (
        pytest.raises(OSError, match="No space left") as caught,
        Path("/dev/full").open("w") as file,
    ):
        file.write("x" * 100_000)
    trouble = machine_trouble(caught.value)
    assert trouble is not None
    assert "no room left on the disk" in trouble.message
    assert machine_trouble(ValueError("a label is missing")) is None


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "out of memory.csv"),
        duckdb.IOException(
            'Cannot open file "/no space left/out of memory.csv": Permission denied'
        ),
        RuntimeError("[enforce fail] open file failed, file path: 'bad_alloc/model.safetensors'"),
        ValueError("d.csv, row 3: no number: out of memory"),
    ],
)
def test_a_name_says_nothing_of_the_machine(error: Exception) -> None:
    assert machine_trouble(error) is None


def test_sigterm_ends_it_as_ctrl_c_does(monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    rows = "".join(f"a text about thing {i} of many,{'ab'[i % 2]}\n" for i in range(40))
    (tmp_path / "d.csv").write_text("text,label\n" + rows)
    monkeypatch.setattr("dataedge.pipeline.run", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    command = [
        "dataedge",
        "audit",
        str(tmp_path / "d.csv"),
        "--out",
        str(tmp_path / "o"),
        "--fresh",
    ]
    monkeypatch.setattr(sys, "argv", command)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as caught:
            app.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.code == 143
    said = capsys.readouterr().err
    assert "ended by SIGTERM; the model's answers so far are kept" in said
    assert f"Go on with: `{' '.join(command[:-1])}`" in said


@pytest.mark.long
@pytest.mark.parametrize("most", [20_000, 300_000, 1_500_000])
def test_a_disk_that_fills_up_loses_nothing(
    most: int, small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    """No file may grow past `most` bytes, as where the disk ends there."""
    command = [
        sys.executable, "-m", "dataedge", "audit", str(small_dataset),
        "--out", str(tmp_path / "a"), "--model", tiny_model, "--probe-items", "40", "--quiet",
    ]  # fmt: skip

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # EFBIG then, as a full disk is ENOSPC
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    full = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited, check=False)
    assert full.returncode == 3, full.stderr
    assert "no room left on the disk" in full.stderr
    assert "hint: " in full.stderr
    assert "Traceback" not in full.stderr
    stored = (tmp_path / "a" / FILE).exists()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert stored or most < 100_000
