"""`dataedge export --recipe`: the audit's split and settings, run by a real trainer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import dataedge
from dataedge.errors import AuditError
from dataedge.export.recipe import FORMS, SETTINGS, SIDES, write_recipe


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("form", FORMS)
def test_sides_are_those_of_the_audit(
    form: str, small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    out = tmp_path / "recipe"
    said = write_recipe(small_audit, form, out)
    assert FORMS[form].command in said
    sizes = {name: len(rows(out / "data" / f"{name}.jsonl")) for name in SIDES.values()}
    splits = small_audit.report.dataset.splits
    assert sizes == {SIDES[side]: splits[side] for side in SIDES}
    settings = yaml.safe_load((out / SETTINGS).read_text())
    assert small_audit.report.config.effective["model"].removeprefix("hf/") in settings.values()
    first = rows(out / "data" / "test.jsonl")[0]
    answer = first["messages"][1]["content"] if "messages" in first else first["completion"]
    assert answer in ("cold", "warm")
    with pytest.raises(AuditError, match="nothing is overwritten"):
        write_recipe(small_audit, form, out)


def test_a_model_that_talks_gets_messages(small_audit: dataedge.Audit, tmp_path: Path) -> None:
    model = small_audit.report.model.model_copy(update={"capabilities": {"chat": True}})
    report = small_audit.report.model_copy(update={"model": model})
    write_recipe(dataedge.Audit(small_audit.directory, report), "trl", tmp_path / "recipe")
    first = rows(tmp_path / "recipe" / "data" / "train.jsonl")[0]
    turns = [*first["prompt"], *first["completion"]]
    assert [t["role"] for t in turns] == ["user", "assistant"]


def test_an_unknown_trainer_is_refused(small_audit: dataedge.Audit, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="no such form"):
        write_recipe(small_audit, "mine", tmp_path / "recipe")


@pytest.mark.long
def test_trl_runs_it(small_audit: dataedge.Audit, tmp_path: Path) -> None:
    """The settings are TRL's own, the data is what it takes, and an adapter comes out."""
    pytest.importorskip("trl")
    out = tmp_path / "recipe"
    write_recipe(small_audit, "trl", out)
    trl = Path(sys.executable).with_name("trl")
    short = "--max_steps 2 --use_cpu true --eval_strategy no --save_strategy no --load_best_model_at_end false"
    done = subprocess.run(
        [str(trl), "sft", "--config", SETTINGS, *short.split()],
        cwd=out,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (out / "tuned" / "adapter_config.json").is_file()


def test_axolotl_and_llama_factory_name_files_that_are_there(
    small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    write_recipe(small_audit, "axolotl", tmp_path / "a")
    settings = yaml.safe_load((tmp_path / "a" / SETTINGS).read_text())
    for data in (*settings["datasets"], *settings["test_datasets"]):
        assert (tmp_path / "a" / data["path"]).is_file()
    write_recipe(small_audit, "llama-factory", tmp_path / "b")
    settings = yaml.safe_load((tmp_path / "b" / SETTINGS).read_text())
    info = json.loads((tmp_path / "b" / "data" / "dataset_info.json").read_text())
    for name in (settings["dataset"], settings["eval_dataset"]):
        assert (tmp_path / "b" / "data" / info[name]["file_name"]).is_file()
