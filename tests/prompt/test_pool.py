"""A pool of prompts: better and steadier than the one that development items put first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from dataedge.prompt import calibration
from dataedge.prompt.calibration import log_softmax
from dataedge.prompt.label_prior import LabelPrior
from dataedge.prompt.pool import centre, fit_pool, pool_prompts, pooled_out_of_fold

MEMBERS, ITEMS, CLASSES, DEVELOPMENT = 14, 400, 6, 50


LARGE = 1e6
"""Train items, so many that they tell the label prior."""


class Drawn(NamedTuple):
    scores: np.ndarray
    labels: np.ndarray
    log_prior: np.ndarray

    @property
    def prior(self) -> LabelPrior:
        return LabelPrior(LARGE * np.exp(self.log_prior))


def draw(seed: int, *, skill: float = 1.0, prior: np.ndarray | None = None) -> Drawn:
    """Prompts of unlike skill, scale and preference whose mistakes go together in part."""
    rng = np.random.default_rng(seed)
    p = np.full(CLASSES, 1 / CLASSES) if prior is None else prior
    labels = rng.choice(CLASSES, ITEMS, p=p)
    truth = np.eye(CLASSES)[labels]
    shared = rng.normal(size=(ITEMS, CLASSES))
    skills = skill * rng.uniform(0.2, 1.6, MEMBERS)
    scores = np.stack(
        [
            scale * (k * truth + 0.7 * shared + rng.normal(size=truth.shape)) + bias
            for k, scale, bias in zip(
                skills,
                rng.uniform(0.5, 4, MEMBERS),
                2 * rng.normal(size=(MEMBERS, 1, CLASSES)),
                strict=True,
            )
        ]
    )
    return Drawn(scores, labels, np.log(p))


def pooled_accuracy(drawn: Drawn) -> float:
    pooled = pool_prompts(drawn.scores, drawn.labels[:DEVELOPMENT], drawn.prior)
    return float((pooled.evaluation.argmax(axis=1) == drawn.labels[DEVELOPMENT:]).mean())


def chosen_accuracy(drawn: Drawn) -> float:
    """The old rule: the one prompt that is best on development items, calibrated."""
    few, rest = np.arange(DEVELOPMENT), np.arange(DEVELOPMENT, ITEMS)
    tried = [
        calibration.out_of_fold(
            z[few], drawn.labels[few], drawn.prior, kinds=("none", "batch")
        ).argmax(axis=1)
        for z in drawn.scores
    ]
    best = drawn.scores[int(np.argmax([(t == drawn.labels[few]).mean() for t in tried]))]
    fitted = calibration.fit(best[few], drawn.labels[few], drawn.prior, kinds=("none", "batch"))
    found = fitted.log_proba(best[rest]).argmax(axis=1)
    return float((found == drawn.labels[rest]).mean())


def test_a_pool_is_better_and_steadier_than_the_prompt_that_was_chosen() -> None:
    """The same prompts and items, other development items: what a user's luck is made of."""
    drawn = draw(0)
    pooled, chosen = [], []
    for turn in range(8):
        order = np.random.default_rng(turn).permutation(ITEMS)
        again = Drawn(drawn.scores[:, order], drawn.labels[order], drawn.log_prior)
        pooled.append(pooled_accuracy(again))
        chosen.append(chosen_accuracy(again))
    assert np.mean(pooled) > np.mean(chosen) + 0.05
    assert np.std(pooled) < np.std(chosen)


@pytest.mark.parametrize("share", [1 / CLASSES, 0.85])
def test_prompts_that_know_nothing_leave_the_label_prior(share: float) -> None:
    prior = np.full(CLASSES, (1 - share) / (CLASSES - 1))
    prior[0] = share
    below = []
    for seed in range(12):
        drawn = draw(seed, skill=0.0, prior=prior)
        rest = drawn.labels[DEVELOPMENT:]
        below.append((rest == 0).mean() - pooled_accuracy(drawn))
    assert np.mean(below) < 0.01


def test_what_a_prompt_prefers_whatever_the_text_says_makes_no_difference() -> None:
    drawn = draw(1)
    moved = log_softmax(drawn.scores) + np.linspace(-3, 3, CLASSES)
    assert np.allclose(centre(moved).scores, centre(drawn.scores).scores)


def test_a_prompt_in_other_units_counts_the_same() -> None:
    drawn = draw(2)
    larger = drawn.scores.copy()
    larger[3] = 5 * log_softmax(larger[3])
    assert np.allclose(centre(larger).scores, centre(drawn.scores).scores)


def test_an_item_that_a_prompt_failed_on_is_judged_by_the_others() -> None:
    drawn = draw(3)
    scores = drawn.scores.copy()
    scores[0, 7] = np.nan
    scores[:, 9] = np.nan
    centred = centre(scores)
    found = fit_pool(centred, drawn.labels, drawn.log_prior).log_proba(centred)
    assert np.isfinite(found[7]).all()
    assert np.isnan(found[9]).all()
    assert np.isfinite(np.delete(found, 9, axis=0)).all()


def test_weights_are_not_negative_and_the_best_prompts_have_the_largest() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, CLASSES, ITEMS)
    skills = np.array([2.0, 0.0, 0.0, 2.0, -1.0])
    scores = skills[:, None, None] * np.eye(CLASSES)[labels] + rng.normal(size=(5, ITEMS, CLASSES))
    pool = fit_pool(centre(scores), labels, np.zeros(CLASSES))
    assert (pool.weights >= 0).all()
    assert min(pool.weights[[0, 3]]) > 5 * max(pool.weights[[1, 2, 4]])


def test_out_of_fold_probabilities_do_not_flatter() -> None:
    """Labels that have nothing to do with the scores: the pool must not seem to save anything."""
    saved = []
    for seed in range(12):
        drawn = draw(seed)
        few = np.arange(DEVELOPMENT)
        labels = np.random.default_rng(seed).permutation(drawn.labels[few])
        held = pooled_out_of_fold(centre(drawn.scores).items(few), labels, drawn.prior)
        saved.append(np.mean((held.log_proba - held.log_prior)[few, labels]))
    assert np.mean(saved) < 2 * np.std(saved) / np.sqrt(len(saved))


def test_weak_prompts_are_listened_to_a_little() -> None:
    """All or nothing answered with the most frequent label wherever they lost by a hair out of fold."""
    now, before = [], []
    few, rest = np.arange(DEVELOPMENT), np.arange(DEVELOPMENT, ITEMS)
    for seed in range(40):
        drawn = draw(seed, skill=0.2)
        labels = drawn.labels[few]
        now.append(pooled_accuracy(drawn))
        centred = centre(drawn.scores)
        held = pooled_out_of_fold(centred.items(few), labels, drawn.prior)
        whole = fit_pool(centred.items(few), labels, drawn.log_prior)
        said = whole.log_proba(centred.items(rest))
        if np.sum((held.log_proba - held.log_prior)[few, labels]) <= 0:
            said = np.broadcast_to(drawn.log_prior, said.shape)
        before.append(float((said.argmax(axis=1) == drawn.labels[rest]).mean()))
    assert np.mean(now) > np.mean(before) + 0.01
    assert np.std(now) < np.std(before)
