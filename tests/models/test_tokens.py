"""Prompt and continuation are tokenised apart, so that a continuation's tokens never depend on its prompt."""

from __future__ import annotations

import pytest

from dataedge.models.tokens import Tokens
from tests.models import tiny


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(tiny.tokenizer())


def test_a_continuation_has_the_same_tokens_behind_every_prompt(tokens: Tokens) -> None:
    prompts = tokens.prompts(["Where is my", "Topic:", "", "the card"])
    (ids,) = tokens.continuations([" card arrival"])
    for prompt in prompts:
        assert tokens.tokenizer.decode([*prompt, *ids]).endswith(" card arrival")
    assert tokens.continuations([" card arrival", " fee"])[0] == ids


def test_a_prompt_is_never_empty_and_starts_once(tokens: Tokens) -> None:
    tokens.start = (7,)
    empty, plain, special = tokens.prompts(["", "fee", "<|im_start|>fee"])
    assert empty == (7,)
    assert plain == (7, *tokens.plain(["fee"])[0])
    assert special == tokens.plain(["<|im_start|>fee"])[0]
    tokens.start = ()
    assert tokens.prompts([""]) == [tokens.fallback]


def test_what_may_start_a_sequence_is_named(tokens: Tokens) -> None:
    found = tokens.candidates()
    assert found["nothing"] == ()
    assert tokens.tokenizer.decode(found["<|endoftext|>"]) == "<|endoftext|>"
    assert tokens.tokenizer.decode(found["bos"]) == "<|im_start|>"


def test_answers_end_at_the_end_of_a_turn(tokens: Tokens) -> None:
    ends = {tokens.tokenizer.decode([i]) for i in tokens.ends}
    assert ends == {"<|endoftext|>", "<|im_end|>"}


def test_no_texts_no_tokens(tokens: Tokens) -> None:
    assert tokens.plain([]) == tokens.continuations([]) == tokens.prompts([]) == []
