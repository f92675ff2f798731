"""Numbers of a model's configuration that its weights do not bear out.

A configuration says how many layers a network has and how wide they are, and the network is built before its
weights are looked at: a number that was made to be large fills the memory, or builds for hours.
"""

from __future__ import annotations

import json
import math
import re
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

WIDEST, DEEPEST = 10_000_000, 10_000
"""Of any layer, vocabulary or count that a network is built from, and layers of one."""
_SIZES = re.compile(r"(.*_)?(size|dim|rank|width|channels|heads|groups|experts|inner|embd|d_\w+)")
_LAYERS = re.compile(r"(num_|n_)?(\w+_)?(layers?|blocks|depth)")
_COUNTS = re.compile(r"num_hidden_layers|n_layers?|num_layers|(num_)?(encoder|decoder)_layers")
"""Keys that say how many layers there are; others that end alike, `max_window_layers` say, are thresholds."""
PACKED = 8
"""Weights that a byte may hold at most."""
_HEADER = 8, 100_000_000
"""Of a safetensors file: bytes of its header's length, and the most that this may be."""


class Tensor(NamedTuple):
    """One tensor of a safetensors file, as the file's header has it.

    Attributes:
        name: as the network calls it.
        numbers: how many, by its shape.
        kind: of each, as the header has it: "F32", "U8".
    """

    name: str
    numbers: int
    kind: str = ""


class Weights(NamedTuple):
    """What there is of a model's weights on this machine.

    Attributes:
        tensors: all of them.
        size: of their files, in bytes.
    """

    tensors: tuple[Tensor, ...]
    size: int

    @property
    def numbers(self) -> int:
        """In all tensors."""
        return sum(tensor.numbers for tensor in self.tensors)

    @property
    def most(self) -> int:
        """Numbers that they can hold, however they are packed."""
        return PACKED * self.size


def check_numbers(file: str, settings: Iterable[tuple[str, Any]], weights: Weights | None) -> None:
    """Refuse a configuration whose numbers no weights could fill.

    Args:
        file: as messages name it.
        settings: every key with its value, those of nested objects too, and the whole under any name.
        weights: of the model, None where that is not known.

    Raises:
        AuditError: a size is above ten million, or there are more layers than tensors, or ten thousand, or
            a vocabulary's vectors that the weights cannot hold.
    """
    for key, value in settings:
        if isinstance(value, dict) and weights:
            words, width = value.get("vocab_size"), value.get("hidden_size")
            if isinstance(words, int) and isinstance(width, int) and words * width > weights.most:
                why = f"{width:,} numbers for each are more than its weights hold"
                raise _refused(file, "vocab_size", words, why)
        if isinstance(value, bool) or not isinstance(value, int):
            continue
        layers = _LAYERS.fullmatch(key) is not None
        if _COUNTS.fullmatch(key) and weights and value > len(weights.tensors):
            raise _refused(file, key, value, f"its weights have {len(weights.tensors):,} tensors")
        most = DEEPEST if layers else WIDEST
        if (layers or _SIZES.fullmatch(key)) and abs(value) > most:
            raise _refused(file, key, value, f"at most {most:,} is read")


def weights_in(paths: Sequence[Path]) -> Weights | None:
    """The tensors that safetensors files hold, and in how many bytes; None where one cannot be read.

    Args:
        paths: of the files.
    """
    found, total = [], 0
    length, most = _HEADER
    try:
        for path in paths:
            with path.open("rb") as data:
                (size,) = struct.unpack("<Q", data.read(length))
                if size > min(most, path.stat().st_size):
                    return None
                header = json.loads(data.read(size))
            found += [
                Tensor(name, math.prod(tensor.get("shape", ())), str(tensor.get("dtype", "")))
                for name, tensor in header.items()
                if name != "__metadata__"
            ]
            total += path.stat().st_size
    except (OSError, ValueError, TypeError, AttributeError, struct.error, RecursionError):
        return None
    return Weights(tuple(found), total)


def _refused(file: str, key: str, value: int, why: str) -> AuditError:
    shown = f"{value:,}" if abs(value) < 10**15 else "a number of many digits"
    return AuditError(
        f"{file} asks for {key} = {shown}, and {why}",
        hint="Copy or download the model again, or name another one: --model",
    )
