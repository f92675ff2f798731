"""Numbers judged: those that lie far from what the rest of the data says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataedge.engine import Step
from dataedge.learner import regression
from dataedge.measure import quantities

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dataedge.learner.item_features import Description
    from dataedge.positions import Positions
    from dataedge.prompt.workspace import Workspace


@dataclass(frozen=True)
class NumberReview:
    """Numbers of some items.

    Attributes:
        index: shape (m,), which items.
        expected: shape (m,), predictions without the item and its near duplicates.
        found: suspects and reasons.
    """

    index: Positions
    expected: NDArray[np.float64]
    found: quantities.Quantities


NUMBER_QUALITY = Step("number_quality", 1, (NumberReview, quantities.Quantities))


def review_numbers(workspace: Workspace, described: Description, index: Positions) -> NumberReview:
    """Suspects among the numbers of some items, by these items alone."""
    inputs: dict[str, Any] = {
        "index": index,
        "values": workspace.numbers[index],
        "clusters": workspace.clusters[index],
        "seed": workspace.seed,
        "regression": regression.VERSION,
    }

    def compute(_: object) -> NumberReview:
        blocks = [block[index] for block in described.blocks]
        values, clusters = inputs["values"], inputs["clusters"]
        expected = regression.left_out(blocks, values, clusters)
        found = quantities.judge_quantities(values, expected, clusters, seed=workspace.seed)
        return NumberReview(index, expected, found)

    return workspace.engine.once(NUMBER_QUALITY, {**described.inputs, **inputs}, compute)
