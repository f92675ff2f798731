"""What is kept comes back bit for bit; what is damaged or foreign is refused; equal means equal digest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dataedge.engine.values import Packed, UnreadableError, digest, pack, unpack
from dataedge.figures import Figure


@dataclass(frozen=True)
class Kept:
    name: str
    values: object


plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(codec="utf-8"))
)
matrices = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.bool_]), arrays.array_shapes(max_dims=2)
)
values = st.recursive(
    plain | matrices,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | inner.map(lambda v: Kept("k", v))
    ),
    max_leaves=12,
)


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and (a.dtype, a.shape) == (b.dtype, b.shape)
            and a.tobytes() == b.tobytes()
        )
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))  # type: ignore[arg-type]
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)  # type: ignore[index,call-overload]
    if isinstance(a, Kept):
        return same(a.values, b.values)  # type: ignore[attr-defined]
    return a == b


@given(values)
def test_what_is_kept_comes_back_bit_for_bit(value: object) -> None:
    packed = pack(value)
    back = unpack(packed, (Kept,))
    assert same(value, back)
    assert digest(back) == digest(value)
    assert pack(back).checksum == packed.checksum


def test_a_figure_comes_back_as_one() -> None:
    figure = Figure(0.5, 0.4, 0.6, 10, "share", detail={"by": [1, 2]})
    assert unpack(pack({"a": figure})) == {"a": figure}


@pytest.mark.parametrize("value", [object(), np.array([object()]), {1, 2}, b"bytes"])
def test_what_could_run_is_not_kept(value: object) -> None:
    with pytest.raises(TypeError):
        pack(value)
    with pytest.raises(TypeError):
        digest(value)


def test_classes_that_were_not_named_are_never_made() -> None:
    with pytest.raises(UnreadableError):
        unpack(pack(Kept("k", 1)))
    with pytest.raises(UnreadableError):
        unpack(Packed('{"dataclass": "Figure", "fields": {"valeu": 1}}', b""))


def test_damage_is_noticed_wherever_it_is() -> None:
    packed = pack({"a": np.arange(50), "b": [1.5, "text"]})
    for at in range(0, len(packed.arrays), 17):
        bad = Packed(packed.tree, packed.arrays[:at] + b"\x07" + packed.arrays[at + 1 :])
        assert bad.checksum != packed.checksum or bad == packed
    for tree in (packed.tree[:-3], packed.tree.replace("array", "arrow"), "[", ""):
        with pytest.raises(UnreadableError):
            unpack(Packed(tree, packed.arrays))
    with pytest.raises(UnreadableError):
        unpack(Packed(packed.tree, packed.arrays[:-30]))


def test_a_digest_tells_values_apart_and_not_their_order_in_a_dictionary() -> None:
    different = [
        None, False, 0, 0.0, "", "0", [], {}, [0], [[0]], [0, 0], {"0": 0}, np.zeros(1), np.zeros(2),
        np.zeros((1, 1)), np.zeros(1, np.float32), np.ones(1), Kept("a", 1), Kept("b", 1),
    ]  # fmt: skip
    assert len({digest(v) for v in different}) == len(different)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(np.asfortranarray(np.ones((2, 3)))) == digest(np.ones((2, 3)))
