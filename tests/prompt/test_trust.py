"""How far a pool goes from the label prior, where prompts tell nothing and where they tell something."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.prompt.label_prior import LabelPrior
from dataedge.prompt.pool import TRUST, OutOfFold, pool_prompts

TRIED, ASKED, RUNS = 40, 400, 60


def over_commonest(
    signal: float, share: float, likeliest: bool, monkeypatch: pytest.MonkeyPatch
) -> np.ndarray:
    """Accuracy beyond the commonest label's, of pools of four prompts with so much to tell; shape (RUNS,)."""
    if likeliest:
        monkeypatch.setattr("dataedge.prompt.pool._trust", by_likelihood)
    rng, found = np.random.default_rng(0), []
    for _ in range(RUNS):
        y = (rng.random(TRIED + ASKED) < share).astype(np.int64)
        odds = signal * (2 * y - 1) + rng.normal(0, 1.5, (4, len(y)))
        scores = np.stack([np.zeros_like(odds), odds - 1.0], axis=2)
        train = LabelPrior.of((rng.random(48) < share).astype(np.int64), 2)
        said = pool_prompts(scores, y[:TRIED], train).evaluation.argmax(axis=1)
        found.append((said == y[TRIED:]).mean() - (y[TRIED:] == 0).mean())
    monkeypatch.undo()
    return np.array(found)


def by_likelihood(held: OutOfFold, labels: np.ndarray, _: np.ndarray) -> float:
    """The rule before: the likeliest one alone, nearer on a tie."""
    from dataedge.prompt.pool import _towards

    def told(trust: float) -> float:
        return float(_towards(held, trust)[np.arange(len(labels)), labels].sum())

    return max(reversed(TRUST), key=told)


def test_prompts_that_tell_nothing_stay_at_the_commonest_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forty development items speak for prompts that tell nothing by luck, and all the way by the old rule."""
    for share in (0.15, 0.3):
        before = over_commonest(0.0, share, True, monkeypatch)
        now = over_commonest(0.0, share, False, monkeypatch)
        assert now.mean() > max(before.mean(), -0.005)
        assert now.min() > before.min()


@pytest.mark.parametrize(("share", "costs"), [(0.15, 0.006), (0.5, 0.0)])
def test_prompts_that_tell_something_are_heard(
    share: float, costs: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = over_commonest(1.0, share, True, monkeypatch)
    now = over_commonest(1.0, share, False, monkeypatch)
    assert now.mean() > before.mean() - costs
    assert now.mean() > 0.06
