"""A model's size is read from its files, and its speed follows from size and precision."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest

from dataedge.models import open_model
from dataedge.models.speed import multiplied, tokens_per_second

if TYPE_CHECKING:
    from pathlib import Path


def test_the_size_of_a_folder_is_that_of_its_tensors(tiny_model: str) -> None:
    net = open_model(tiny_model, dtype="float32", proven=True).forward.net
    counted = sum(p.numel() for p in net.parameters())
    assert multiplied(tiny_model) == pytest.approx(counted, rel=0.05)


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
        assert multiplied(f"hf/{folder}") is None
    put("model.safetensors", [10, 10])
    put("consolidated.safetensors", [10, 10])
    assert multiplied(f"hf/{folder}") == 100
    shards = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    put("model-1.safetensors", [10, 10])
    assert multiplied(f"hf/{folder}") is None
    put("model-2.safetensors", [10, 10])
    assert multiplied(f"hf/{folder}") == 200


def test_the_embedded_model_runs_at_a_speed_that_a_machine_can_have() -> None:
    """Between ten tokens a second and a million, larger models the slower."""
    small, large = (tokens_per_second(n, "float32") for n in (1.35e8, 1.35e10))
    assert 10 < small < 1e6
    assert large < small


SMALL = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 2, "num_local_experts": 8,
    "num_experts_per_tok": 2,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["Mixtral", "GraniteMoe"])
def test_a_mixture_of_experts_counts_those_that_a_token_goes_through(
    tmp_path: Path, kind: str
) -> None:
    """Against what a network of transformers multiplies in one token: its experts two of eight.

    In Granite's files they have other names than in the network.
    """
    import torch
    import transformers

    config = getattr(transformers, f"{kind}Config")(**SMALL)
    net = getattr(transformers, f"{kind}ForCausalLM")(config)
    net.save_pretrained(tmp_path / "m")
    experts = sum(p.numel() for n, p in net.named_parameters() if "experts" in n)
    rest = sum(p.numel() for p in net.parameters()) - experts
    assert experts > 4 * rest
    assert multiplied(f"hf/{tmp_path / 'm'}") == pytest.approx(rest + experts / 4)
    assert torch.isfinite(net(torch.tensor([[1, 2]])).logits).all()


@pytest.mark.parametrize(
    ("name", "kind", "told", "weights"),
    [
        ("a.q_proj.qweight", "I32", {"quantization_config": {"bits": 4}}, 800),
        ("a.q_proj.weight_packed", "I32", {"weights": {"num_bits": 8}}, 400),
        ("a.q_proj.weight_packed", "U8", {"weights": {"num_bits": 4}}, 200),
        (
            "a.q_proj.weight_packed",
            "I32",
            {"input_activations": {"num_bits": 8}, "weights": {"num_bits": 4}},
            800,
        ),
        ("a.q_proj.weight", "U8", {}, 200),
        ("a.experts.gate_up_proj_blocks", "U8", {}, 200),
        ("a.q_proj.weight", "I8", {}, 100),
        ("a.q_proj.weight", "F8_E4M3", {}, 100),
        ("a.q_proj.weight_scale", "U8", {}, 100),
    ],
)
def test_packed_weights_count_as_many_as_they_are(
    tmp_path: Path, name: str, kind: str, told: dict[str, object], weights: int
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(told))
    text = json.dumps({name: {"dtype": kind, "shape": [10, 10]}}).encode()
    file = struct.pack("<Q", len(text)) + text + bytes(400)
    (tmp_path / "model.safetensors").write_bytes(file)
    assert multiplied(f"hf/{tmp_path}") == weights


@pytest.mark.parametrize(
    "told", ["{}", '{"num_experts": 8}', '{"num_experts": "8", "num_experts_per_tok": 0}']
)
def test_a_configuration_that_says_nothing_changes_nothing(tmp_path: Path, told: str) -> None:
    (tmp_path / "config.json").write_text(told)
    header = {"a.experts.up": {"dtype": "F32", "shape": [10, 10]}}
    text = json.dumps(header).encode()
    file = struct.pack("<Q", len(text)) + text + bytes(400)
    (tmp_path / "model.safetensors").write_bytes(file)
    assert multiplied(f"hf/{tmp_path}") == 100
