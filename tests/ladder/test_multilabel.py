"""Ladders of several labels, pooled: intervals that allow for labels of the same item."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.intervals import mean_of_classes
from dataedge.ladder.joint_pool import joint_answers, joint_inputs
from dataedge.ladder.multilabel import joint_trial, pooled_refits
from dataedge.ladder.refits import Answers, Refits
from dataedge.prompt.label_prior import LabelPrior
from dataedge.prompt.pool import Pooled, pool_prompts
from dataedge.prompt.search import Trial
from dataedge.widened_intervals import refit_variance

ROUNDS = 120


def macro(rng: np.random.Generator, *, items: int, labels: int, alike: float, base: float):
    """Differences of hits, label by label; with probability `alike` an answer follows the item's own draw."""
    applies = rng.random((items, labels)) < base
    own = rng.random(items)[:, None]
    drawn = np.where(rng.random((items, labels)) < alike, own, rng.random((items, labels)))
    gains = np.where(drawn < 0.2, 1.0, np.where(drawn > 0.9, -1.0, 0.0))
    classes = (2 * np.arange(labels) + applies).T.ravel()
    return gains.T.ravel(), classes, np.tile(np.arange(items), labels)


@pytest.mark.parametrize("alike", [0.0, 0.7])
@pytest.mark.parametrize(("items", "labels", "base"), [(54, 3, 0.3), (90, 8, 0.15)])
def test_the_interval_covers_however_alike_the_labels_of_an_item_are(
    items: int, labels: int, base: float, alike: float
) -> None:
    rng, covered, alone = np.random.default_rng(5), 0, 0
    for _ in range(ROUNDS):
        values, classes, clusters = macro(rng, items=items, labels=labels, alike=alike, base=base)
        found = mean_of_classes(values, classes, clusters, unit="balanced accuracy", paired=True)
        covered += found.low <= 0.1 <= found.high
        # the rule before: every class by itself, as if no item stood in two
        other = mean_of_classes(
            values, classes, np.arange(len(values)), unit="balanced accuracy", paired=True
        )
        alone += other.low <= 0.1 <= other.high
    assert covered / ROUNDS > 0.93
    if alike:
        assert alone / ROUNDS < 0.92


def test_where_nothing_varies_labels_of_an_item_count_as_one() -> None:
    classes, clusters = np.repeat([0, 1, 2], 30), np.tile(np.arange(30), 3)
    joint = mean_of_classes(np.ones(90), classes, clusters, unit="accuracy", paired=False)
    apart = mean_of_classes(np.ones(90), classes, np.arange(90), unit="accuracy", paired=False)
    assert 1 - joint.low == pytest.approx(3**0.5 * (1 - apart.low))


def test_refits_of_labels_are_those_of_the_same_train_side() -> None:
    def of(fits: int, items: int) -> Answers:
        hits = np.arange(fits * 4 * items).reshape(fits, 4, items) % 2 == 0
        return Answers(hits, ~hits, 0.5)

    one, two = (Refits(of(4, 5), of(3, 5), (of(2, 5),)) for _ in range(2))
    found = pooled_refits([one, two])
    assert found.train_side.hits.shape == (4, 4, 10)
    assert (found.train_side.hits[:, :, :5] == one.train_side.hits).all()
    assert found.development.hits.shape == (3, 4, 10)
    assert found.prompts[0].balanced.shape == (2, 4, 10)
    assert found.train_side.scale == 0.5


def test_a_prompt_is_tried_on_all_labels_at_once() -> None:
    ones = np.ones(2)
    trials = [
        Trial("a", 2, np.array([1.0, 0.0]), np.array([0.2, 3.0]), ones),
        Trial("a", 2, np.array([1.0, 1.0]), np.array([0.4, 1.0]), ones),
    ]
    found = joint_trial(trials)
    assert found.value == 0.75
    assert found.loss == pytest.approx([0.3, 2.0])


@pytest.mark.parametrize("alike", [0.0, 0.5])
@pytest.mark.parametrize(("items", "labels"), [(60, 3), (60, 12), (28, 12)])
def test_the_variance_of_refits_is_found_where_an_item_stands_in_many_classes(
    items: int, labels: int, alike: float
) -> None:
    """Refits lift or lower all hits a little; the luck of single answers, alike within items, is taken off."""
    rng, found = np.random.default_rng(3), []
    for _ in range(120):
        lifts = rng.normal(0, 0.05, 16)[:, None, None]
        shared = rng.normal(size=(16, 1, items))
        own = np.sqrt(alike) * shared + np.sqrt(1 - alike) * rng.normal(size=(16, labels, items))
        values = (lifts + 0.3 * own).reshape(16, -1)
        classes = (2 * np.arange(labels)[:, None] + (rng.random((labels, items)) < 0.3)).ravel()
        clusters = np.tile(np.arange(items), labels)
        weight = 1 / (np.bincount(classes)[classes] * len(np.unique(classes))) * len(classes)
        found.append(refit_variance(values * weight, clusters, classes))
    assert np.mean(found) == pytest.approx(0.05**2, rel=0.35)


@pytest.mark.parametrize("shares", [(0.08,), (0.3,), (0.04, 0.1, 0.2, 0.5, 0.7)])
def test_labels_are_asked_by_what_all_labels_tell_of_the_prompts(shares: tuple[float, ...]) -> None:
    """Twelve labels, 50 development items, two prompts of four that know something of them.

    Against the pool that each label chooses by itself: better on the mean, steadier where labels are rare, as a
    label's own pool hangs on few items that have it, and not far from the best that scores so noisy allow.
    """
    rng, tried, asked = np.random.default_rng(1), 50, 150
    together, apart, best = [], [], []
    for _ in range(4):
        scores, given, truth, priors = [], [], [], []
        for _ in range(12):
            share = rng.choice(shares)
            y = (rng.random(tried + asked) < share).astype(np.int64)
            odds = np.stack([k * (2 * y - 1) + rng.normal(0, 1.5, len(y)) for k in (0, 0, 1, 1)])
            scores.append(np.stack([np.zeros_like(odds), odds - 2.0], axis=2))
            given.append(y[:tried])
            truth.append(y[tried:])
            priors.append(LabelPrior.of((rng.random(48) < share).astype(np.int64), 2))
            best.append(balanced((odds[2:].mean(axis=0)[tried:] > 0).astype(np.int64), y[tried:]))
        inputs = joint_inputs(scores, given, priors)
        found = pool_prompts(**inputs)
        assert found.weights[2:].min() > found.weights[:2].max()
        known = [prior.knowing(y) for prior, y in zip(priors, given, strict=True)]
        said = joint_answers(inputs["scores"], found, known)
        together += map(balanced, said, truth)
        for one, own, right, prior in zip(scores, given, truth, priors, strict=True):
            alone = pool_prompts(scores=one, labels=own, prior=prior)
            apart.append(balanced((alone.evaluation - alone.log_prior).argmax(axis=1), right))
    assert np.mean(together) > np.mean(apart) + 0.005
    assert np.mean(together) > np.mean(best) - 0.02
    if max(shares) < 0.1:
        assert np.std(together) < 0.9 * np.std(apart)


def test_where_prompts_are_not_believed_they_count_alike() -> None:
    """A pool that stays at the prior has no answer where both answers count alike."""
    scores = [np.log(np.array([[[0.2, 0.8]] * 4 + [[0.8, 0.2]] * 4] * 2))] * 3
    given, prior = [np.array([1, 0])] * 3, np.log([0.9, 0.1])
    inputs = joint_inputs(scores, given, [LabelPrior(np.array([9.0, 1.0]))] * 3)
    nothing = Pooled(np.zeros((6, 2)), np.tile(2.0 * prior, (18, 1)), np.zeros(2), 0.0, 2.0, prior)
    said = joint_answers(inputs["scores"], nothing, [prior] * 3)
    assert [one.tolist() for one in said] == [[1, 1, 0, 0, 0, 0]] * 3


def balanced(said: np.ndarray, right: np.ndarray) -> float:
    """Balanced accuracy."""
    return float(np.mean([(said == right)[right == k].mean() for k in np.unique(right)]))
