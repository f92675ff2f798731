"""Numbers of a model's configuration that its weights do not bear out.

A configuration says how many layers a network has and how wide they are, and the network is built before its
weights are looked at: a number that was made to be large fills the memory, or builds for hours.
"""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WIDEST, DEEPEST = 10_000_000, 10_000
"""Of any layer, vocabulary or count that a network is built from, and layers of one."""
_SIZES = re.compile(r"(.*_)?(size|dim|rank|width|channels|heads|groups|experts|inner|embd|d_\w+)")
_LAYERS = re.compile(r"(num_|n_)?(\w+_)?(layers?|blocks|depth)")
_HEADER = 8, 100_000_000
"""Of a safetensors file: bytes of its header's length, and the most that this may be."""


def check_numbers(file: str, settings: Iterable[tuple[str, Any]], tensors: int | None) -> None:
    """Refuse a configuration whose numbers no weights could fill.

    Args:
        file: as messages name it.
        settings: every key with its value, those of nested ones too.
        tensors: in the model's weights, None where that is not known.

    Raises:
        AuditError: a size is above ten million, or there are more layers than tensors, or ten thousand.
    """
    for key, value in settings:
        if isinstance(value, bool) or not isinstance(value, int):
            continue
        layers = _LAYERS.fullmatch(key) is not None
        if layers and tensors is not None and value > tensors:
            raise _refused(file, key, value, f"its weights have {tensors:,} tensors")
        most = DEEPEST if layers else WIDEST
        if (layers or _SIZES.fullmatch(key)) and abs(value) > most:
            raise _refused(file, key, value, f"at most {most:,} is read")


def tensors_in(path: Path) -> int | None:
    """How many tensors a safetensors file or an index of such files names; None where it cannot be read.

    Args:
        path: `*.safetensors` or `*.safetensors.index.json`.
    """
    try:
        if path.suffix == ".json":
            return len(json.loads(path.read_text(encoding="utf-8"))["weight_map"])
        length, most = _HEADER
        with path.open("rb") as data:
            (size,) = struct.unpack("<Q", data.read(length))
            if size > min(most, path.stat().st_size):
                return None
            return len([name for name in json.loads(data.read(size)) if name != "__metadata__"])
    except (OSError, ValueError, KeyError, TypeError, struct.error, RecursionError):
        return None


def _refused(file: str, key: str, value: int, why: str) -> AuditError:
    shown = f"{value:,}" if abs(value) < 10**15 else "a number of many digits"
    return AuditError(
        f"{file} asks for {key} = {shown}, and {why}",
        hint="Copy or download the model again, or name another one: --model",
    )
