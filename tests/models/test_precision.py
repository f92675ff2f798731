"""A local model is proven against itself; bfloat16 stays where it changes little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dataedge import models
from dataedge.models import precision
from dataedge.models.local import scatter
from tests.models import tiny

if TYPE_CHECKING:
    from pathlib import Path

torch = tiny.torch
ASKED = ([f"Customer: {q}\nTopic:" for q in tiny.QUESTIONS], tiny.LABELS)


def stored_in_bfloat16(tmp_path: Path) -> Path:
    folder = tmp_path / "half"
    tiny.network().bfloat16().save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


def test_precision_follows_processor_and_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_GPU_FILES", ())
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    for flags, wanted in {"avx2 amx_bf16": "bfloat16", "avx2 avx512f": "float32"}.items():
        monkeypatch.setattr(precision.Path, "read_text", lambda *_, flags=flags, **__: flags)
        assert precision.native_precision() == wanted
    monkeypatch.setattr(precision.Path, "read_text", lambda *_, **__: "amx_bf16 avx512_bf16")
    for limit, wanted in {
        "AVX2": "float32",
        "AVX512_CORE": "float32",
        "AVX512_CORE_BF16": "bfloat16",
        "AVX512_CORE_AMX": "bfloat16",
    }.items():
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
        assert precision.native_precision() == wanted, limit


def test_a_network_in_bfloat16_runs_in_float32_and_is_left_as_it_was() -> None:
    """What it computes is what the same weights give when all of them are float32."""
    half, full = tiny.network().bfloat16(), tiny.network().bfloat16().float()
    before = {name: p.data_ptr() for name, p in half.named_parameters()}
    ids = torch.tensor([[0, 5, 9, 40, 7]])
    with torch.inference_mode():
        rough = half(input_ids=ids).logits.float()
        with precision.widened(half):
            wide = half(input_ids=ids).logits
        again = half(input_ids=ids).logits.float()
        exact = full(input_ids=ids).logits
    np.testing.assert_allclose(wide.numpy(), exact.numpy(), atol=1e-5)
    assert not torch.equal(rough, exact)
    assert torch.equal(rough, again)
    assert before == {name: p.data_ptr() for name, p in half.named_parameters()}


def test_weights_are_restored_when_a_pass_fails() -> None:
    half = tiny.network().bfloat16()
    with precision.widened(half), pytest.raises(IndexError):
        half(input_ids=torch.tensor([[10_000]]))
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("in_bfloat16", [False, True])
def test_the_structure_is_proven_in_float32(tmp_path: Path, in_bfloat16: bool) -> None:
    """Stored in either type, a model passes by 1e-3: no luck of rounding is in it."""
    folder = stored_in_bfloat16(tmp_path) if in_bfloat16 else tiny.folder(tmp_path / "full")
    model = models.open_model(f"hf/{folder}", dtype="bfloat16")
    assert model.tree
    assert not model.forward.plain
    assert model.capabilities.precision == "bfloat16"
    matrices = [p for p in model.forward.net.parameters() if p.dim() == 2]
    assert all(torch.equal(p, p.bfloat16().to(p.dtype)) for p in matrices)
    native = precision.native_precision() == "bfloat16"
    assert {p.dtype for p in matrices} == {torch.bfloat16 if native else torch.float32}


def test_bfloat16_is_the_same_where_the_processor_does_not_multiply_it() -> None:
    """The products of the same rounded numbers: nothing differs but the order of a sum's terms."""
    ids = torch.randint(0, 64, (8, 40), generator=torch.Generator().manual_seed(0))
    found = []
    for native in (True, False):
        net = tiny.network()
        precision.multiply_in_bfloat16(net, native=native)
        with torch.inference_mode():
            found.append(net(input_ids=ids).logits.float())
    with torch.inference_mode():
        exact = tiny.network()(input_ids=ids).logits
    apart = (found[0] - found[1]).abs().mean()
    assert apart < 0.1 * (found[0] - exact).abs().mean()
    assert (found[1] - exact).abs().mean() > 0


class Noisy:
    """Adds an error that depends on how many rows stand in the pass, as bfloat16 does."""

    def __init__(self, net: Any, size: float) -> None:
        self.real, self.size, self.on = net.model.forward, size, False
        net.model.forward = self

    def __call__(self, *args: Any, **options: Any) -> Any:
        out = self.real(*args, **options)
        if self.on:
            state = out.last_hidden_state
            noise = torch.randn(state.shape, generator=torch.Generator().manual_seed(len(state)))
            out.last_hidden_state = state + self.size * noise
        return out


@pytest.mark.parametrize(("size", "kept"), [(0.0001, True), (2.0, False)])
def test_bfloat16_stays_where_its_scatter_is_small(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch, size: float, kept: bool
) -> None:
    """A scatter of some hundredths is no reason to refuse; a large one is a reason for float32."""
    from dataedge.models.local import opening
    from dataedge.models.local.forward import Forward

    # a model of 30,000 weights scatters more in bfloat16 than one that anyone would audit with
    monkeypatch.setattr(scatter, "MOST_CHANGED", 0.1)
    nets: list[Noisy] = []
    read, lower = opening.read_weights, Forward.use_bfloat16

    def noisy(*args: Any, **options: Any) -> Any:
        net, tokenizer = read(*args, **options)
        nets.append(Noisy(net, size))
        return net, tokenizer

    def scattering(forward: Forward) -> None:
        lower(forward)
        nets[-1].on = True

    monkeypatch.setattr(opening, "read_weights", noisy)
    monkeypatch.setattr(Forward, "use_bfloat16", scattering)
    monkeypatch.setattr(models, "native_precision", lambda: "bfloat16")
    model = models.open_model(tiny_model)
    can = model.capabilities
    assert can.token_logprobs
    if kept:
        assert (can.precision, can.notes) == ("bfloat16", ())
        assert can.scatter_nats is not None
        assert can.scatter_nats > 0
        assert can.changed_answers is not None
        assert can.changed_answers <= scatter.MOST_CHANGED
    else:
        assert can.precision == "float32"
        assert can.scatter_nats is None
        assert any("float32, which is slower" in note for note in can.notes)
        forced = models.open_model(tiny_model, dtype="bfloat16").capabilities
        assert forced.precision == "bfloat16"
        assert forced.changed_answers is not None
        assert forced.changed_answers > scatter.MOST_CHANGED


def test_what_the_scatter_is_said_to_change_it_changes() -> None:
    """Share of decisions between two labels turned round, simulated for three sizes of error."""
    rng = np.random.default_rng(0)
    exact = scatter.Answers(rng.normal(0, 1.5, (40_000, 2)), np.zeros(1))
    for size in (0.02, 0.1, 0.5):
        found = exact.choices + rng.normal(0, size, exact.choices.shape)
        said = scatter.scatter(exact, scatter.Answers(found, np.zeros(1)))
        centred = exact.choices - exact.choices.mean(0), found - found.mean(0)
        changed = (centred[0].argmax(1) != centred[1].argmax(1)).mean()
        assert said.changed == pytest.approx(changed, rel=0.15)


def test_a_precision_that_overflows_is_not_kept() -> None:
    good = scatter.Answers(np.eye(3), np.array([-1.0]))
    for bad in (np.nan, np.inf):
        found = scatter.Answers(np.full((3, 3), bad), np.array([-1.0]))
        assert not scatter.scatter(good, found).small
    assert not scatter.scatter(good, scatter.Answers(np.eye(3), np.array([-1.5]))).small
