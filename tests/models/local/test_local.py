"""What LocalModel shares must not change what it says."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dataedge.errors import AuditError
from dataedge.models import capability_tests, trie
from dataedge.models.precision import multiply_in_bfloat16
from tests.models import tiny

DEMOS = "".join(
    f"Customer: {q}\nTopic:{a}\n\n" for q, a in zip(tiny.QUESTIONS, tiny.LABELS[:5], strict=True)
)
PROMPTS = [f"Customer: {q}\nTopic:" for q in tiny.QUESTIONS]
SHARED = [DEMOS + prompt for prompt in PROMPTS]


def expected(model, prompts, choices=tiny.LABELS):
    return np.array([[tiny.naive(model, p, c).sum() for c in choices] for p in prompts])


@pytest.fixture(scope="module")
def model():
    return tiny.model()


@pytest.mark.parametrize("prompts", [PROMPTS, SHARED], ids=["plain", "shared"])
@pytest.mark.parametrize("tree", [True, False])
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("batch", [1, 60, 4096])
def test_choices_are_what_single_passes_give(prompts, tree, share, batch):
    model = tiny.model()
    model.tree, model.share_prefix, model.batch_tokens = tree, share, batch
    np.testing.assert_allclose(
        model.score_choices(prompts, tiny.LABELS), expected(model, prompts), atol=1e-4
    )


def test_a_split_trie_gives_the_same(model, monkeypatch):
    whole = model.score_choices(SHARED, tiny.LABELS)
    monkeypatch.setattr(trie.split, "__defaults__", (3,))
    assert len(trie.split(model.tokens.continuations(tiny.LABELS))) > 1
    np.testing.assert_allclose(model.score_choices(SHARED, tiny.LABELS), whole, atol=1e-4)


def test_scores_are_what_single_passes_give(model):
    prefixes = [*SHARED, *PROMPTS, ""]
    continuations = [*tiny.LABELS[:5], *tiny.LABELS[2:], " the river rises"]
    scored = model.score(prefixes, continuations)
    for prefix, continuation, one in zip(prefixes, continuations, scored, strict=True):
        np.testing.assert_allclose(one.logprobs, tiny.naive(model, prefix, continuation), atol=1e-4)
        assert one.tokens.tolist() == list(model.tokens.continuations([continuation])[0])
        assert one.prompt_tokens == len(model.tokens.prompts([prefix])[0])


def test_order_and_company_do_not_matter(model):
    alone = np.concatenate([model.score_choices([p], tiny.LABELS) for p in SHARED])
    order = [3, 1, 4, 0, 2, 1]
    mixed = model.score_choices([SHARED[i] for i in order], tiny.LABELS)
    np.testing.assert_allclose(mixed, alone[order], atol=1e-4)


def test_what_is_asked_twice_runs_once():
    model = tiny.model()
    model.score([PROMPTS[0]] * 3, [" card"] * 3)
    once = model.forward_tokens
    assert (
        once
        == len(model.tokens.prompts(PROMPTS[:1])[0])
        + len(model.tokens.continuations([" card"])[0])
        - 1
    )
    assert model.forward_seconds > 0


def test_a_shared_beginning_runs_once():
    model = tiny.model()
    model.score_choices(SHARED, tiny.LABELS)
    shared = model.forward_tokens
    other = tiny.model()
    other.share_prefix = False
    other.score_choices(SHARED, tiny.LABELS)
    assert shared < other.forward_tokens / 2


def test_an_empty_continuation_is_certain(model):
    empty, full = model.score(["Where", "Where"], ["", " is"])
    assert empty.logprobs.shape == empty.tokens.shape == (0,)
    assert len(full.logprobs) > 0
    assert model.score_choices(["Where"], ["", " is"])[0, 0] == 0.0
    assert model.score([], []) == []
    assert model.score_choices([], [" is"]).shape == (0, 1)


def test_a_long_prompt_loses_its_oldest_tokens():
    model = tiny.model(context=48)
    long = " ".join(tiny.TEXT)
    values = model.score_choices([long, PROMPTS[0]], tiny.LABELS)
    assert model.cut([long, PROMPTS[0]], tiny.LABELS) == [True, False]
    longest = max(model.count_tokens(tiny.LABELS))
    kept = model.tokens.plain([long])[0][-(48 - longest + 1 - 1) :]
    text = model.tokens.tokenizer.decode(kept)
    np.testing.assert_allclose(values, expected(model, [text, PROMPTS[0]]), atol=1e-4)
    one, fits = model.score([long, PROMPTS[0]], [" card"] * 2)
    assert np.isfinite(one.logprobs).all()
    assert (one.cut, fits.cut) == (True, False)


def test_a_prompt_is_cut_where_the_longest_choice_no_longer_fits_behind_it():
    """At every length around the context, said of exactly those prompts that the model does not see whole."""
    model = tiny.model(context=48)
    ids = model.tokens.plain([" ".join(tiny.TEXT)])[0]
    prompts = [model.tokens.tokenizer.decode(ids[:n]) for n in range(30, 50)]
    sizes = np.array([len(p) for p in model.tokens.prompts(prompts)])
    longest = max(model.count_tokens(tiny.LABELS))
    said = np.array(model.cut(prompts, tiny.LABELS))
    assert said.tolist() == (sizes + longest - 1 > 48).tolist()
    assert 0 < said.sum() < len(said)
    whole = tiny.model(context=256)
    same = np.isclose(
        model.score_choices(prompts, tiny.LABELS),
        whole.score_choices(prompts, tiny.LABELS),
        atol=1e-4,
    ).all(axis=1)
    assert same.tolist() == (~said).tolist()
    written = np.array(model.cut(prompts, 8))
    assert written.tolist() == (sizes + 8 > 48).tolist()
    kept = [w for w, cut in zip(prompts, written, strict=True) if not cut]
    assert model.generate(kept, 8) == whole.generate(kept, 8)
    assert model.cut([], 8) == model.cut([], tiny.LABELS) == []


def test_a_text_that_is_read_in_windows_is_not_a_cut_prompt():
    model = tiny.model(context=32)
    text = " " + " ".join(tiny.TEXT)
    alone, asked, long = model.score(["", "Where", " ".join(tiny.TEXT)], [text] * 3)
    assert len(alone.tokens) > 64
    assert (alone.cut, asked.cut, long.cut) == (False, False, True)


def test_the_last_prompts_are_tokenised_once(model, monkeypatch):
    calls = []
    plain = model.tokens.plain
    monkeypatch.setattr(model.tokens, "plain", lambda texts: calls.append(texts) or plain(texts))
    model.score_choices(SHARED, tiny.LABELS)
    model.cut(SHARED, tiny.LABELS)
    assert sum(texts == SHARED for texts in calls) == 1
    start = model.tokens.start
    model.tokens.start = ()
    assert [ids[0] for ids in model.tokens.prompts(SHARED)] != [start[0]] * len(SHARED)
    model.tokens.start = start
    assert [ids[0] for ids in model.tokens.prompts(SHARED)] == [start[0]] * len(SHARED)


def test_a_continuation_is_never_cut():
    model = tiny.model(context=32)
    text = " " + " ".join(tiny.TEXT)
    scored = model.score(["Where"], [text])[0]
    assert len(scored.logprobs) == model.count_tokens([text])[0] > 64
    assert (scored.logprobs < 0).all()
    first = tiny.model(context=256).score(["Where"], [text])[0].logprobs
    np.testing.assert_allclose(scored.logprobs[:24], first[:24], atol=1e-4)


def test_a_choice_longer_than_the_context_is_named():
    model = tiny.model(context=16)
    with pytest.raises(AuditError, match="does not fit"):
        model.score_choices(PROMPTS, [" ".join(tiny.TEXT)])


def test_bfloat16_agrees():
    exact, rough = tiny.model(), tiny.model()
    multiply_in_bfloat16(rough.forward.net.to("cpu").bfloat16(), native=True)
    rough = type(rough)(rough.forward.net, tiny.tokenizer(), id="tiny", revision="0", prove=False)
    rough.tokens.start = (0,)
    a, b = (m.score_choices(SHARED, tiny.LABELS) for m in (exact, rough))
    assert not rough.forward.exact
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.999
    assert (a.argmax(1) == b.argmax(1)).mean() >= 0.8


def test_generation_is_greedy_and_stops(model):
    prompts = [*SHARED, *PROMPTS]
    texts = model.generate(prompts, 8)
    for prompt, text in zip(prompts, texts, strict=True):
        ids = list(model.tokens.prompts([prompt])[0])
        answer = []
        for _ in range(8):
            tensor = tiny.torch.tensor([ids])
            best = int(model.forward.net(input_ids=tensor).logits[0, -1].argmax())
            if best in model.tokens.ends:
                break
            ids.append(best)
            answer.append(best)
        assert text == model.tokens.tokenizer.decode(answer, skip_special_tokens=True)
    letter = next(t for t in texts if len(t) > 3)[2]
    assert all(letter not in text for text in model.generate(prompts, 8, stop=[letter]))
    with pytest.raises(AuditError, match="leave no room"):
        model.generate(prompts, 1000)


def test_draws_depend_on_seed_and_prompt_alone(model):
    prompts = [*SHARED, *PROMPTS]
    drawn = model.generate(prompts, 8, temperature=1.0, seed=1)
    assert drawn == model.generate(prompts, 8, temperature=1.0, seed=1)
    alone = [model.generate([p], 8, temperature=1.0, seed=1)[0] for p in prompts]
    assert drawn == alone
    assert drawn != model.generate(prompts, 8, temperature=1.0, seed=2)
    assert model.generate(prompts, 8, temperature=1e-6, seed=3) == model.generate(prompts, 8)


def test_first_tokens_are_drawn_as_often_as_they_are_probable(model):
    ids = list(model.tokens.prompts(["fee"])[0])
    with tiny.torch.inference_mode():
        logits = model.forward.net(input_ids=tiny.torch.tensor([ids])).logits[0, -1].float()
    wanted = (logits / 0.5).softmax(-1)
    top = int(wanted.argmax())
    text = model.tokens.tokenizer.decode([top], skip_special_tokens=True)
    found = [model.generate(["fee"], 1, temperature=0.5, seed=s)[0] == text for s in range(300)]
    p = float(wanted[top])
    assert abs(np.mean(found) - p) < 3 * np.sqrt(p * (1 - p) / 300) + 0.02


def test_chat_needs_a_template(model):
    with pytest.raises(AuditError, match="no chat template"):
        model.chat("Hello")
    template = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
    chatty = tiny.LocalModel(
        tiny.network(), tiny.tokenizer(template), id="t", revision="0", prove=False
    )
    text = chatty.chat("Hello")
    assert text == "<|im_start|>Hello<|im_end|>"
    chatty.tokens.start = (0,)
    assert chatty.tokens.prompts([text])[0][0] == 1, "a text with its own start gets no other"


def test_random_weights_are_not_believed():
    model = tiny.LocalModel(tiny.network(), tiny.tokenizer(), id="noise", revision="0")
    assert not model.capabilities.token_logprobs
    assert model.tree, "the tree itself is right"
    assert any("no more probable" in note for note in model.capabilities.notes)
    with pytest.raises(AuditError, match="no usable log-probabilities"):
        model.score(["a"], [" b"])
    with pytest.raises(AuditError, match="no usable log-probabilities"):
        model.score_choices(["a"], [" b"])


def _with(change):
    """The score function of a model that knows English words, spoilt by `change`."""
    real = tiny.model().score

    def score(prefixes, continuations):
        out = []
        for prefix, continuation in zip(prefixes, continuations, strict=True):
            one = real([prefix], [continuation])[0]
            in_order = continuation.endswith("miles.")
            base = -np.linspace(1, 2, len(one.tokens)) - (0 if in_order else 2)
            out.append(type(one)(one.tokens, change(base), one.prompt_tokens))
        return out

    return score


def _unsteady(values, state=random.Random(0)):  # noqa: B008
    return values - state.random()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v, None),
        (lambda v: v[:-1], "log-probabilities for"),
        (lambda v: v * np.nan, "not finite"),
        (lambda v: v + 5, "above zero"),
        (lambda v: np.zeros_like(v) - 2, "the same log-probability"),
        (lambda v: -np.linspace(1, 2, len(v)), "no more probable"),
        (_unsteady, "asked twice"),
    ],
)
def test_the_handshake_finds_garbage(model, change, reason):
    found = capability_tests.why_doubted(_with(change), model.count_tokens)
    assert found is None if reason is None else reason in found


def test_a_model_that_ignores_the_mask_scores_choices_one_by_one():
    net = tiny.network()
    real = net.model.forward

    def deaf(*args, attention_mask=None, **options):
        keep = attention_mask is not None and attention_mask.dim() == 2
        return real(*args, attention_mask=attention_mask if keep else None, **options)

    net.model.forward = deaf
    model = tiny.LocalModel(net, tiny.tokenizer(), id="deaf", revision="0")
    assert not model.tree
    assert any("tree mask" in note for note in model.capabilities.notes)


def test_a_model_whose_head_scales_runs_whole():
    net = tiny.network()
    real = net.forward

    def scaled(*args, **options):
        out = real(*args, **options)
        out.logits = out.logits / 2
        return out

    net.forward = scaled
    model = tiny.LocalModel(net, tiny.tokenizer(), id="scaled", revision="0")
    assert model.forward.plain
    model.capabilities = tiny.model().capabilities
    got = model.score_choices(PROMPTS, tiny.LABELS)
    np.testing.assert_allclose(got, expected(model, PROMPTS), atol=1e-4)
