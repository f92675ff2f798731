"""Results to bytes and back: numpy arrays, figures, numbers, texts, and dataclasses made of them.

What is no table, such as a fitted curve, is kept as JSON beside an `npz` archive of its arrays.
Nothing is pickled, so that a store from elsewhere can hold data and nothing that runs.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KINDS = "biufcU"  # of dtypes that are stored as they are: no objects, which would be pickled
_BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OSError,
    EOFError,
    zipfile.BadZipFile,
)


class UnreadableError(Exception):
    """A stored result that is damaged, or of classes that have changed since."""


@dataclass(frozen=True)
class Packed:
    """A result as it is stored.

    Attributes:
        tree: JSON; arrays stand in it by their number.
        arrays: an npz archive, empty where there are none.
    """

    tree: str
    arrays: bytes

    @property
    def checksum(self) -> str:
        """SHA-256 over both, in hexadecimal."""
        whole = hashlib.sha256(self.tree.encode("utf-8", "surrogatepass"))
        whole.update(b"\0" + self.arrays)
        return whole.hexdigest()


def pack(value: object) -> Packed:
    """A result to what is stored; numpy's scalars become Python's.

    Args:
        value: None, numbers, texts, arrays without objects, and lists, tuples, dictionaries and
            dataclasses of these.

    Raises:
        TypeError: something else is in it.

    Example:
        >>> pack((1, Figure.missing("none", "share").reason, np.float32(0.5))).tree
        '{"tuple": [1, "none", 0.5]}'
    """
    arrays: list[np.ndarray[Any, Any]] = []
    tree = json.dumps(_fold(value, arrays), allow_nan=False)
    buffer = io.BytesIO()
    if arrays:
        np.savez(buffer, *arrays)
    return Packed(tree, buffer.getvalue())


def unpack(packed: Packed, kinds: Sequence[type] = ()) -> Any:
    """The result again, array for array and bit for bit.

    Args:
        packed: as stored.
        kinds: the dataclasses that it may be made of, besides `Figure`; no other is ever made.

    Raises:
        UnreadableError: it is damaged, or of other classes.

    Example:
        >>> unpack(pack({0.8: np.arange(3)}))
        {0.8: array([0, 1, 2])}
    """
    known = {kind.__name__: kind for kind in (Figure, *kinds)}
    try:
        arrays: Mapping[str, Any] = {}
        if packed.arrays:
            with np.load(io.BytesIO(packed.arrays), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        return _unfold(json.loads(packed.tree), arrays, known)
    except _BROKEN as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error


def _fold(value: object, arrays: list[np.ndarray[Any, Any]]) -> Any:
    """Arrays go to the list, everything else into what JSON has."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        arrays.append(_plain(value))
        return {"array": len(arrays) - 1}
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if type(value) is list:
        return [_fold(v, arrays) for v in value]
    if type(value) is tuple:
        return {"tuple": [_fold(v, arrays) for v in value]}
    if type(value) is dict:
        return {"dict": [[_fold(k, arrays), _fold(v, arrays)] for k, v in value.items()]}
    if is_dataclass(value) and not isinstance(value, type):
        named = {f.name: _fold(getattr(value, f.name), arrays) for f in fields(value)}
        return {"dataclass": type(value).__name__, "fields": named}
    raise TypeError(f"a {type(value).__name__} cannot be kept")


def _plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.kind not in _KINDS:
        raise TypeError(f"an array of {array.dtype} cannot be kept")
    return array


def _unfold(tree: Any, arrays: Mapping[str, Any], known: Mapping[str, type]) -> Any:
    if isinstance(tree, list):
        return [_unfold(v, arrays, known) for v in tree]
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[f"arr_{tree['array']}"]
    if "float" in tree:
        return float(tree["float"])
    if "tuple" in tree:
        return tuple(_unfold(v, arrays, known) for v in tree["tuple"])
    if "dict" in tree:
        return {_unfold(k, arrays, known): _unfold(v, arrays, known) for k, v in tree["dict"]}
    kind = known[tree["dataclass"]]
    return kind(**{name: _unfold(v, arrays, known) for name, v in tree["fields"].items()})


def digest(value: object) -> str:
    """SHA-256 of a value in hexadecimal: equal for equal values, whatever made them.

    Arrays count with dtype, shape and bytes; a list is as good as a tuple, and a dictionary's
    order does not matter.

    Args:
        value: what `pack` takes.

    Raises:
        TypeError: something else is in it.

    Example:
        >>> digest(["a", "bc"]) == digest(("a", "bc")) != digest(["ab", "c"])
        True
    """
    whole = hashlib.sha256()
    _feed(whole.update, value)
    return whole.hexdigest()


def _feed(update: Any, value: object) -> None:
    """Every part with its kind and length before it, so that no two values read alike."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        update(f"array {value.dtype.str} {value.shape};".encode())
        update(np.ascontiguousarray(_plain(value)))
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        update(b"text %d;" % len(text))
        update(text)
    elif value is None or isinstance(value, bool | int | float):
        update(f"{type(value).__name__} {value!r};".encode())
    elif isinstance(value, list | tuple):
        update(b"list %d;" % len(value))
        for part in value:
            _feed(update, part)
    elif isinstance(value, dict):
        update(b"dict %d;" % len(value))
        for key in sorted(value, key=digest):
            _feed(update, key)
            _feed(update, value[key])
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(update, type(value).__name__)
        _feed(update, {f.name: getattr(value, f.name) for f in fields(value)})
    else:
        raise TypeError(f"a {type(value).__name__} has no digest")
