"""How fast a model would run here, before it is opened: its size, and what this machine multiplies."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataedge.models import Found, find, gguf, hub
from dataedge.models.config_numbers import Tensor, weights_in
from dataedge.models.weights import INDEX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.models.precision import Precision

MEASURED_SECONDS = 0.2
SHAPE = 256, 576, 1536
"""Of the product that is timed: rows, and the two sides of a matrix as small models have them."""
BETWEEN_PRODUCTS = 190e9
"""Weights a second and thread: what a processor needs for all that is not a product of matrices. Set by the
embedded model on a processor with AVX-512, in float32 and in bfloat16, with one thread and with two."""
GPU_SHARE = 0.1
"""Of the products that a GPU could do, what asking does with its short batches. A guess."""
BITS_PER_WEIGHT = 5.0
"""Of a GGUF file whose name does not say."""
_QUANTIZED = re.compile(r"(?:^|[-_.])(?:(?:I|T)?Q(\d)|MXFP(\d)|(?:B?F|FP)(16|32))", re.IGNORECASE)


_EXPERTS = "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"
_USED = (
    *("num_experts_per_tok", "num_experts_per_token", "experts_per_token", "top_k_experts"),
    *("moe_topk", "moe_top_k", "moe_k"),
)
"""What configurations call the experts of a layer, and those of them that a token goes through."""
_OF_EXPERTS = re.compile(r"\.experts\.|\.block_sparse_moe\.(?:input|output)_linear\.")
"""In names of tensors that belong to experts; Granite's have no number of their own."""
_PACKED = re.compile(r"qweight$|weight_packed$|_blocks$")
"""Ends of names of tensors that hold several weights in a number: GPTQ and AWQ, compressed-tensors, MXFP4."""
_BYTE = "U8"
"""The kind of number that else holds two weights, with bitsandbytes and in NVFP4; any other packed one has 32
bits."""
_BITS = 4
"""Of a packed weight where the configuration does not say."""


def multiplied(spec: str) -> float | None:
    """About how many weights of a model a token is multiplied by; nothing is loaded.

    Of a mixture of experts those of a token's own experts count, and packed weights as many as they are.

    Args:
        spec: `embedded`, `hf/<path or hub id>` or `gguf/<path>`.

    Returns:
        None where the weights are not on this machine.

    Raises:
        AuditError: the spec names no model.
    """
    found = find(spec)
    folder = _folder(found)
    weights = weights_in(_files(folder)) if folder else None
    if folder and weights and 0 < weights.numbers <= weights.most:
        return _of_a_token(weights.tensors, _configuration(folder))
    if found.kind == "gguf":  # not converted yet
        file = Path(found.where)
        return 8.0 * file.stat().st_size / bits_per_weight(file.stem)
    return None


def _of_a_token(tensors: Sequence[Tensor], told: dict[str, Any]) -> float:
    """Weights that a token is multiplied by.

    Example:
        >>> told = {"num_experts": 8, "num_experts_per_tok": 2}
        >>> one = [Tensor("layers.0.mlp.experts.3.up_proj.weight", 800), Tensor("embed.weight", 100)]
        >>> _of_a_token(one, told), _of_a_token(one, {})
        (300.0, 900.0)
        >>> _of_a_token([Tensor("layers.0.q_proj.qweight", 50, "I32")], {"bits": 8})
        200.0
        >>> _of_a_token([Tensor("layers.0.q_proj.weight", 50, "U8")], {})
        100.0
    """
    bits = told.get("bits", _BITS)
    used, experts = (_first(told, keys) for keys in (_USED, _EXPERTS))
    share = used / experts if used and experts and used <= experts else 1.0
    total = 0.0
    for name, numbers, kind in tensors:
        held = numbers * share if _OF_EXPERTS.search(f".{name}.") else float(numbers)
        if _PACKED.search(name) or (kind == _BYTE and name.endswith("weight")):
            held *= (8.0 if kind == _BYTE else 32.0) / bits
        total += held
    return total


def _first(told: dict[str, Any], keys: Sequence[str]) -> int | None:
    return next((told[key] for key in keys if key in told), None)


def _configuration(folder: Path) -> dict[str, int]:
    """Whole numbers above 0 of a model's configuration, those of nested objects too."""
    found: dict[str, int] = {}

    def take(value: Any, of: str = "") -> None:
        for key, inner in value.items() if isinstance(value, dict) else ():
            if isinstance(inner, int) and not isinstance(inner, bool) and inner > 0:
                # compressed-tensors says so of activations too
                own = "bits" if (of, key) == ("weights", "num_bits") else key
                found.setdefault(own, inner)
            take(inner, key)

    with suppress(OSError, ValueError, RecursionError):
        take(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    return found


def _folder(found: Found) -> Path | None:
    """Where its safetensors files are, or will be."""
    if found.kind == "hub":
        return hub.copy_of(found.where)
    return Path(found.where) if found.kind == "folder" else gguf.place(Path(found.where))


def _files(folder: Path) -> list[Path]:
    """Those that its index names, if it has one; else the one file of weights that is read."""
    index = folder / f"model{INDEX}"
    try:
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return sorted({folder / str(name) for name in named})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [folder / "model.safetensors"]


def bits_per_weight(name: str) -> float:
    """Of a GGUF file, by its name; half a bit more than it says, for the scales beside the weights.

    Example:
        >>> [bits_per_weight(name) for name in ("a-7b.Q4_K_M", "a-fp16", "a-IQ2_XS", "model")]
        [4.5, 16.0, 2.5, 5.0]
    """
    match = _QUANTIZED.search(name)
    if match is None:
        return BITS_PER_WEIGHT
    quantized, packed, whole = match.groups()
    return float(whole) if whole else float(quantized or packed) + 0.5


def tokens_per_second(weights: float, precision: Precision) -> float:
    """Tokens that a model of so many weights would run in a second: one product of matrices is timed.

    Args:
        weights: of the model; each is multiplied once for a token.
        precision: in which they are multiplied.
    """
    import torch

    on_gpu = torch.cuda.is_available()
    rows, inner, outer = SHAPE
    made = {"dtype": getattr(torch, precision), "device": "cuda" if on_gpu else "cpu"}
    left, right = torch.ones(rows, inner, **made), torch.ones(outer, inner, **made)

    def product() -> float:
        started = time.perf_counter()
        torch.nn.functional.linear(left, right)
        if on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - started

    product()  # the first one starts the library
    shortest, until = product(), time.perf_counter() + MEASURED_SECONDS
    while time.perf_counter() < until:
        shortest = min(shortest, product())
    products = rows * inner * outer / shortest
    if on_gpu:
        return GPU_SHARE * products / weights
    between = BETWEEN_PRODUCTS * torch.get_num_threads()
    return float(1.0 / (weights / products + weights / between))
