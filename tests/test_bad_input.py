"""Bad input gets one sentence, a hint and an exit code; what was stored stays."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from dataedge.cli import app
from dataedge.store import Store

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "text,label\n" + "".join(
    f"a text about thing {i} of many,{'ab'[i % 2]}\n" for i in range(40)
)


def fails(
    capsys: Any, monkeypatch: Any, *args: str, code: int = 2, names: tuple[str, ...] = ()
) -> str:
    monkeypatch.setattr(sys, "argv", ["dataedge", *args])
    with pytest.raises(SystemExit) as caught:
        app.main()
    printed = capsys.readouterr()
    assert caught.value.code == code, printed.err
    lines = printed.err.strip().splitlines()
    assert lines[-2].startswith("error: "), printed.err
    assert lines[-1].startswith("hint: ")
    assert len(lines[-1]) > len("hint: ")
    assert "Traceback" not in printed.err
    for name in names:
        assert name in printed.err, f"{name!r} is not named in {printed.err}"
    return str(printed.err)


CASES: dict[str, tuple[str, bytes, tuple[str, ...], int, tuple[str, ...]]] = {
    "empty file": ("d.csv", b"", (), 2, ("d.csv",)),
    "one column": ("d.csv", b"number\n1\n2\n3\n", (), 2, ("d.csv", "number")),
    "one class": ("d.csv", GOOD.replace(",b", ",a").encode(), (), 2, ("label",)),
    "one row": ("d.csv", b"text,label\nhello there,a\n", (), 2, ("d.csv",)),
    "identical rows": ("d.csv", b"text,label\n" + b"hello there,a\n" * 50, (), 2, ("d.csv",)),
    "wrong label column": ("d.csv", GOOD.encode(), ("--label-column", "labl"), 2, ("labl", "label")),
    "invalid utf-8": ("d.csv", b"text,label\ncaf\xe9 au lait,a\nb,c\n", (), 2, ("d.csv", "iconv")),
    "truncated parquet": ("d.parquet", b"PAR1" + b"\x00" * 40, (), 2, ("d.parquet",)),
    "null labels": ("d.csv", b"text,label\n" + b"".join(b"some words %d,\n" % i for i in range(9)), (), 2, ("label",)),
    "two readings": (
        "d.csv",
        b"prompt,completion,text,label\n" + b"".join(b"p %d,c %d,t %d,%d\n" % (i, i, i, i % 2) for i in range(40)),
        (), 2, ("--prompt-column prompt", "--label-column label"),
    ),
    "no such model kind": ("d.csv", GOOD.encode(), ("--model", "nonsense/x"), 2, ("nonsense",)),
    "no such folder": ("d.csv", GOOD.encode(), ("--model", "hf/./no/such/folder/at all"), 2, ("no/such/folder",)),
    "hub id without network": ("d.csv", GOOD.encode(), ("--model", "hf/some-owner/some-model"), 2, ("some-owner/some-model",)),
    "bad number": ("d.csv", GOOD.encode(), ("--probe-items", "3"), 2, ("--probe-items",)),
    "not a number": ("d.csv", GOOD.encode(), ("--probe-items", "many"), 2, ("probe-items",)),
    "bad task": ("d.csv", GOOD.encode(), ("--task", "cook"), 2, ("cook",)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=list(CASES))
def test_bad_data_and_flags(case: str, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    name, content, flags, code, names = CASES[case]
    (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    with Store(tmp_path / "out") as store:
        store.put_note("kept", 1)
    fails(capsys, monkeypatch, "audit", name, "--out", "out", *flags, code=code, names=names)
    with Store(tmp_path / "out", read_only=True) as store:
        assert store.get_note("kept") == 1


def test_missing_path_suggests_the_nearest(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    (tmp_path / "tickets.csv").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    said = fails(capsys, monkeypatch, "audit", "./ticket.csv", names=("ticket.csv",))
    assert "tickets.csv" in said.splitlines()[-1]


def test_directory_without_data(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    assert "photo.png" in fails(capsys, monkeypatch, "audit", str(tmp_path))


def test_hub_dataset_without_network(monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "some-owner/some-data" in fails(capsys, monkeypatch, "audit", "some-owner/some-data")


def test_model_path_that_is_no_model(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    (tmp_path / "d.csv").write_text(GOOD)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.gguf").write_text("not a model")
    monkeypatch.chdir(tmp_path)
    said = fails(
        capsys,
        monkeypatch,
        "audit",
        "d.csv",
        "--model",
        f"hf/{tmp_path}/folder",
    )
    assert "config.json" in said
    said = fails(
        capsys,
        monkeypatch,
        "audit",
        "d.csv",
        "--model",
        f"gguf/{tmp_path}/file.gguf",
    )
    assert "file.gguf" in said
    said = fails(
        capsys,
        monkeypatch,
        "audit",
        "d.csv",
        "--embedder",
        f"st/{tmp_path}/folder",
    )
    assert "config.json" in said


@pytest.mark.skipif(
    not os.path.isdir("/proc"), reason="needs a directory that even root cannot write"
)
def test_unwritable_output(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    (tmp_path / "d.csv").write_text(GOOD)
    said = fails(
        capsys,
        monkeypatch,
        "audit",
        str(tmp_path / "d.csv"),
        "--out",
        "/proc/x",
    )
    assert "/proc/x" in said
    assert "--out" in said


def varied(i: int) -> str:
    """Sentences that are no near duplicates of each other."""
    rng = random.Random(i)
    words = [
        "river",
        "north",
        "card",
        "country",
        "miles",
        "account",
        "bridge",
        "three",
        "under",
        "stone",
        "loan",
        "sea",
        "gate",
    ]
    return " ".join(rng.choice(words) + rng.choice("abcdefgh") * 2 for _ in range(9))


def test_nothing_but_near_duplicates_cannot_be_split(
    tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    rows = [
        f"the very same long sentence about a card and an account {i},{'ab'[i % 2]}"
        for i in range(60)
    ]
    (tmp_path / "d.csv").write_text("text,label\n" + "\n".join(rows))
    out = str(tmp_path / "o")
    said = fails(
        capsys,
        monkeypatch,
        "audit",
        str(tmp_path / "d.csv"),
        "--out",
        out,
        code=3,
    )
    assert "near duplicates" in said


@pytest.mark.long
def test_odd_values_are_noted_and_do_no_harm(tmp_path: Path, tiny_model: str) -> None:
    """NUL bytes, mixed types, a megabyte of text, empty labels: left out or read, and said so."""
    import json

    import dataedge

    rows: list[dict[str, Any]] = [{"text": varied(i), "label": "ab"[i % 2]} for i in range(60)]
    rows += [
        {"text": "with a \x00 in it", "label": "a"},
        {"text": 17, "label": "a"},
        {"text": {"nested": 1}, "label": "b"},
        {"text": "no label here", "label": None},
        {"text": "long " * 200_000, "label": "a"},
    ]
    file = tmp_path / "odd.jsonl"
    file.write_text("\n".join(json.dumps(r) for r in rows) + "\n")
    audit = dataedge.audit(file, out=str(tmp_path / "out"), model=tiny_model, probe_items=20)
    notes = " ".join(audit.report.dataset.notes)
    assert "NUL" in notes
    assert audit.report.dataset.unique >= 60
    assert audit.verdict.label in ("edge", "no_edge", "inconclusive")


def test_interrupted_says_how_to_go_on(monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(GOOD)

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dataedge.pipeline.run", stop)
    out = str(tmp_path / "o")
    said = fails(
        capsys,
        monkeypatch,
        "audit",
        str(tmp_path / "d.csv"),
        "--out",
        out,
        code=130,
    )
    assert "dataedge audit" in said


def test_a_hub_that_cannot_be_reached_is_said_in_a_process_of_its_own(tmp_path: Path) -> None:
    """In this process a part of the hub's client may be loaded that a user's process has not."""
    done = subprocess.run(
        [sys.executable, "-m", "dataedge", "plan", "no/such-set"],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "OfflineModeIsEnabled" in done.stderr
    assert "Check the spelling and the network" in done.stderr
