from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from dataedge.prompt.calibration import fit
from dataedge.prompt.label_prior import count_labels, log_label_prior


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
    prior = log_label_prior(count_labels(labels, 4))
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
    log_proba = fit(scores, labels, log_label_prior(count_labels(labels, 4))).log_proba(held_scores)
    said = np.exp(log_proba.max(1)).mean()
    right = (log_proba.argmax(1) == held).mean()
    assert abs(said - right) < 0.04


def test_contextual_calibration_uses_the_content_free_scores() -> None:
    scores, labels = biased_scores(60, 4)
    empty = 3.0 * np.array([[9.0, 0, 0, -2.0]])
    fitted = fit(
        scores,
        labels,
        log_label_prior(count_labels(labels, 4)),
        kinds=("contextual",),
        content_free=empty,
    )
    assert fitted.kind == "contextual"


def test_a_model_that_knows_nothing_falls_back_to_the_prior() -> None:
    """With 85 % of one label, an ignorant model plus the prior is not worse than the majority."""
    rng = np.random.default_rng(5)
    labels = (rng.random(600) > 0.85).astype(int)
    scores = rng.normal(0, 3, (600, 2))
    prior = log_label_prior(count_labels(labels, 2))
    fitted = fit(scores[:200], labels[:200], prior)
    accuracy = (fitted.log_proba(scores[200:]).argmax(1) == labels[200:]).mean()
    assert accuracy > (labels[200:] == 0).mean() - 0.02
