from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataedge.config import make_config
from dataedge.errors import AuditError

if TYPE_CHECKING:
    from pathlib import Path


def test_flags_before_environment_before_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dataedge.toml").write_text('seed = 1\nprobe_items = 100\ntask = "corpus"\n')
    (tmp_path / "pyproject.toml").write_text("[tool.dataedge]\nseed = 7\ndelta = 0.1\n")
    monkeypatch.setenv("DATAEDGE_PROBE_ITEMS", "200")
    config, passed = make_config({"seed": 3, "limit": None}, tmp_path)
    assert (config.seed, config.probe_items, config.task, config.delta) == (3, 200, "corpus", 0.1)
    assert passed["seed"] == 3
    assert "limit" not in passed


def test_prices_may_stand_in_a_table_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dataedge.toml").write_text(
        "[prices]\nin = 2.0\nout = 8\ntuned_in = 3\ntuning = 40\n"
    )
    config, passed = make_config({"price_in": 1.0}, tmp_path)
    assert (config.price_in, config.price_out, config.price_tuned_in) == (1.0, 8.0, 3.0)
    assert (config.price_tuned_out, config.price_tuning) == (None, 40.0)
    assert "prices" not in passed


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("seeds = 1\n", ("dataedge.toml", "seeds", "seed")),
        ("seed = -1\n", ("dataedge.toml", "seed")),
        ("seed = \n", ("dataedge.toml", "TOML")),
        ("[prices]\nread = 1\n", ("dataedge.toml", "[prices]", "'read'", "Known keys: in, out")),
        ("[prices]\ntuned_on = 1\n", ("unknown key 'tuned_on'", "Did you mean tuned_")),
        ("prices = 3\n", ("dataedge.toml", "prices")),
    ],
)
def test_a_bad_file_is_named(
    text: str, names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dataedge.toml").write_text(text)
    with pytest.raises(AuditError) as caught:
        make_config({}, tmp_path)
    for name in names:
        assert name in caught.value.message + caught.value.hint


@pytest.mark.parametrize("name", ["DATAEDGE_APART", "DATAEDGE_CACHE", "DATAEDGE_DEBUG"])
def test_what_belongs_to_the_machine_is_no_option(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "1")
    assert make_config({})[0].seed == 0
    monkeypatch.setenv("DATAEDGE_SEEED", "1")
    with pytest.raises(AuditError, match="seeed"):
        make_config({})
