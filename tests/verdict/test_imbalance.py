"""Where one label leads, accuracy hides an edge on the others and shows one that cheap asking has too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dataedge.intervals import mean_of_classes
from dataedge.ladder.outcome import Outcome
from dataedge.ladder.rungs import Rungs
from dataedge.ladder.units import BALANCED
from dataedge.tasks.classify import leads
from dataedge.verdict.decision import decide
from dataedge.verdict.edge_rule import Evidence

N = 400


def ladder(labels: np.ndarray, without: np.ndarray, with_: np.ndarray, prior: np.ndarray) -> Rungs:
    """A ladder from log-probabilities (n, K) of the two rungs, answers chosen as `classify` does."""

    def outcome(log_proba: np.ndarray) -> Outcome:
        hits = (log_proba.argmax(1) == labels).astype(float)
        even = ((log_proba - np.log(prior)).argmax(1) == labels).astype(float)
        return Outcome("", None, hits, np.ones(len(labels)), balanced=even)

    majority = np.tile(np.log(prior), (len(labels), 1))
    chance = Outcome("", None, (majority.argmax(1) == labels).astype(float), np.ones(len(labels)))
    outcomes = {"chance": chance, "without_data": outcome(without), "with_data": outcome(with_)}
    n = len(labels)
    return Rungs(
        "accuracy", np.arange(n), np.ones(n), np.arange(n), outcomes, {}, 0, classes=labels
    )


def verdict(rungs: Rungs, unit: str, delta: float) -> str:
    r = replace(rungs, unit=unit)
    edge, over = (r.difference("with_data", low) for low in ("without_data", "chance"))
    return decide(Evidence(edge, edge, over, edge, edge, {}, delta, unit, r.n_clusters)).label


def posterior(labels: np.ndarray, signal: float, prior: float, rng: np.random.Generator):
    """log p(y|x) of a reader whose evidence for label 1 is normal around ± signal² / 2."""
    evidence = np.where(labels == 1, 1, -1) * signal**2 / 2 + signal * rng.normal(size=len(labels))
    logit = evidence + np.log(prior / (1 - prior))
    return np.stack([-np.logaddexp(0, logit), -np.logaddexp(0, -logit)], 1)


def test_an_edge_on_the_rare_label_is_not_lost_in_accuracy() -> None:
    """13 % have the rare label, and only with the data is anything known of it."""
    rng, was, now = np.random.default_rng(0), 0, 0
    prior = np.array([0.87, 0.13])
    for _ in range(40):
        labels = (rng.random(N) < 0.13).astype(int)
        rungs = ladder(
            labels, posterior(labels, 0.01, 0.13, rng), posterior(labels, 1.2, 0.13, rng), prior
        )
        was += verdict(rungs, "accuracy", 0.02) == "edge"
        now += verdict(rungs, BALANCED, 0.05) == "edge"
    assert was <= 10
    assert now >= 36


def test_what_a_shifted_threshold_gives_for_nothing_is_no_edge() -> None:
    """The base model tells the labels apart as well, but says the frequent one: argmax shows an edge."""
    rng, by_argmax, now = np.random.default_rng(1), 0, 0
    prior = np.array([0.87, 0.13])
    for _ in range(40):
        labels = (rng.random(N) < 0.13).astype(int)
        read = posterior(labels, 2.0, 0.13, rng)
        timid = 0.3 * (read - np.log(prior)) + np.log(prior)  # the same order, less sure
        rungs = ladder(labels, timid, read, prior)
        bare = {name: replace(o, balanced=None) for name, o in rungs.outcomes.items()}
        by_argmax += verdict(replace(rungs, outcomes=bare), BALANCED, 0.05) == "edge"
        now += verdict(rungs, BALANCED, 0.05) == "edge"
    assert by_argmax >= 30
    assert now == 0


@pytest.mark.parametrize(("n", "rare"), [(40, 0.15), (150, 0.1), (400, 0.05)])
def test_the_interval_covers_with_few_items_of_a_label(n: int, rare: float) -> None:
    rng, runs, held = np.random.default_rng(n), 200, 0
    for _ in range(runs):
        classes = (rng.random(n) < rare).astype(int)
        classes[0], classes[1] = 0, 1
        gained, lost = np.where(classes, 0.4, 0.05), np.where(classes, 0.1, 0.02)
        u = rng.random(n)
        values = (u < gained).astype(float) - ((u >= gained) & (u < gained + lost))
        found = mean_of_classes(values, classes, np.arange(n), unit=BALANCED, paired=True)
        held += found.low <= 0.165 <= found.high
    assert held / runs >= 0.93


def test_always_the_frequent_label_is_worth_one_in_k() -> None:
    labels = np.repeat([0, 1, 2], [180, 15, 5])
    prior = np.bincount(labels) / 200
    none = np.tile(np.log(prior), (200, 1))
    r = ladder(labels, none, none, prior)
    assert r.figure("chance").value == 0.9
    assert replace(r, unit=BALANCED).figure("chance").value == pytest.approx(1 / 3)


def test_the_headline_changes_beyond_four_in_five() -> None:
    assert leads(np.repeat([0, 1], [85, 15]))
    assert not leads(np.repeat([0, 1], [79, 21]))
    assert not leads(np.full(9, -1))
