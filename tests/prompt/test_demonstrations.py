from __future__ import annotations

import numpy as np
import pytest

from dataedge.items import Item
from dataedge.positions import positions
from dataedge.prompt.demonstrations import (
    counts_that_fit,
    random_demonstrations,
    retrieved_demonstrations,
)

ITEMS = [Item((f"text {i}",), ["card_arrival", "lostCard"][i % 2], i + 1) for i in range(20)]


def test_random_demonstrations_cover_labels_and_depend_on_the_seed_alone() -> None:
    train = positions(range(20))
    shown = random_demonstrations(ITEMS, train, 4, 0)
    assert sorted(s.target for s in shown) == ["card_arrival"] * 2 + ["lostCard"] * 2
    assert shown == random_demonstrations(ITEMS, train, 4, 0)
    assert shown != random_demonstrations(ITEMS, train, 4, 1)


def test_retrieved_demonstrations_are_the_nearest_of_the_train_side_the_nearest_last() -> None:
    angles = np.linspace(0.0, 1.5, 20)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    train = positions([1, 2, 9, 15])
    shown = retrieved_demonstrations(ITEMS, train, vectors[train], vectors[[3, 14]], 2)
    assert [[item.texts[0] for item in row] for row in shown] == [
        ["text 1", "text 2"],
        ["text 9", "text 15"],
    ]


@pytest.mark.parametrize(
    ("item_tokens", "context", "train", "fits"),
    [
        (20.0, 8192, 300, [8, 16]),
        (20.0, 8192, 10, [8]),  # no more than there are
        (100.0, 8192, 300, [8]),  # 1,100 tokens at most
        (40.0, 800, 300, [8]),  # half the context at most
        (300.0, 8192, 300, [3]),  # none of them fits: as many as do
        (2000.0, 8192, 300, []),
    ],
)
def test_demonstrations_are_as_many_as_fit(
    item_tokens: float, context: int, train: int, fits: list[int]
) -> None:
    found = counts_that_fit(
        [8, 16], "random", item_tokens=item_tokens, context=context, train=train
    )
    assert found == fits
