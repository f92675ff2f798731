"""What the base model knows already: shares, and nothing said where nothing was measured."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.measure.novelty import known_numbers
from dataedge.verdict.terms import new_to_the_model


def test_the_train_mean_as_every_answer_is_no_measurement_of_ignorance() -> None:
    """Prompts that development items did not vouch for leave the mean: an interval [0, 0] means nothing."""
    found = known_numbers(np.zeros(100), np.ones(100), np.arange(100), seed=0)
    assert found.value is None
    assert new_to_the_model(found).answer == "unknown"
    assert "development items" in new_to_the_model(found).sentence


@pytest.mark.parametrize(("share", "answer"), [(0.02, "yes"), (0.95, "no")])
def test_numbers_that_were_answered_are_a_share(share: float, answer: str) -> None:
    rng = np.random.default_rng(0)
    whole = rng.chisquare(1, 400)
    taken = share * whole + rng.normal(0, 0.02, 400)
    found = known_numbers(taken, whole, np.arange(400), seed=0)
    assert found.value == pytest.approx(share, abs=0.03)
    assert new_to_the_model(found).answer == answer
