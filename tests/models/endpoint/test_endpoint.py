"""The endpoint against a server that follows the form, over a model that is here as well."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dataedge.errors import AuditError, ExitCode
from dataedge.models import open_model
from dataedge.models.endpoint import Connection, EndpointModel, label_tokens
from tests.models import tiny
from tests.servers.openai_form import EVERYTHING, SGLANG, VLLM, Behaviour, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataedge.models.local.model import LocalModel

LIKELIEST = frozenset({"completions", "chat", "top_logprobs"})


@pytest.fixture(scope="module")
def local(tiny_model: str) -> LocalModel:
    return open_model(tiny_model, dtype="float32")


@contextmanager
def asking(local: LocalModel, behaviour: Behaviour, **options: Any) -> Iterator[EndpointModel]:
    with serve(local, behaviour) as url:
        model = EndpointModel(Connection("tiny", url, **{"retries": 1, "timeout": 20.0, **options}))
        try:
            yield model
        finally:
            model.close()


def pairs(n: int) -> tuple[list[str], list[str]]:
    """Prefixes and continuations out of what the model was trained on, and mixed."""
    rng = np.random.default_rng(0)
    words = " ".join(tiny.TEXT).split()
    prefixes = [" ".join(rng.permutation(words)[:6]) for _ in range(n)]
    return prefixes, [" " + " ".join(rng.permutation(words)[: 1 + i % 9]) for i in range(n)]


@pytest.mark.parametrize("way", ["echo", "prompt_logprobs"])
def test_given_text_scores_as_it_does_here(local: LocalModel, way: str) -> None:
    prefixes, continuations = pairs(200)
    offers = EVERYTHING - ({"prompt_logprobs"} if way == "echo" else {"echo"})
    with asking(local, Behaviour(offers=offers)) as model:
        assert model.proven.given == way
        there = model.score(prefixes, continuations)
    here = local.score(prefixes, continuations)
    a, b = (np.array([one.logprobs.sum() for one in side]) for side in (here, there))
    assert np.corrcoef(a, b)[0, 1] >= 0.999
    assert np.abs(a - b).max() < 1e-3
    assert [len(one.tokens) for one in here] == [len(one.tokens) for one in there]


def test_choices_by_text_equal_those_here(local: LocalModel) -> None:
    with asking(local, Behaviour()) as model:
        there = model.score_choices(tiny.QUESTIONS, tiny.LABELS)
    assert np.abs(there - local.score_choices(tiny.QUESTIONS, tiny.LABELS)).max() < 1e-3


@pytest.mark.parametrize(("offers", "way"), [(VLLM, "logprob_token_ids"), (SGLANG, "score")])
def test_choices_by_named_tokens_equal_those_here(
    local: LocalModel, offers: frozenset[str], way: str
) -> None:
    """vLLM's and SGLang's own forms: exact, and without the log-probabilities of given text."""
    behaviour = Behaviour(offers=offers)
    with asking(local, behaviour) as model:
        assert model.proven.named == way
        assert model.capabilities.choices == "logprobs"
        before = len(behaviour.seen)
        there = model.score_choices(tiny.QUESTIONS, tiny.LABELS)
        again = len(behaviour.seen)
        model.score_choices(tiny.QUESTIONS, tiny.LABELS)
        # every answer was kept, but that to the fixed sentence
        assert len(behaviour.seen) <= again + 1
    assert np.abs(there - local.score_choices(tiny.QUESTIONS, tiny.LABELS)).max() < 1e-3
    asked = [s["body"] for s in behaviour.seen[before:again]]
    # the sentence that shows that a server is still the same may go that way; no choice does
    assert sum("prompt_logprobs" in body for body in asked) <= 1
    paths = [s["path"] for s in behaviour.seen[before:again]]
    if way == "score":  # one request for a prompt with all of its beginnings
        assert paths.count("/v1/score") == len(tiny.QUESTIONS)


@pytest.mark.parametrize("offers", [VLLM, SGLANG])
def test_of_many_choices_the_likeliest_by_named_tokens_are_exact(
    local: LocalModel, offers: frozenset[str]
) -> None:
    labels = [f" {w}" for w in sorted({w for text in tiny.TEXT for w in text.split()})]
    assert len(labels) > 20
    with asking(local, Behaviour(offers=offers)) as model:
        there = model.score_choices(tiny.QUESTIONS, labels)
    here = local.score_choices(tiny.QUESTIONS, labels)
    assert (there.argmax(axis=1) == here.argmax(axis=1)).all()
    best = np.argsort(-here, axis=1)[:, :5]
    exact = np.take_along_axis(there, best, 1) - np.take_along_axis(here, best, 1)
    assert np.abs(exact).max() < 1e-3
    assert (there >= here - 1e-3).all()  # what was not followed has an upper bound


@pytest.mark.parametrize("offers", [VLLM, SGLANG])
@pytest.mark.parametrize("fault", ["ignore_named", "renumber"])
def test_named_tokens_that_are_not_those_that_were_named_are_not_believed(
    local: LocalModel, offers: frozenset[str], fault: str
) -> None:
    """An older server ignores the field; one that numbers tokens otherwise scores other words."""
    with asking(local, Behaviour(offers=offers, fault=fault)) as model:
        assert model.proven.named is None
        there = model.score_choices(tiny.QUESTIONS, tiny.LABELS)
    with asking(local, Behaviour(offers=offers - {"logprob_token_ids", "score"})) as model:
        assert np.array_equal(there, model.score_choices(tiny.QUESTIONS, tiny.LABELS))


@pytest.mark.parametrize("status", [401, 403, 302, 500])
def test_a_proxy_for_the_usual_interfaces_alone_is_used_as_ever(
    local: LocalModel, status: int
) -> None:
    behaviour = Behaviour(beside=status)
    with asking(local, behaviour) as model:
        assert model.proven.named is None
        assert model.proven.given == "echo"
    assert [s["path"] for s in behaviour.seen].count("/tokenize") == 1  # asked once, not again


def test_more_labels_than_tokens_may_be_named_at_once_are_scored_all_the_same(
    local: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = [f" {w}" for w in sorted({w for text in tiny.TEXT for w in text.split()})]
    monkeypatch.setattr(label_tokens, "AT_ONCE", 7)
    with asking(local, Behaviour(offers=VLLM, named_at_once=7)) as model:
        assert model.proven.named == "logprob_token_ids"
        few = model.score_choices(tiny.QUESTIONS, labels)
    here = local.score_choices(tiny.QUESTIONS, labels)
    assert (few.argmax(axis=1) == here.argmax(axis=1)).all()
    monkeypatch.undo()
    with asking(
        local, Behaviour(offers=VLLM, named_at_once=7)
    ) as model:  # it takes fewer than vLLM
        there = model.score_choices(tiny.QUESTIONS, labels)
    with asking(local, Behaviour(offers=VLLM - {"logprob_token_ids"})) as model:
        assert np.array_equal(there, model.score_choices(tiny.QUESTIONS, labels))


def test_what_could_not_be_compared_is_not_believed(local: LocalModel) -> None:
    with asking(local, Behaviour(offers=VLLM, starts="\n\n")) as model:
        assert model.proven.named is None
        assert any("nothing that it writes could be compared" in n for n in model.proven.notes)


def test_tokens_that_no_model_read_are_not_counted(local: LocalModel) -> None:
    with asking(local, Behaviour(offers=SGLANG)) as model:
        before = model.usage["uncounted"]
        model.score_choices(tiny.QUESTIONS, tiny.LABELS)
        assert model.usage["uncounted"] == before


def test_choices_by_the_likeliest_tokens_are_true_where_the_label_is_listed(
    local: LocalModel,
) -> None:
    labels = [" card", " exchange", " transfer", " fee"]  # one token apart
    with asking(local, Behaviour(offers=LIKELIEST)) as model:
        assert model.capabilities.choices == "likeliest"
        there = model.score_choices(tiny.QUESTIONS, labels)
        first = local.score(
            [q for q in tiny.QUESTIONS for _ in labels], labels * len(tiny.QUESTIONS)
        )
    here = np.array([one.logprobs[0] for one in first]).reshape(there.shape)
    listed = there > there.min(axis=1, keepdims=True) + 1e-9
    assert listed.any(axis=1).sum() >= 3
    assert (there[listed] >= here[listed] - 1e-3).all()  # other spellings of it may add to it
    assert (there[~listed] <= here[listed].max()).all()


def test_of_many_choices_the_likeliest_are_scored_in_full(
    local: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataedge.models.endpoint.model.ECHO_AT_MOST", 3)
    with asking(local, Behaviour()) as model:
        there = model.score_choices(tiny.QUESTIONS, tiny.LABELS)
    here = local.score_choices(tiny.QUESTIONS, tiny.LABELS)
    in_full = np.abs(there - here) < 1e-3
    assert (in_full.sum(axis=1) >= 3).all()
    for row, exact in zip(there, in_full, strict=True):
        assert (row[~exact] <= row[exact].max() + 1e-9).all()


def test_choices_by_what_is_written_name_a_label_or_none(local: LocalModel) -> None:
    behaviour = Behaviour(offers=frozenset({"completions"}))
    with asking(local, behaviour) as model:
        assert model.capabilities.choices == "text"
        assert not model.capabilities.token_logprobs
        scores = model.score_choices(tiny.QUESTIONS, tiny.LABELS)
    assert set(np.unique(scores)) <= {0.0, 4.0}
    with pytest.raises(AuditError, match="no usable log-probabilities"):
        model.score(["a"], [" b"])


def test_generation_is_what_it_is_here(local: LocalModel) -> None:
    prompts = ["The river rises in the", "My card has not"]
    with asking(local, Behaviour()) as model:
        assert model.generate(prompts, 6) == local.generate(prompts, 6)
        assert model.generate(prompts, 6, stop=[" "])[0] == ""


def test_a_server_does_not_tell_what_it_cuts(local: LocalModel) -> None:
    """Unless it spells the whole text with its prompt; that of what it writes it never does."""
    with asking(local, Behaviour()) as model:
        assert model.cut(tiny.QUESTIONS, tiny.LABELS) == [False] * len(tiny.QUESTIONS)
        assert model.cut(tiny.QUESTIONS, 8) == [None] * len(tiny.QUESTIONS)
        assert not any(
            one.cut for one in model.score(tiny.QUESTIONS, [tiny.LABELS[0]] * len(tiny.QUESTIONS))
        )
    with asking(local, Behaviour(fault="shift")) as model:
        assert model.cut(tiny.QUESTIONS, tiny.LABELS) == [None] * len(tiny.QUESTIONS)


def test_a_server_of_chat_alone_is_asked_in_turns(local: LocalModel) -> None:
    with asking(local, Behaviour(offers=frozenset({"chat"}))) as model:
        assert (model.proven.route, model.capabilities.choices) == ("chat", "text")
        assert any("user's turn" in note for note in model.capabilities.notes)
        assert len(model.generate(["My card"], 3)) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("zeros", "zeros"),
        ("shift", "shifted"),
        ("drop", "log-probabilities for"),
        ("nan", "not finite"),
        ("cache", "log-probabilit"),
    ],
)
def test_arrays_that_lie_are_not_believed(local: LocalModel, fault: str, said: str) -> None:
    with asking(local, Behaviour(fault=fault)) as model:
        assert model.proven.given is None, fault
        assert model.capabilities.choices == "likeliest"
        assert said in " ".join(model.capabilities.notes)


def test_a_server_that_ignores_echo_is_asked_another_way(local: LocalModel) -> None:
    with asking(local, Behaviour(fault="ignore_echo")) as model:
        assert model.proven.given == "prompt_logprobs"
        assert "echo are not used" in " ".join(model.capabilities.notes)


@pytest.mark.parametrize("fault", ["zeros", "shift", "drop", "nan", "ignore_echo"])
def test_a_server_that_turns_bad_ends_the_audit(local: LocalModel, fault: str) -> None:
    behaviour = Behaviour(fault=fault, sound=10**6)
    with asking(local, behaviour) as model:
        assert model.proven.given == "echo"
        model.score(*pairs(3))
        behaviour.sound = len(behaviour.seen)
        with pytest.raises((AuditError, ValueError)) as caught:
            model.score(*pairs(5))
    if isinstance(caught.value, AuditError):
        assert caught.value.code is ExitCode.NO_CONCLUSION


@pytest.mark.parametrize("fault", ["429", "500", "reset", "stall"])
def test_passing_trouble_is_tried_again(local: LocalModel, fault: str) -> None:
    behaviour = Behaviour(fault=fault, sound=10**6, times=1)
    with asking(local, behaviour, retries=2, timeout=2.0) as model:
        want = model.generate(["My card"], 3)
        behaviour.sound = len(behaviour.seen)
        assert model.generate(["Where is my"], 3)
        assert model.generate(["My card"], 3) == want


@pytest.mark.parametrize("fault", ["429", "500", "reset", "garbage"])
def test_lasting_trouble_is_a_sentence_and_exit_3(local: LocalModel, fault: str) -> None:
    behaviour = Behaviour(fault=fault, sound=10**6)
    with asking(local, behaviour, retries=1) as model:
        behaviour.sound = len(behaviour.seen)
        with pytest.raises(AuditError) as caught:
            model.generate(["My card"], 3)
    assert caught.value.code is ExitCode.NO_CONCLUSION
    assert "again" in caught.value.hint


def test_what_is_asked_twice_is_sent_once(local: LocalModel) -> None:
    behaviour = Behaviour()
    with asking(local, behaviour) as model:
        model.generate(["My card"], 3)
        before = sum(r["body"].get("prompt") == "My card" for r in behaviour.seen)
        model.generate(["My card", "My card"], 3)
        assert sum(r["body"].get("prompt") == "My card" for r in behaviour.seen) == before


def test_nothing_goes_where_nobody_agreed_to() -> None:
    elsewhere = Connection("m", "https://api.example.org/v1")
    with pytest.raises(AuditError, match="nothing was sent") as caught:
        EndpointModel(elsewhere)
    assert "--send-to api.example.org" in caught.value.hint
    with pytest.raises(AuditError, match=r"--send-to names example\.org"):
        Connection("m", "https://api.example.org/v1", send_to="example.org").open()
    assert Connection("m", "https://api.example.org/v1", send_to="API.example.org").open()
    for address in ("localhost:8000/v1", "ftp://localhost/v1", "http://user:key@localhost/v1"):
        with pytest.raises(AuditError):
            Connection("m", address).check_address()


def test_a_redirect_is_not_followed(local: LocalModel) -> None:
    other = Behaviour()
    with serve(local, other) as elsewhere:
        behaviour = Behaviour(fault="redirect", elsewhere=elsewhere.removesuffix("/v1"))
        with pytest.raises(AuditError, match="redirects"), asking(local, behaviour):
            pass
    assert not other.seen


def test_no_proxy_sees_what_stays_here(local: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Behaviour()
    with serve(local, other) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.removesuffix("/v1"))
        with asking(local, Behaviour()) as model:
            assert model.proven.given == "echo"
    assert not other.seen


def test_the_key_is_sent_and_shown_nowhere(
    local: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    behaviour = Behaviour()
    with asking(local, behaviour) as model:
        told = json.dumps([model.id, model.revision, model.usage, model.capabilities.notes])
    headers = {k.casefold(): v for k, v in behaviour.seen[0]["headers"].items()}
    assert headers["authorization"] == "Bearer sk-very-secret"
    assert not any(name.startswith("x-stainless-os") for name in headers)
    assert "secret" not in told
