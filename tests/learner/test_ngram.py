from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataedge.learner.ngram import ORDER, ByteUnigram, NGram, interpolated

tokens = st.lists(st.integers(0, 4), max_size=12).map(lambda v: np.array(v, np.int64))


def brute(train: list[np.ndarray], context: list[int], token: int) -> tuple[float, float]:
    """(trust, probability) by counting by hand."""
    for k in range(min(ORDER, len(context)), 0, -1):
        suffix = tuple(context[-k:])
        seen: Counter[int | None] = Counter()
        for row in train:
            values = row.tolist()
            for i in range(len(values) - k + 1):
                if tuple(values[i : i + k]) == suffix:
                    seen[values[i + k] if i + k < len(values) else None] += 1
        count = sum(seen.values())
        if count:
            return (k + 1) / (ORDER + 1) * count / (count + 1), seen[token] / count
    return 0.0, 0.0


@given(st.lists(tokens, max_size=5), st.lists(tokens, max_size=4))
@settings(max_examples=80, deadline=None)
def test_evidence_equals_counting_by_hand(train: list, texts: list) -> None:
    """Text by text, though all are looked up at once: none sees the end of the one before it."""
    found = NGram(train).evidence(texts)
    assert [len(e.trust) for e in found] == [len(text) for text in texts]
    for (trust, probability), text in zip(found, texts, strict=True):
        history: list[int] = []
        for i, token in enumerate(text.tolist()):
            wanted = brute(train, history[-ORDER:], token)
            assert np.isclose(trust[i], wanted[0])
            assert np.isclose(probability[i], wanted[1])
            history.append(token)


def mix(model: NGram, text: np.ndarray, logprobs: np.ndarray, weight: float) -> np.ndarray:
    return interpolated(model.evidence([text])[0], logprobs, weight)


@given(st.lists(tokens, max_size=5), tokens, st.floats(0, 0.9))
@settings(max_examples=50, deadline=None)
def test_the_mixture_is_never_more_than_a_distribution(
    train: list, context: np.ndarray, weight: float
) -> None:
    """Summed over all next tokens the mixture gives at most 1: no bits out of nothing."""
    model = NGram(train)
    uniform = np.log(np.full(len(context) + 1, 0.2))
    total = sum(np.exp(mix(model, np.append(context, t), uniform, weight))[-1] for t in range(5))
    assert total <= 1 + 1e-9


def test_weight_zero_changes_nothing_and_known_text_gets_cheaper() -> None:
    text = np.array([1, 2, 3, 4, 5, 6, 7, 8])
    model = NGram([text])
    logprobs = np.log(np.full(8, 0.01))
    assert np.allclose(mix(model, text, logprobs, 0.0), logprobs)
    assert mix(model, text, logprobs, 0.5).sum() > logprobs.sum() + 10


def test_byte_unigram_is_a_code() -> None:
    model = ByteUnigram.fit(["aab"])
    assert np.isclose(np.exp2(model.log2_probability).sum(), 1.0)
    assert model.bits("a") < model.bits("b") < model.bits("z")
    assert model.bits("") == 0.0
