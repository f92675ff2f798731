"""A model's size is read from its files, and its speed follows from size and precision."""

from __future__ import annotations

import pytest

from dataedge.models import open_model
from dataedge.models.speed import parameters, tokens_per_second


def test_the_size_of_a_folder_is_that_of_its_tensors(tiny_model: str) -> None:
    net = open_model(tiny_model, dtype="float32", proven=True).forward.net
    counted = sum(p.numel() for p in net.parameters())
    assert parameters(tiny_model) == pytest.approx(counted, rel=0.05)


def test_a_hundred_times_the_weights_take_a_hundred_times_as_long() -> None:
    """Each measures the machine anew, which may be busy: within a factor of three."""
    small, large = (tokens_per_second(n, "float32") for n in (1e8, 1e10))
    assert 33 < small / large < 300
