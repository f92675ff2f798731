"""A model's size is read from its files, and its speed follows from size and precision."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest

from dataedge.models import open_model
from dataedge.models.speed import parameters, tokens_per_second

if TYPE_CHECKING:
    from pathlib import Path


def test_the_size_of_a_folder_is_that_of_its_tensors(tiny_model: str) -> None:
    net = open_model(tiny_model, dtype="float32", proven=True).forward.net
    counted = sum(p.numel() for p in net.parameters())
    assert parameters(tiny_model) == pytest.approx(counted, rel=0.05)


def test_files_that_are_no_weights_or_not_all_there_have_no_size(tmp_path: Path) -> None:
    """Nothing is worked out from a damaged header, from one shard of two, or from another format's copy."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')

    def put(name: str, *shapes: list[int]) -> None:
        header = {str(i): {"dtype": "F32", "shape": s} for i, s in enumerate(shapes)}
        text = json.dumps(header).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(text)) + text + bytes(400))

    for shapes in ([], [[0, 5]], [[10**30] * 20]):
        put("model.safetensors", *shapes)
        assert parameters(f"hf/{folder}") is None
    put("model.safetensors", [10, 10])
    put("consolidated.safetensors", [10, 10])
    assert parameters(f"hf/{folder}") == 100
    shards = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    put("model-1.safetensors", [10, 10])
    assert parameters(f"hf/{folder}") is None
    put("model-2.safetensors", [10, 10])
    assert parameters(f"hf/{folder}") == 200


def test_the_embedded_model_runs_at_a_speed_that_a_machine_can_have() -> None:
    """Between ten tokens a second and a million, larger models the slower."""
    small, large = (tokens_per_second(n, "float32") for n in (1.35e8, 1.35e10))
    assert 10 < small < 1e6
    assert large < small
