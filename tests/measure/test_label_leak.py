"""Labels in texts: written into a tenth they are reported, words that occur by themselves are not."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.measure.label_leak import label_leak, sentence

LABELS = ["card_arrival", "refund", "lostCard", "top up", "cash"]
SAID = ["card arrival", "Refund", "LOST CARD", "top up", "cash"]
WORDS = [f"w{i}" for i in range(200)]


def texts_of(rng, y, *, natural):
    """Twelve words of a class's own sixty; each label's words among them, whatever the class."""
    texts = []
    for label in y:
        words = [WORDS[(30 * label + int(j)) % 200] for j in rng.integers(0, 60, 12)]
        for said in SAID:
            if rng.random() < natural:
                words.insert(int(rng.integers(len(words) + 1)), said)
        texts.append(words)
    return texts


def measured(rng, n, *, natural, planted, where="anywhere"):
    y = rng.choice(5, n, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    texts = texts_of(rng, y, natural=natural)
    for i in np.flatnonzero(rng.random(n) < planted):
        at = int(rng.integers(len(texts[i]) + 1)) if where == "anywhere" else len(texts[i])
        texts[i].insert(at, rng.choice([SAID[y[i]], LABELS[y[i]]]))
    joined = [" ".join(words) for words in texts]
    return label_leak(joined, y, LABELS, np.arange(n), seed=int(rng.integers(10**6))), y, joined


@pytest.mark.parametrize(("natural", "n"), [(0.0, 300), (0.03, 300), (0.1, 600)])
@pytest.mark.parametrize("where", ["anywhere", "end"])
def test_a_label_written_into_a_tenth_of_the_texts_is_reported(natural, n, where) -> None:
    rng = np.random.default_rng(0)
    found = [measured(rng, n, natural=natural, planted=0.1, where=where)[0] for _ in range(20)]
    assert np.mean([f.reported for f in found]) >= 0.95
    assert all(sentence(f) for f in found if f.reported)
    assert abs(np.mean([f.value for f in found]) - 0.1 * (1 - natural)) < 0.02


@pytest.mark.parametrize("natural", [0.02, 0.1, 0.4])
def test_words_that_occur_by_themselves_are_not(natural) -> None:
    rng, reported, small, covered = np.random.default_rng(1), [], [], []
    for _ in range(60):
        found, _, _ = measured(rng, 200, natural=natural, planted=0.0)
        reported.append(found.reported)
        small.append(found.detail["p"] <= 0.05)
        covered.append(found.low <= 0.0 <= found.high)
    assert np.mean(reported) <= 0.05
    assert np.mean(small) <= 0.12  # the p-value is one: 5 %, and two standard errors of 60 draws
    assert np.mean(covered) >= 0.88


def test_texts_that_name_their_topic_are_not() -> None:
    """Two of five labels are named by 60 % of their texts; a count with a p-value would report it."""
    rng, reported = np.random.default_rng(2), []
    for _ in range(40):
        y = rng.choice(5, 300, p=[0.3, 0.2, 0.2, 0.15, 0.15])
        texts = texts_of(rng, y, natural=0.02)
        for i in np.flatnonzero((y % 4 == 0) & (rng.random(300) < 0.6)):
            texts[i].append("indeed")
            texts[i].insert(int(rng.integers(len(texts[i]))), SAID[y[i]])
        joined = [" ".join(words) for words in texts]
        found = label_leak(joined, y, LABELS, np.arange(300), seed=0)
        assert found.detail["p"] <= 0.01
        assert found.value > 0.1
        assert bool(found.reason) != found.reported
        reported.append(found.reported)
    assert np.mean(reported) <= 0.05


def test_it_counts_whole_words_in_any_case_and_the_longest_label() -> None:
    labels = ["card", "card_arrival", "C++", "cash"]
    texts = ["My Card-Arrival", "discard cashier", "a CARD", "card_arrival", "in c++", "in c"]
    y = np.array([1, 0, 0, 1, 2, 2])
    found = label_leak(texts, y, labels, np.arange(6), seed=0)
    # "card-arrival" says card, not card_arrival; "discard" and "c" say nothing
    assert found.examples == (2, 3, 4)
    assert found.detail["count"] == 3
    spaced = label_leak(["the card arrival"] * 3 + ["x"] * 3, y * 0 + [1, 1, 1, 0, 0, 0], labels,
                        np.arange(6), seed=0)  # fmt: skip
    assert spaced.detail["count"] == 3


def test_lists_of_all_labels_are_no_leak() -> None:
    y = np.random.default_rng(0).integers(0, 3, 300)
    texts = [f"{i}: yes, no or maybe?" for i in range(300)]
    found = label_leak(texts, y, ["yes", "no", "maybe"], np.arange(300), seed=0)
    assert (found.value, found.detail["p"], found.reported) == (0.0, 1.0, False)
    assert not sentence(found)


def test_copies_are_one_piece_of_evidence() -> None:
    """Three texts, a hundred near duplicates of each: no p-value can be small."""
    y = np.repeat([0, 1, 2], 100)
    texts = [f"{SAID[label]} {i}" for i, label in enumerate(y)]
    assert label_leak(texts, y, LABELS, np.arange(300), seed=0).detail["p"] <= 0.01
    assert not label_leak(texts, y, LABELS, y, seed=0).reported


def test_one_label_alone_says_why() -> None:
    found = label_leak(["a", "b"], np.zeros(2, int), ["a", "b"], np.arange(2), seed=0)
    assert (found.status, found.value) == ("skipped", None)
