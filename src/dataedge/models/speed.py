"""How fast a model would run here, before it is opened: its size, and what this machine multiplies."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dataedge.models import Found, find, gguf, hub
from dataedge.models.config_numbers import weights_in
from dataedge.models.weights import INDEX

if TYPE_CHECKING:
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


def parameters(spec: str) -> float | None:
    """About how many weights a model has; nothing is loaded.

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
    if weights and 0 < weights.numbers <= weights.most:
        return float(weights.numbers)
    if found.kind == "gguf":  # not converted yet
        file = Path(found.where)
        return 8.0 * file.stat().st_size / bits_per_weight(file.stem)
    return None


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
