"""Gates without a model: what can be told from the text alone is no sign of exposure.

Each gate asks the question of the test behind it, of a reader that has never read anything. Where
that reader finds an answer, the test's null hypothesis does not hold for reasons other than
exposure, and the test is refused (Das et al. 2024, "Blind baselines beat membership inference
attacks", 2406.16201).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from dataedge.exposure.permutation import Auroc, auroc_interval, matching_test, monte_carlo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVEL = 0.05
"""Chance that a gate of several questions refuses without cause."""
DRAWS = 1_999
FOLDS = 5
NUMBER = re.compile(r"\d+")


def _vectors(texts: Sequence[str], *, letters: bool) -> Any:
    """TF-IDF of words and pairs, or of runs of 2 to 4 characters; None where nothing is left."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    made = (
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
        if letters
        else TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+")
    )
    try:
        return made.fit_transform(texts)
    except ValueError:  # only empty texts
        return None


def _trend(key: Sequence[Any], rng: np.random.Generator) -> float:
    """The p-value of the rank correlation between a key and the place, two-sided, by permutation."""
    _, numbers = np.unique(np.asarray(key), return_inverse=True)
    ranks = rankdata(numbers)
    ranks -= ranks.mean()
    place = np.arange(len(ranks)) - (len(ranks) - 1) / 2
    drawn = rng.permuted(np.tile(ranks, (DRAWS, 1)), axis=1) @ place
    return monte_carlo(abs(float(ranks @ place)), np.abs(drawn))


def order_gate(texts: Sequence[str], labels: Sequence[str], *, seed: int) -> dict[str, float]:
    """p-values of the ways in which the order of rows can be told without having seen it.

    Sorted or drifting by alphabet, length, first number or label; neighbours more alike than
    other rows; neighbours that share their label more often.

    Args:
        texts: rows in published order.
        labels: their labels, "" where there are none.
        seed: of the permutations.
    """
    rng = np.random.default_rng(seed)
    first = [int(m[0][:15]) if (m := NUMBER.search(t)) else -1 for t in texts]
    found = {
        "sorted by alphabet": _trend(texts, rng),
        "sorted by length": _trend([len(t) for t in texts], rng),
        "sorted by a number": _trend(first, rng),
        "neighbours are alike": _neighbours(_vectors(texts, letters=True), rng),
    }
    if len(set(labels)) > 1:
        numbers = np.unique(labels, return_inverse=True)[1]
        same = (numbers[:, None] == numbers[None, :]).astype(float)
        found["sorted by label"] = _adjacent(same, rng)
    return found


def _neighbours(vectors: Any, rng: np.random.Generator) -> float:
    return 1.0 if vectors is None else _adjacent((vectors @ vectors.T).toarray(), rng)


def _adjacent(similarity: Floats, rng: np.random.Generator) -> float:
    """The p-value of the similarity of adjacent rows against rows in any order."""
    n = len(similarity)
    observed = float(similarity[np.arange(n - 1), np.arange(1, n)].sum())
    drawn = np.empty(DRAWS)
    for i in range(DRAWS):
        order = rng.permutation(n)
        drawn[i] = similarity[order[:-1], order[1:]].sum()
    return monte_carlo(observed, drawn)


def field_gate(
    contexts: Sequence[str], values: Sequence[str], rows: NDArray[np.int64], *, seed: int
) -> dict[str, float]:
    """p-values of the ways in which a field can be told from its row without having seen it.

    The value follows the row order; the value's characters stand in the row already; rows that
    are alike have values that are alike (HSIC, Gretton et al. 2008, with TF-IDF for rows, and for
    values the distance in sorted order, or the characters at the same place).

    Args:
        contexts: text before the field, per row.
        values: the field, per row.
        rows: shape (n,), place of each row in the published order.
        seed: of the permutations.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(rows, kind="stable")
    pieces = [{v[k : k + 3] for k in range(max(1, len(v) - 2))} for v in values]
    copied = np.array([[sum(p in c for p in ps) / len(ps) for ps in pieces] for c in contexts])
    found = {
        "it follows the row order": _trend([values[i] for i in order], rng),
        "the row holds it already": matching_test([copied], seed=seed, draws=DRAWS, ranks=False)[0],
    }
    vectors = _vectors(contexts, letters=False)
    if vectors is not None:
        alike = (vectors @ vectors.T).toarray()
        ranks = rankdata(np.unique(values, return_inverse=True)[1])
        near = -np.abs(ranks[:, None] - ranks[None, :])
        width = max(map(len, values))
        letters = np.array([list(v.ljust(width)) for v in values])
        same = (letters[:, None] == letters[None, :]).mean(axis=2)
        found["like rows have near values"] = _dependence(alike, near, rng)
        found["like rows have like values"] = _dependence(alike, same, rng)
    return found


def _dependence(one: Floats, other: Floats, rng: np.random.Generator) -> float:
    """The p-value of HSIC between two similarities of the same rows, the diagonals left out."""
    one, other = one.copy(), other.copy()
    np.fill_diagonal(one, 0.0)
    np.fill_diagonal(other, 0.0)
    one -= one.mean(axis=0) + one.mean(axis=1, keepdims=True) - one.mean()
    draws = 499
    drawn = np.empty(draws)
    for i in range(draws):
        order = rng.permutation(len(other))
        drawn[i] = (one * other[np.ix_(order, order)]).sum()
    return monte_carlo(float((one * other).sum()), drawn)


def reason_to_refuse(p_values: dict[str, float]) -> str:
    """What a gate found, as a phrase; empty where it found nothing (Bonferroni at LEVEL).

    Example:
        >>> reason_to_refuse({"sorted by length": 0.001, "sorted by label": 0.4})
        'sorted by length'
        >>> reason_to_refuse({"sorted by length": 0.04, "sorted by label": 0.4})
        ''
    """
    return ", ".join(name for name, p in p_values.items() if p < LEVEL / len(p_values))


def arms_gate(suspect: Sequence[str], control: Sequence[str], *, seed: int) -> Auroc:
    """AUROC, with its interval, of telling suspect from control without a model.

    Logistic regression on TF-IDF of words and of characters and on the length, cross-validated;
    scores are ranked within their fold, so that folds can be put together.

    Returns:
        The AUROC. A lower end above 1/2 means that the sets differ by what
        they say; a value below 1/2 is what cross-validation does with sets that do not differ.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    texts = [*suspect, *control]
    y = np.repeat([1, 0], [len(suspect), len(control)])
    length = np.log1p(np.array([[len(t), len(NUMBER.findall(t))] for t in texts], float))
    length = (length - length.mean(axis=0)) / (length.std(axis=0) + 1e-9)
    seen = [v for v in (_vectors(texts, letters=k) for k in (False, True)) if v is not None]
    X = csr_matrix(hstack([*seen, csr_matrix(length * 0.3)]))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores = np.empty(len(y))
    for train, test in folds.split(np.zeros(len(y)), y):
        model = LogisticRegression(C=10.0, max_iter=300).fit(X[train], y[train])
        scores[test] = rankdata(model.decision_function(X[test])) / (len(test) + 1)
    return auroc_interval(scores[y == 1], scores[y == 0])
