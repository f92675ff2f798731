"""Near duplicates: planted twins are found at every share, and nothing else is."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataedge.prepare import shingles
from dataedge.prepare.near_duplicates import join, near_duplicate_levels, near_duplicates
from dataedge.prepare.shingles import fold
from tests.prepare.planted import ALPHABET, sentences, slip


def partition(clusters: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(clusters == c).tolist()) for c in np.unique(clusters)}


def linked(clusters: np.ndarray) -> int:
    """Pairs of rows in one cluster."""
    sizes = np.bincount(clusters).astype(int)
    return int((sizes * (sizes - 1) // 2).sum())


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.6, 0.75, 0.9])
def test_planted_twins_are_found_at_every_share(share: float) -> None:
    rng = random.Random(round(share * 100))
    n = 2000
    pairs = round(share * n / 2)
    base = sentences(n - pairs, rng)
    texts = base + [slip(text, rng) for text in base[:pairs]]
    origin = np.array([*range(n - pairs), *range(pairs)])
    order = np.array(rng.sample(range(n), n))
    clusters = near_duplicates([texts[i] for i in order])
    origin = origin[order]
    both = linked(np.unique(np.stack([clusters, origin]), axis=1, return_inverse=True)[1])
    assert both / pairs >= 0.95
    assert both / linked(clusters) >= 0.95


@pytest.mark.parametrize("threshold", [0.7, 0.8, 0.9])
def test_clusters_are_those_of_all_pairs(threshold: float) -> None:
    rng = random.Random(5)
    base = [text[:40] for text in sentences(60, rng)]
    texts = [
        t
        for b in base
        for t in (b, slip(b, rng), slip(slip(b, rng), rng), b[: rng.randint(20, 40)])
    ]
    texts = sorted(set(fold(texts)))
    near = np.zeros((len(texts), len(texts)), bool)
    for width, shortest in ((2, 0), (3, 28)):
        sets = [{t[i : i + width] for i in range(len(t) - width + 1)} for t in texts]
        similar = [[len(a & b) / len(a | b) >= threshold for b in sets] for a in sets]
        apply = np.array([len(t) >= shortest for t in texts])
        near |= similar & apply & apply[:, None]
    for _ in range(8):
        near = near @ near
    assert partition(near_duplicates(texts, threshold=threshold)) == partition(near.argmax(1))


texts_strategy = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.text("ab ?", max_size=30),
        st.sampled_from(["", " ", "Ｃ＋＋", "c++"]),
    ),
    min_size=1,
    max_size=40,
)


@given(texts_strategy, st.randoms(use_true_random=False), st.sampled_from([0.3, 0.6, 0.8, 1.0]))
@example(["0", "\0", ""], random.Random(1), 0.3)  # an empty text must not read its neighbour
@settings(max_examples=60, deadline=None)
def test_the_partition_does_not_depend_on_order(
    texts: list[str], shuffle: random.Random, threshold: float
) -> None:
    order = shuffle.sample(range(len(texts)), len(texts))
    straight = near_duplicates(texts, threshold=threshold)
    shuffled = near_duplicates([texts[i] for i in order], threshold=threshold)
    assert partition(straight[order]) == partition(shuffled)
    assert straight[0] == 0
    assert np.all(np.diff(np.unique(straight)) == 1)


@given(texts_strategy)
@settings(max_examples=60, deadline=None)
def test_exact_duplicates_share_a_cluster_and_higher_thresholds_only_split(
    texts: list[str],
) -> None:
    doubled = texts + [f"  {text.upper()} " if text.isascii() else text for text in texts]
    levels = near_duplicate_levels(doubled, thresholds=(0.5, 0.7, 0.8, 0.9, 1.0))
    for clusters in levels.values():
        assert np.array_equal(clusters[: len(texts)], clusters[len(texts) :])
    ordered = [levels[t] for t in sorted(levels)]
    for loose, strict in pairwise(ordered):
        assert all(len(set(loose[strict == c])) == 1 for c in np.unique(strict))


def test_the_same_texts_and_seed_give_the_same_clusters() -> None:
    texts = sentences(500, random.Random(0))
    texts += [slip(t, random.Random(1)) for t in texts]
    assert np.array_equal(near_duplicates(texts, seed=3), near_duplicates(texts, seed=3))


def test_crowded_buckets_keep_their_twins_and_stay_apart() -> None:
    """One template with 4,000 fillings: every text shares most of its shingles with all others."""
    rng = random.Random(2)
    codes = ["".join(rng.choices(ALPHABET, k=40)) for _ in range(4000)]
    texts = [f"please tell me the state of the order with the code {c}" for c in codes]
    twins = [slip(t, rng) for t in texts[:1000]]
    clusters = near_duplicates(texts + twins)
    assert np.mean(clusters[:1000] == clusters[4000:]) >= 0.95
    assert clusters.max() + 1 >= 4000


def test_sets_too_large_to_keep_are_cut_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(8)
    texts = sentences(300, rng)
    texts += [slip(t, rng) for t in texts]
    kept = near_duplicate_levels(texts)
    monkeypatch.setattr(shingles, "_KEPT", 4000)
    again = near_duplicate_levels(texts)
    assert all(np.array_equal(kept[t], again[t]) for t in kept)


def test_degenerate_texts() -> None:
    assert near_duplicates([]).shape == (0,)
    assert near_duplicates(["one"]).tolist() == [0]
    assert near_duplicates(["same"] * 50).tolist() == [0] * 50
    assert near_duplicates(["", "", " ", "a", "A!", "b", "no", "on"]).tolist() == [
        0,
        0,
        0,
        1,
        1,
        2,
        3,
        4,
    ]
    assert near_duplicates(["C++", "C#", "c", "?!", "...", "\0", "\ud800"]).max() >= 4
    assert near_duplicates(["😀", "😂", "日本語の質問", "日本語の 質問", "ＡＢＣ", "abc"]).tolist()[
        4:
    ] == [4, 4]
    long = "".join(random.Random(0).choices(ALPHABET + "   ", k=20_000))
    assert near_duplicates([long, long[:15_000] + "x" + long[15_000:], long[::-1]]).tolist() == [
        0,
        0,
        1,
    ]
    with pytest.raises(ValueError, match="thresholds"):
        near_duplicates(["a"], threshold=0.0)


def test_folding_keeps_what_carries_meaning() -> None:
    assert fold(["Don't STOP, me now…", "5% of a/b", "a\0b"]) == [
        "dont stop me now",
        "5% of a/b",
        "a b",
    ]
    mixed = ["naïve Café", "plain", "ÜBER\u00a0alles", ""]
    assert fold(mixed) == [fold([text])[0] for text in mixed]


def test_joined_clusters_keep_both() -> None:
    assert join(np.array([5, 5, 7, 9]), np.array([1, 2, 2, 3])).tolist() == [0, 0, 0, 1]
    assert join(np.empty(0, np.int64), np.empty(0, np.int64)).shape == (0,)
