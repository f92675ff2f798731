"""In what precision a local model runs: what the processor multiplies, and how to go between them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Precision = Literal["float32", "bfloat16"]
Wanted = Literal["auto", "float32", "bfloat16"]
"""What a user may ask for; `auto` is bfloat16 where it is fast and close enough to float32."""

_GPU_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
_BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")
_BFLOAT16_LEVELS = ("AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10", "AMX", "DEFAULT", "ALL")


def native_precision() -> Precision:
    """bfloat16 where the processor (or the GPU) multiplies it natively, float32 elsewhere.

    `ONEDNN_MAX_CPU_ISA` counts: oneDNN, which multiplies for torch, keeps to it. torch is imported
    only where there may be a GPU.
    """
    if any(Path(file).exists() for file in _GPU_FILES):
        import torch

        if torch.cuda.is_available():
            return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "float32"
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "ALL"
    allowed = any(level in limit.upper() for level in _BFLOAT16_LEVELS)
    return "bfloat16" if allowed and any(f in flags for f in _BFLOAT16_FLAGS) else "float32"


def multiply_in_bfloat16(net: Any, *, native: bool) -> None:
    """Keep weights and matrix products in bfloat16 and everything between them in float32.

    As fast on a processor as bfloat16 throughout, and closer to float32: summed log-probabilities
    of short labels scatter by 0.08 instead of 0.17 nats, so that the likeliest of 77 stays the
    same (benchmarks/scoring.py). A processor that does not multiply bfloat16 would take some ten
    times as long: there the same rounded numbers are multiplied in float32, in which a processor
    that has bfloat16 adds them up as well, and the product is rounded.

    Args:
        net: weights of any floating type; changed in place.
        native: the processor multiplies bfloat16.
    """
    import torch

    multiplied = torch.bfloat16 if native else torch.float32

    def lower(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (inputs[0].to(torch.bfloat16).to(multiplied), *inputs[1:])

    def raise_(_: Any, __: Any, output: Any) -> Any:
        return output.to(torch.bfloat16).float()

    matrices = set()
    for module in net.modules():
        own = dict(module.named_parameters(recurse=False))
        if "weight" in own and own["weight"].dim() == 2:
            matrices |= {id(parameter) for parameter in own.values()}
            if not isinstance(module, torch.nn.Embedding):
                module.register_forward_pre_hook(lower)
            module.register_forward_hook(raise_)
    for parameter in net.parameters():
        if id(parameter) in matrices:
            parameter.data = parameter.data.to(torch.bfloat16).to(multiplied)
        else:
            parameter.data = parameter.data.float()


@contextmanager
def widened(net: Any) -> Iterator[None]:
    """Run a network in float32 whatever its weights are kept in.

    The weights of one module at a time are widened while it runs, so that this takes little
    memory; a network that is kept in float32 runs as it is.

    Args:
        net: as it was read; not one that `multiply_in_bfloat16` has changed.
    """
    import torch

    wide = _Wide()
    handles = []
    for module in net.modules():
        if not wide.narrow(module):
            continue
        if isinstance(module, torch.nn.Embedding):  # a few rows of it are read: no need for all
            handles.append(module.register_forward_hook(lambda _, __, rows: rows.float()))
        else:
            handles.append(module.register_forward_pre_hook(wide.widen))
            handles.append(module.register_forward_hook(wide.restore, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Wide:
    """The weights of modules that are running, as they were before and will be again."""

    def __init__(self) -> None:
        self.kept: dict[int, list[tuple[Any, Any]]] = {}

    def narrow(self, module: Any) -> list[Any]:
        """Its own weights that are not float32."""
        import torch

        own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
        return [w for w in own if w.is_floating_point() and w.dtype != torch.float32]

    def widen(self, module: Any, _: Any) -> None:
        self.kept[id(module)] = [(weights, weights.data) for weights in self.narrow(module)]
        for weights, data in self.kept[id(module)]:
            weights.data = data.float()

    def restore(self, module: Any, *_: Any) -> None:
        for weights, data in self.kept.pop(id(module), []):
            weights.data = data
