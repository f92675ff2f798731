from __future__ import annotations

import numpy as np

from dataedge.learner.item_features import Candidates, Description, choose, descriptions, word_block


def test_words_are_chosen_where_they_tell_and_vectors_do_not() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    texts = [f"piece {rng.integers(40)} in {'zibeline' if k else 'barathea'} cloth" for k in y]
    vectors = rng.normal(size=(200, 16)).astype(np.float32)
    candidates = Candidates([vectors], texts)
    name = choose(candidates.blocks, np.arange(200), y, 2, np.arange(200), seed=0)
    assert name == "vectors, and words"
    assert len(Description(name, candidates).blocks) == 2


def test_the_choice_looks_at_the_train_side_alone() -> None:
    """Other items' labels may be anything: the choice stays."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 120)
    vectors = (rng.normal(size=(120, 8)) + 2 * y[:, None]).astype(np.float32)
    texts = [f"words {i % 7} and {i % 5}" for i in range(120)]
    train = np.arange(80)
    described = descriptions([vectors], texts)
    first = choose(described, train, y, 2, np.arange(120), seed=0)
    y[80:] = 1 - y[80:]
    assert choose(described, train, y, 2, np.arange(120), seed=0) == first


def test_two_texts_have_descriptions_with_and_without_order() -> None:
    a, b = (np.eye(4, dtype=np.float32) + k for k in (0, 1))
    names = descriptions([a, b], ["one two", "two one", "one", "two"])
    assert len(names) == 4
    swapped = descriptions([b, a], ["one two", "two one", "one", "two"])
    key = "vectors of both texts, order aside"
    assert all(np.allclose(x, y) for x, y in zip(names[key], swapped[key], strict=True))


def test_no_words_no_block() -> None:
    assert word_block(["a1", "b2", "c3"]) is None
