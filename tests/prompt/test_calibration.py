from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from dataedge.prompt.calibration import fit, out_of_fold
from dataedge.prompt.label_prior import LabelPrior


def biased_scores(n: int, seed: int, skill: float = 4.5) -> tuple[np.ndarray, np.ndarray]:
    """A model that knows the label, prefers label 0 whatever the text, and is too sure."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    scores = rng.normal(0, 2.0, (n, 4))
    scores[np.arange(n), labels] += skill
    return 3.0 * (scores + np.array([9.0, 0, 0, -2.0])), labels


def test_calibration_brings_back_what_label_bias_hides() -> None:
    scores, labels = biased_scores(100, 0)
    held_scores, held = biased_scores(400, 1)
    prior = LabelPrior.of(labels, 4)
    fitted = fit(scores, labels, prior, kinds=("none", "batch"))
    raw = (held_scores.argmax(1) == held).mean()
    calibrated = (fitted.log_proba(held_scores).argmax(1) == held).mean()
    assert raw < 0.35
    assert calibrated > 0.7
    assert fitted.kind == "batch"
    loss = -fitted.log_proba(held_scores)[np.arange(400), held].mean()
    assert loss < -log_softmax(held_scores, axis=1)[np.arange(400), held].mean()


def test_temperature_makes_probabilities_honest() -> None:
    scores, labels = biased_scores(400, 2)
    held_scores, held = biased_scores(2000, 3)
    log_proba = fit(scores, labels, LabelPrior.of(labels, 4)).log_proba(held_scores)
    said = np.exp(log_proba.max(1)).mean()
    right = (log_proba.argmax(1) == held).mean()
    assert abs(said - right) < 0.04


def test_contextual_calibration_uses_the_content_free_scores() -> None:
    scores, labels = biased_scores(60, 4)
    empty = 3.0 * np.array([[9.0, 0, 0, -2.0]])
    fitted = fit(
        scores,
        labels,
        LabelPrior.of(labels, 4),
        kinds=("contextual",),
        content_free=empty,
    )
    assert fitted.kind == "contextual"


def test_a_model_that_knows_nothing_falls_back_to_the_prior() -> None:
    """With 85 % of one label, an ignorant model plus the prior is not worse than the majority."""
    rng = np.random.default_rng(5)
    labels = (rng.random(600) > 0.85).astype(int)
    scores = rng.normal(0, 3, (600, 2))
    prior = LabelPrior.of(labels, 2)
    fitted = fit(scores[:200], labels[:200], prior)
    accuracy = (fitted.log_proba(scores[200:]).argmax(1) == labels[200:]).mean()
    assert accuracy > (labels[200:] == 0).mean() - 0.02


def test_one_prompt_is_not_misled_by_train_rows_that_were_picked() -> None:
    """Even train rows, 85 % of the held-out items of one label: a prompt that knows nothing gives the label."""
    lost = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        labels = rng.choice(3, 340, p=[0.85, 0.1, 0.05])
        scores = rng.normal(0, 1.0, (340, 3))
        fitted = fit(scores[:40], labels[:40], LabelPrior(np.full(3, 16.0)))
        said = fitted.log_proba(scores[40:]).argmax(axis=1)
        lost.append((labels[40:] == 0).mean() - (said == labels[40:]).mean())
    assert np.mean(lost) < 0.02


@pytest.mark.parametrize("K", [3, 30])
def test_what_the_development_items_tell_of_labels_does_not_flatter_them(K: int) -> None:
    """Out of fold they cost what other items cost, though the prior has listened to them."""
    apart = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        labels, scores = rng.integers(0, K, 340), rng.normal(0, 1.0, (340, K))
        scores[np.arange(340), labels] += 1.0
        few, rest = np.arange(40), np.arange(40, 340)
        prior = LabelPrior.of(rng.integers(0, K, 48), K)
        held = out_of_fold(scores[few], labels[few], prior)
        other = fit(scores[few], labels[few], prior).log_proba(scores[rest])
        apart.append(held[few, labels[few]].mean() - other[rest - 40, labels[rest]].mean())
    error = np.std(apart) / np.sqrt(len(apart))
    assert np.mean(apart) < 2 * error
