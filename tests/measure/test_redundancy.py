"""Redundancy: planted twins are found at every share, and nothing else is."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataedge.measure.redundancy import redundancy
from dataedge.measure.same_meaning import semantic_clusters, vendi_score
from dataedge.prepare import shingles
from dataedge.prepare.near_duplicates import join, near_duplicate_levels, near_duplicates
from dataedge.prepare.neighbours import neighbours
from dataedge.prepare.shingles import fold

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def sentences(n: int, rng: random.Random) -> list[str]:
    """Distinct texts of 5 to 25 made-up words."""
    words = ["".join(rng.choices(ALPHABET, k=rng.randint(2, 9))) for _ in range(3000)]
    return [" ".join(rng.choices(words, k=rng.randint(5, 25))) for _ in range(n)]


def slip(text: str, rng: random.Random) -> str:
    """The text with one slip: case, punctuation, a wrong letter or two words that changed places."""
    kind = rng.randrange(4)
    if kind == 0:
        return text.capitalize() if rng.random() < 0.5 else text.upper()
    if kind == 1:
        return text.replace(" ", ", ", 1) + rng.choice("?!.")
    if kind == 2:
        at = rng.randrange(len(text))
        return text[:at] + rng.choice(ALPHABET) + text[at + 1 :]
    words = text.split()
    at = rng.randrange(len(words) - 1)
    words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


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


def topics(n: int, rng: np.random.Generator, d: int = 48, groups: int = 40) -> np.ndarray:
    """Vectors around topic centres, as text embeddings lie."""
    centres = rng.normal(size=(groups, d))
    return centres[rng.integers(0, groups, n)] + 0.7 * rng.normal(size=(n, d))


def test_neighbours_are_exact_for_small_sets() -> None:
    X = topics(300, np.random.default_rng(0))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    found = neighbours(X, 5)
    assert found.exact
    assert found.recall == 1.0
    assert np.array_equal(found.index, np.argsort(-cosine, axis=1)[:, :5])
    assert np.allclose(found.cosine, -np.sort(-cosine, axis=1)[:, :5], atol=1e-5)


def test_approximate_neighbours_report_the_recall_that_they_have() -> None:
    X = topics(6000, np.random.default_rng(1))
    exact, rough = neighbours(X, 10), neighbours(X, 10, exact_rows=1000)
    assert not rough.exact
    assert rough.sample == 500
    truth = np.mean(
        [len(set(a) & set(b)) / 10 for a, b in zip(exact.index, rough.index, strict=True)]
    )
    assert rough.recall >= 0.99
    assert truth >= 0.98
    assert not np.any(rough.index == np.arange(6000)[:, None])


def test_neighbours_of_few_or_equal_rows() -> None:
    assert neighbours(np.ones((1, 3)), 2).index.tolist() == [[-1, -1]]
    assert neighbours(np.ones((2, 3)), 3).index.tolist() == [[1, -1, -1], [0, -1, -1]]
    same = neighbours(np.ones((50, 3)), 4)
    assert not np.any(same.index == np.arange(50)[:, None])
    assert np.allclose(same.cosine, 1.0)
    assert np.all(neighbours(np.zeros((3, 2)), 1).cosine == 0.0)


@pytest.mark.parametrize("d", [64, 384])
def test_random_vectors_show_no_semantic_clusters_beyond_the_bound(d: int) -> None:
    n, allowed = 3000, 0.01
    merged = []
    for seed in range(3):
        X = np.random.default_rng(seed).normal(size=(n, d))
        merged.append(n - 1 - int(semantic_clusters(X, false_links=allowed).clusters.max()))
    expected = n * allowed / 2  # a link joins two rows
    assert np.mean(merged) <= expected + 3 * np.sqrt(expected / 3)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_semantic_twins_are_found_at_every_share(share: float) -> None:
    """The threshold must not move with the share of rows that have a twin."""
    rng = np.random.default_rng(3)
    n = 1500
    pairs = round(share * n / 2)
    base = rng.normal(size=(n - pairs, 96))
    X = np.vstack([base, base[:pairs] + 0.15 * rng.normal(size=(pairs, 96))])
    found = semantic_clusters(X)
    assert np.mean(found.clusters[:pairs] == found.clusters[n - pairs :]) >= 0.98
    assert 0.3 < found.threshold < 0.9
    assert found.low <= found.clusters.max() + 1 <= found.high
    assert abs(found.clusters.max() + 1 - (n - pairs)) <= 0.02 * n


def test_semantic_clusters_do_not_chain() -> None:
    """Rows along an arc, each close to the next: no cluster reaches further than its centre does."""
    angle = np.linspace(0, np.pi, 400)
    arc = np.zeros((400, 64))
    arc[:, 0], arc[:, 1] = np.cos(angle), np.sin(angle)
    X = np.vstack([arc, np.random.default_rng(0).normal(size=(600, 64)) / 8])
    found = semantic_clusters(X)
    for c in np.unique(found.clusters[:400]):
        members = arc[found.clusters[:400] == c]
        assert (members @ members.T).max(0).min() >= found.threshold - 1e-6
        assert (members @ members.T).min() >= 2 * found.threshold**2 - 1 - 1e-6


def test_degenerate_vectors() -> None:
    assert semantic_clusters(np.empty((0, 4))).clusters.shape == (0,)
    assert semantic_clusters(np.ones((1, 4))).clusters.tolist() == [0]
    assert semantic_clusters(np.ones((60, 4))).clusters.tolist() == [0] * 60
    assert vendi_score(np.empty((0, 4))) == 0.0
    assert vendi_score(np.zeros((3, 4))) == 0.0
    assert vendi_score(np.ones((60, 4))) == pytest.approx(1.0)


@given(st.integers(0, 100), st.integers(2, 30))
@settings(max_examples=20, deadline=None)
def test_the_vendi_score_is_that_of_the_kernel(seed: int, n: int) -> None:
    X = np.random.default_rng(seed).normal(size=(n, 6))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    eigenvalues = np.linalg.eigvalsh(unit @ unit.T / n)
    eigenvalues = eigenvalues[eigenvalues > 1e-12]
    assert vendi_score(X) == pytest.approx(
        np.exp(-(eigenvalues * np.log(eigenvalues)).sum()), rel=1e-4
    )
    twice = vendi_score(X, weights=np.full(n, 2))
    assert twice == pytest.approx(vendi_score(np.vstack([X, X])), rel=1e-6)


def test_joined_clusters_keep_both() -> None:
    assert join(np.array([5, 5, 7, 9]), np.array([1, 2, 2, 3])).tolist() == [0, 0, 0, 1]
    assert join(np.empty(0, np.int64), np.empty(0, np.int64)).shape == (0,)


def test_figures_stand_as_levels_with_a_range() -> None:
    rng = random.Random(4)
    base = sentences(200, rng)
    texts = base + [slip(t, rng) for t in base[:100]]
    counts = np.ones(300, np.int64)
    counts[:50] = 2
    levels = near_duplicate_levels(texts)
    vectors = np.random.default_rng(0).normal(size=(200, 64))
    vectors = np.vstack([vectors, vectors[:100]])
    figures = redundancy(counts, levels[0.8], vectors, levels=levels)
    assert figures["duplicate_share"].value == pytest.approx(50 / 350)
    rows = figures["effective_rows"]
    assert rows.value is not None
    assert rows.low is not None
    assert rows.high is not None
    assert rows.low <= rows.value <= rows.high
    detail = rows.detail
    assert detail["rows"] == 350
    assert detail["rows"] > detail["unique"] > rows.value >= detail["semantic_clusters"]
    assert 1.0 <= detail["vendi_score"] <= 64.0
    near = figures["near_duplicate_share"]
    assert near.value == pytest.approx(1 - rows.value / 350)


def test_figures_without_vectors_or_items() -> None:
    figures = redundancy(np.array([1, 3]), np.array([0, 1]), None)
    assert figures["effective_rows"].value == 2.0
    assert figures["effective_rows"].low is None
    assert "no vectors" in figures["effective_rows"].reason
    empty = redundancy(np.empty(0, np.int64), np.empty(0, np.int64), None)
    assert {f.status for f in empty.values()} == {"skipped"}
