"""Folders from elsewhere: nothing in them runs, and what is refused is told in a sentence."""

from __future__ import annotations

import json
import os
import pickle
import struct
from typing import TYPE_CHECKING, Any

import pytest
import torch

from dataedge import models
from dataedge.errors import AuditError
from dataedge.models import cache, embedded, embedder, gguf, weights
from dataedge.prepare.vectors import Embed
from tests.models import tiny

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "it-ran"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAEDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def pickled(folder: Path, marker: Path, file: str = "pytorch_model.bin") -> Path:
    """A model whose weights are a pickle that makes the marker."""
    tiny.folder(folder)
    (folder / "model.safetensors").unlink()
    (folder / file).write_bytes(pickle.dumps({"lm_head.weight": Bomb(marker)}))
    return folder


def with_code(folder: Path, marker: Path, model_type: str) -> Path:
    """A model that asks for Python files of its own, which make the marker."""
    tiny.folder(folder)
    code = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n"
    (folder / "modeling_evil.py").write_text(code + "class Evil: pass\n")
    named = {"AutoConfig": "modeling_evil.Evil", "AutoModelForCausalLM": "modeling_evil.Evil"}
    edit(folder / "config.json", auto_map=named, model_type=model_type)
    return folder


def edit(file: Path, **values: Any) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**content, **values}))


def sentences(folder: Path) -> Path:
    """A whole embedder: Transformer, Pooling and Dense, of random weights."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel

    start = folder.parent / f"{folder.name}-start"
    config = BertConfig(
        vocab_size=400,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    BertModel(config).save_pretrained(start)
    tokens = tiny.tokenizer()
    tokens.pad_token = tokens.eos_token
    tokens.save_pretrained(start)
    made = [Transformer(str(start)), Pooling(16), Dense(16, 8)]
    SentenceTransformer(modules=made).save_pretrained(str(folder))
    return folder


def refused(spec: str) -> AuditError:
    """Both ways in: to name a model, and to open it."""
    name, run = (
        (models.model_identity, models.open_model)
        if spec.startswith(("hf/", "gguf/"))
        else (embedder.embedder_identity, embedder.open_embedder)
    )
    found = []
    for ask in (name, run):
        with pytest.raises(AuditError) as caught:
            ask(spec)
        found.append(caught.value)
        assert spec in caught.value.message
        assert caught.value.hint
        assert "\n" not in str(caught.value)
    assert found[0].message == found[1].message
    return found[1]


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.pt", "weights.pkl", "tf_model.h5"])
def test_a_model_of_pickles_is_refused_unread(tmp_path: Path, marker: Path, file: str) -> None:
    folder = pickled(tmp_path / "m", marker, file)
    error = refused(f"hf/{folder}")
    assert f"in {file}, not in safetensors" in error.message
    assert not marker.exists()
    pickle.loads((folder / file).read_bytes())
    assert marker.exists(), "the bomb works"


def test_the_hint_converts_and_the_copy_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.folder(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    torch.save(tiny.network().state_dict(), folder / "pytorch_model.bin")
    monkeypatch.chdir(tmp_path)
    start, code, end = refused(f"hf/{folder}").hint.split('"')
    assert start.endswith("python -c ")
    assert end == ""
    exec(code, {})  # in this process: another one takes seconds to import
    model = models.open_model(f"hf/{tmp_path / 'converted'}", dtype="float32")
    want = tiny.network().state_dict()
    for name, value in model.forward.net.state_dict().items():
        assert torch.equal(value, want[name]), name


def test_pickles_beside_safetensors_are_left_alone(tmp_path: Path, marker: Path) -> None:
    folder = tiny.folder(tmp_path / "m")
    before = models.model_identity(f"hf/{folder}")
    for file in ("pytorch_model.bin", "training_args.bin", "optimizer.pt"):
        (folder / file).write_bytes(pickle.dumps(Bomb(marker)))
    assert models.open_model(f"hf/{folder}").generate(["Where is"], 2)
    assert models.model_identity(f"hf/{folder}") == before, "the revision is that of what is loaded"
    assert not marker.exists()


def test_an_index_may_name_safetensors_alone(tmp_path: Path, marker: Path) -> None:
    folder = pickled(tmp_path / "m", marker, "part.bin")
    names = dict.fromkeys(tiny.network().state_dict(), "part.bin")
    index = folder / "model.safetensors.index.json"
    edit(index, metadata={}, weight_map=names)
    (folder / "adapter.safetensors").write_bytes(b"")
    assert f"part.bin (named by {index.name})" in refused(f"hf/{folder}").message
    edit(index, weight_map=dict.fromkeys(names, "../m/part.safetensors"))
    assert "../m/part.safetensors" in refused(f"hf/{folder}").message
    assert not marker.exists()


@pytest.mark.parametrize(
    ("model_type", "hint"), [("evil", "--model openai/"), ("llama", "remove auto_map")]
)
def test_code_of_a_models_own_is_refused(
    tmp_path: Path, marker: Path, model_type: str, hint: str
) -> None:
    folder = with_code(tmp_path / "m", marker, model_type)
    error = refused(f"hf/{folder}")
    assert "Python code of the model's own (auto_map)" in error.message
    assert hint in error.hint
    assert not marker.exists()


def test_code_of_a_tokenizers_own_is_refused(tmp_path: Path, marker: Path) -> None:
    folder = with_code(tmp_path / "m", marker, "llama")
    config = json.loads((folder / "config.json").read_text())
    del config["auto_map"]
    (folder / "config.json").write_text(json.dumps(config))
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["modeling_evil.Evil", None]})
    assert "tokenizer_config.json asks for Python code" in refused(f"hf/{folder}").message
    assert not marker.exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("_attn_implementation", "somebody/kernel"),
        ("_attn_implementation_internal", "somebody/kernel"),
        ("text_config", {"attn_implementation": "somebody/kernel"}),
        ("transformers_weights", "adapter_model.bin"),
    ],
)
def test_a_configuration_may_not_have_something_else_loaded(
    tmp_path: Path, setting: str, value: Any
) -> None:
    folder = tiny.folder(tmp_path / "m")
    models.model_identity(f"hf/{folder}")
    edit(folder / "config.json", **{setting: value})
    assert "something else than the model's safetensors" in refused(f"hf/{folder}").message


def test_plain_settings_are_no_offence(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "m")
    edit(folder / "config.json", _attn_implementation="sdpa", use_kernels=False, auto_map={})
    assert models.open_model(f"hf/{folder}").generate(["Where is"], 2)


def test_an_adapter_is_not_a_model(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "m")
    edit(folder / "adapter_config.json", base_model_name_or_path="somebody/else")
    assert "merge_and_unload" in refused(f"hf/{folder}").hint


def test_a_folder_without_weights_or_with_broken_json_is_named(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    assert "model.safetensors is missing" in refused(f"hf/{folder}").message
    (folder / "config.json").write_text("{")
    assert "config.json cannot be read as JSON" in refused(f"hf/{folder}").message


def test_nothing_beside_a_gguf_file_is_read(tmp_path: Path, marker: Path) -> None:
    folder = with_code(tmp_path / "m", marker, "evil")
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["modeling_evil.Evil", None]})
    edit(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer")
    made = gguf.converted(tiny.gguf_file(folder / "a.gguf"), "gguf/a.gguf")
    assert not marker.exists()
    assert "auto_map" not in (made / "tokenizer_config.json").read_text()
    assert json.loads((made / "config.json").read_text())["model_type"] == "llama"
    model = models.open_model(f"gguf/{folder / 'a.gguf'}", dtype="float32")
    own = tiny.tokenizer()(tiny.QUESTIONS)["input_ids"]
    assert [list(ids) for ids in model.tokens.plain(tiny.QUESTIONS)] == own


# --- embedders -----------------------------------------------------------------------------------


def test_an_embedder_opens_and_its_revision_follows_all_its_modules(tmp_path: Path) -> None:
    folder = sentences(tmp_path / "e")
    model = embedder.open_embedder(f"st/{folder}")
    assert model.encode(["a card"]).shape == (1, 8)
    name, revision = embedder.embedder_identity(f"st/{folder}")
    assert name == "st/e"
    edit(folder / "1_Pooling" / "config.json", pooling_mode="max")
    changed = embedder.embedder_identity(f"st/{folder}")[1]
    assert changed != revision
    torch.manual_seed(1)
    from safetensors.torch import load_file, save_file

    dense = folder / "2_Dense" / "model.safetensors"
    save_file({k: v + 1 for k, v in load_file(dense).items()}, dense)
    assert embedder.embedder_identity(f"st/{folder}")[1] not in {revision, changed}
    (folder / "notes.bin").write_bytes(b"not loaded")
    (folder / "unrelated").mkdir()
    (folder / "unrelated" / "config.json").write_text("{}")
    again = embedder.embedder_identity(f"st/{folder}")[1]
    (folder / "unrelated" / "config.json").write_text('{"a": 1}')
    assert embedder.embedder_identity(f"st/{folder}")[1] == again


@pytest.mark.parametrize("part", ["", "2_Dense"])
def test_an_embedder_of_pickles_is_refused_unread(tmp_path: Path, marker: Path, part: str) -> None:
    folder = sentences(tmp_path / "e")
    (folder / part / "model.safetensors").unlink()
    (folder / part / "pytorch_model.bin").write_bytes(pickle.dumps({"w": Bomb(marker)}))
    error = refused(f"st/{folder}")
    assert "pytorch_model.bin, not in safetensors" in error.message
    assert "SentenceTransformer" in error.hint
    assert not marker.exists()


@pytest.mark.parametrize(
    "kind",
    [
        "modeling_evil.Evil",
        "os.system",
        "sentence_transformers.base.model.pickle",
        "sentence_transformers.base.modules.module.torch",
        "sentence_transformers.models.Router",
        "sentence_transformers.models.WordEmbeddings",
        "sentence_transformersx.Pooling",
        "",
    ],
)
def test_a_module_that_is_not_known_is_refused(tmp_path: Path, marker: Path, kind: str) -> None:
    folder = sentences(tmp_path / "e")
    code = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n"
    (folder / "modeling_evil.py").write_text(code + "class Evil: pass\n")
    listed = json.loads((folder / "modules.json").read_text())
    listed[1]["type"] = kind
    (folder / "modules.json").write_text(json.dumps(listed))
    assert "modules.json asks for " + (kind or "something else") in refused(f"st/{folder}").message
    assert not marker.exists()


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", "a/../../b", "~/x", "C:\\x"])
def test_modules_are_in_the_embedders_own_folder(tmp_path: Path, path: str) -> None:
    folder = sentences(tmp_path / "e")
    listed = json.loads((folder / "modules.json").read_text())
    listed[1]["path"] = path
    (folder / "modules.json").write_text(json.dumps(listed))
    assert "a folder outside of the model" in refused(f"st/{folder}").message


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("config.json", {"auto_map": {"AutoModel": "modeling_evil.Evil"}}, "auto_map"),
        ("sentence_bert_config.json", {"model_args": {"use_kernels": True}}, "use_kernels"),
        ("2_Dense/config.json", {"activation_function": "os.system"}, "activation os.system"),
    ],
)
def test_an_embedders_settings_are_looked_at(
    tmp_path: Path, file: str, values: dict[str, Any], message: str
) -> None:
    folder = sentences(tmp_path / "e")
    edit(folder / file, **values)
    assert message in refused(f"st/{folder}").message


# --- the hub, as its client lays it out on this machine ------------------------------------------


def on_hub(tmp_path: Path, repo: str, made: Path) -> str:
    """Move a folder to where the hub's client would have put it; returns its commit."""
    place = tmp_path / "hub" / f"models--{repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    (place / "snapshots").mkdir()
    made.rename(place / "snapshots" / COMMIT)
    return COMMIT


def test_a_hub_embedder_is_known_by_its_commit_and_opened_at_it(tmp_path: Path) -> None:
    on_hub(tmp_path, "owner/name", sentences(tmp_path / "e"))
    assert embedder.embedder_identity("st/owner/name") == ("owner/name", COMMIT)
    assert Embed("st/owner/name").params() == {"embedder": "owner/name", "revision": COMMIT}
    assert embedder.open_embedder("st/owner/name").encode(["a card"]).shape == (1, 8)


def test_a_hub_id_without_an_owner_is_of_sentence_transformers(tmp_path: Path) -> None:
    on_hub(tmp_path, "sentence-transformers/name", sentences(tmp_path / "e"))
    assert embedder.embedder_identity("st/name") == ("sentence-transformers/name", COMMIT)


def test_a_hub_embedder_that_is_not_here_is_told(tmp_path: Path) -> None:
    assert "is not on this machine and the hub cannot be reached" in refused("st/no/body").message


def test_a_hub_model_is_opened_at_its_commit(tmp_path: Path) -> None:
    on_hub(tmp_path, "owner/name", tiny.folder(tmp_path / "m"))
    model = models.open_model("hf/owner/name", dtype="float32")
    assert (model.id, model.revision) == ("owner/name", COMMIT)


@pytest.mark.parametrize("kind", ["pickle", "code"])
def test_a_hub_model_is_looked_at_like_a_folder(tmp_path: Path, marker: Path, kind: str) -> None:
    made = (
        pickled(tmp_path / "m", marker)
        if kind == "pickle"
        else with_code(tmp_path / "m", marker, "evil")
    )
    on_hub(tmp_path, "owner/name", made)
    with pytest.raises(AuditError, match=r"not in safetensors|auto_map") as caught:
        models.open_model("hf/owner/name")
    assert "--model hf/owner/name" in caught.value.message
    assert not marker.exists()


def test_the_fallback_to_the_hub_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Embed("embedded").notes == ()
    monkeypatch.setattr(embedded, "EMBEDDER_MODULE", "a_module_that_is_not_there")
    on_hub(tmp_path, embedded.EMBEDDER_HUB, sentences(tmp_path / "e"))
    stage = Embed("embedded")
    assert (stage.id, stage.revision) == (embedded.EMBEDDER_HUB, COMMIT)
    assert stage.notes == (embedded.embedder_missing(),)
    assert "read from the hub instead" in stage.notes[0]


def test_digests_leave_out_what_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "d" / "part").mkdir(parents=True)
    (tmp_path / "d" / "config.json").write_text("{}")
    one = cache.folder_digest(tmp_path / "d")
    (tmp_path / "d" / "pytorch_model.bin").write_bytes(b"x")
    (tmp_path / "d" / "part" / "config.json").write_text("{}")
    assert cache.folder_digest(tmp_path / "d") == one
    assert cache.folder_digest(tmp_path / "d", ["part"]) != one


def test_every_module_that_is_let_in_is_one_of_sentence_transformers() -> None:
    import sentence_transformers.base.modules as base
    import sentence_transformers.sentence_transformer.modules as own

    for name in weights.MODULES:
        assert hasattr(own, name) or hasattr(base, name), name


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {"num_hidden_layers": 10_000_000},
        {"num_hidden_layers": 500},
        {"head_dim": 10**11},
        {"vocab_size": 10**10},
        {"intermediate_size": 10**400},
        {"rope_scaling": {"low_rank_dim": 10**9}},
    ],
)
def test_numbers_that_no_weights_bear_out_are_refused_before_anything_is_built(
    tmp_path: Path, asked: dict[str, Any]
) -> None:
    folder = tiny.folder(tmp_path / "m")
    edit(folder / "config.json", **asked)
    told = refused(f"hf/{folder}")
    assert "asks for" in told.message
    assert len(told.message) < 300
    assert told.hint


@pytest.mark.parametrize(
    "plain",
    [
        {"max_window_layers": 28},
        {"index_topk_blocks": 64, "max_depth": 50, "vision_feature_layer": -2},
        {"max_position_embeddings": 10_000_000, "sliding_window": 4096},
        {"vision_config": {"hidden_size": 1_000_000}},  # its width is not that of the words
    ],
)
def test_thresholds_and_positions_are_no_counts(tmp_path: Path, plain: dict[str, Any]) -> None:
    folder = tiny.folder(tmp_path / "m")
    edit(folder / "config.json", **plain)
    assert models.model_identity(f"hf/{folder}")[1]


def test_shards_without_an_index_and_a_vocabulary_that_nothing_holds(tmp_path: Path) -> None:
    folder = tiny.folder(tmp_path / "m")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model-00002-of-00002.safetensors").write_bytes(whole)
    edit(folder / "config.json", num_hidden_layers=400)
    assert "its weights have" in refused(f"hf/{folder}").message
    folder = tiny.folder(tmp_path / "n")
    edit(folder / "config.json", vocab_size=6_000_000)
    assert "more than its weights hold" in refused(f"hf/{folder}").message
    folder = tiny.folder(tmp_path / "o")
    edit(folder / "config.json", text_config={"vocab_size": 6_000_000, "hidden_size": 64})
    assert "more than its weights hold" in refused(f"hf/{folder}").message


@pytest.mark.parametrize(
    "header",
    [b"", b"\x00", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0[]", b"\x04\0\0\0\0\0\0\0null"],
)
def test_weights_whose_header_is_broken_are_a_sentence(tmp_path: Path, header: bytes) -> None:
    folder = tiny.folder(tmp_path / "m")
    (folder / "model.safetensors").write_bytes(header)
    with pytest.raises(AuditError) as caught:
        models.open_model(f"hf/{folder}", dtype="float32")
    assert "--model" in caught.value.hint


def gguf_head(tensors: int, keys: int) -> bytes:
    """The beginning of a GGUF file, version 3."""
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys)


def gguf_key(name: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(name)) + name + struct.pack("<I", kind) + value


@pytest.mark.parametrize(
    "content",
    [
        gguf_head(2**60, 0),
        pytest.param(gguf_head(0, 2**60), marks=pytest.mark.long),
        pytest.param(
            gguf_head(1, 1) + gguf_key(b"general.architecture", 8, struct.pack("<Q", 2**62)),
            marks=pytest.mark.long,
        ),
        gguf_head(0, 1) + gguf_key(b"tokens", 9, struct.pack("<IQ", 8, 2**60)),
        pytest.param(
            gguf_head(0, 1) + gguf_key(b"tokens", 9, struct.pack("<IQ", 0, 2**40)),
            marks=pytest.mark.long,
        ),
        pytest.param(gguf_head(0, 1) + struct.pack("<Q", 2**63 - 1), marks=pytest.mark.long),
    ],
    ids=["tensors", "keys", "a text", "an array of texts", "an array of bytes", "a name"],
)
def test_a_gguf_that_was_made_to_be_large_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(content + bytes(1000))
    with pytest.raises(AuditError) as caught:
        gguf.converted(file, "gguf/a.gguf")
    assert caught.value.message.startswith("gguf/a.gguf: ")
    assert "--model" in caught.value.hint
