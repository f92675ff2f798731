"""How frequent labels are: told by the train side, unless development items say that its rows were picked."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.prompt.label_prior import LabelPrior, count_labels, log_label_prior
from dataedge.prompt.pool import pool_prompts

TRIED, ASKED, RUNS = 40, 400, 40


def shares(classes: int, commonest: float) -> np.ndarray:
    p = np.full(classes, (1 - commonest) / (classes - 1))
    p[0] = commonest
    return p


def lost(train_shares: np.ndarray, held_shares: np.ndarray, rows: int) -> dict[str, float]:
    """Mean nats per held-out label beyond its entropy, of three ways to tell the prior."""
    rng, found = np.random.default_rng(0), {"train": 0.0, "counted together": 0.0, "now": 0.0}
    for _ in range(200):
        train = rng.multinomial(rows, train_shares).astype(float)
        known = rng.multinomial(TRIED, held_shares).astype(float)
        together = train + known + 1
        told = {
            "train": log_label_prior(train),
            "counted together": np.log(together / together.sum()),
            "now": log_label_prior(train, known),
        }
        for name, log_prior in told.items():
            found[name] += float(held_shares @ (np.log(held_shares) - log_prior)) / 200
    return found


@pytest.mark.parametrize("rows", [48, 384])
@pytest.mark.parametrize("classes", [2, 5])
def test_rows_that_were_picked_evenly_are_seen_through(classes: int, rows: int) -> None:
    found = lost(shares(classes, 1 / classes), shares(classes, 0.85), rows)
    assert found["now"] < 0.25 * found["train"]
    assert found["now"] < 0.7 * found["counted together"]


@pytest.mark.parametrize("rows", [48, 384])
@pytest.mark.parametrize(("classes", "commonest"), [(2, 0.5), (2, 0.85), (5, 0.4), (30, 1 / 30)])
def test_rows_that_came_as_they_do_are_believed(classes: int, commonest: float, rows: int) -> None:
    p = shares(classes, commonest)
    found = lost(p, p, rows)
    assert found["now"] < found["counted together"] + 0.002
    assert found["now"] < found["train"] + 0.001


def test_items_may_count_for_more_or_less() -> None:
    labels = np.array([0, 1, 1])
    counted = count_labels(labels, 3, np.array([2.0, 0.5, 0.0]))
    assert counted.tolist() == [2.0, 0.5, 0.0]
    assert count_labels(labels, 3).tolist() == [1.0, 2.0, 0.0]


def pooled(seed: int, signal: float) -> float:
    """Accuracy beyond the commonest label's: train rows even over three labels, 85 % of the held-out items one."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, TRIED + ASKED, p=shares(3, 0.85))
    scores = signal * np.eye(3)[y] + rng.normal(size=(4, len(y), 3))
    said = pool_prompts(scores, y[:TRIED], LabelPrior(np.full(3, 16.0))).evaluation.argmax(axis=1)
    return float((said == y[TRIED:]).mean() - (y[TRIED:] == 0).mean())


def test_a_balanced_train_side_takes_nothing_from_the_commonest_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [pooled(seed, 0.5) for seed in range(RUNS)]
    monkeypatch.setattr(LabelPrior, "knowing", lambda prior, *_: log_label_prior(prior.train))
    before = [pooled(seed, 0.5) for seed in range(RUNS)]
    assert np.mean(before) < -0.03
    assert np.mean(now) > -0.005
    assert min(now) > -0.04


def test_items_that_belong_together_count_together() -> None:
    """Customers, each with a leading label of its own: ten known ones are no reason to leave what many tell."""
    rng, lost = np.random.default_rng(0), {"train": 0.0, "alone": 0.0, "together": 0.0}
    for _ in range(200):
        p = np.full(3, 1 / 3)
        customers = [rng.dirichlet(2.0 * p) for _ in range(90)]
        labels = [rng.choice(3, 16, p=own) for own in customers]
        train, known = np.concatenate(labels[:30]), np.concatenate(labels[30:40])
        held = np.concatenate(labels[40:])
        clusters = np.repeat(np.arange(10), 16)
        for name, told in (
            ("train", log_label_prior(count_labels(train, 3))),
            ("alone", LabelPrior.of(train, 3).knowing(known)),
            ("together", LabelPrior.of(train, 3, clusters).knowing(known)),
        ):
            lost[name] -= float(told[held].mean()) / 200
    assert lost["together"] < lost["alone"] - 0.005
    assert lost["together"] < lost["train"] + 0.002
