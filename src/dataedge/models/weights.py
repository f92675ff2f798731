"""Which files of a model may be loaded: safetensors and plain JSON, no pickles, no code of its own.

A model's folder comes from elsewhere as a rule. Everything in it that could run something when it
is read is looked for by name, before any of it is read: pickled weights, also where an index or a
configuration names them; Python files that a configuration asks for (`auto_map`); kernels from the
hub; adapters, which are weights on top of a model that is somewhere else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError
from dataedge.models import hub
from dataedge.models.config_numbers import Weights, check_numbers, weights_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REFUSED = frozenset(
    {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill", ".npy", ".npz"}
    | {".h5", ".hdf5", ".keras", ".msgpack", ".ot", ".mar"}
)
"""Endings of weights in formats other than safetensors; most of them are pickles."""
INDEX = ".safetensors.index.json"
RUNS_CODE = frozenset(
    {"use_kernels", "kernel_config", "allow_all_kernels", "gguf_file", "adapter_kwargs"}
)
"""Settings with which a configuration would have something else loaded than its safetensors."""
MODULES = (
    "Transformer",
    "Pooling",
    "Normalize",
    "Dense",
    "LayerNorm",
    "Dropout",
    "WeightedLayerPooling",
    "StaticEmbedding",
    "CNN",
    "LSTM",
)
"""Modules of sentence_transformers that load safetensors and import nothing by name."""
_MODULE = re.compile(rf"sentence_transformers(\.[A-Za-z_]+)*\.({'|'.join(MODULES)})")
CONVERT_MODEL = (
    'python -c "from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; '
    "M.from_pretrained('{where}').save_pretrained('converted'); "
    "T.from_pretrained('{where}').save_pretrained('converted')\""
)
CONVERT_EMBEDDER = (
    'python -c "from sentence_transformers import SentenceTransformer as S; '
    "S('{where}').save_pretrained('converted')\""
)


@dataclass(frozen=True)
class Source:
    """Where a model's files are.

    Attributes:
        name: what the user called it, for messages.
        where: a folder or a hub id.
        names: names of the files directly in one of its folders; "" for its own.
        path: of a file on this machine, for one that is to be read.
        on_disk: all of it is a folder on this machine.
    """

    name: str
    where: str
    names: Callable[[str], list[str]]
    path: Callable[[str], Path]
    on_disk: bool = False

    def read(self, file: str) -> Any:
        """A JSON file's content."""
        try:
            return json.loads(self.path(file).read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise AuditError(
                f"{self.name}: {file} cannot be read as JSON: {str(error).splitlines()[0]}",
                hint="It may be cut off: copy or download it again, or name another model: --model",
            ) from error


def in_folder(path: Path, name: str) -> Source:
    """A model in a folder."""

    def names(folder: str) -> list[str]:
        place = path / folder
        return sorted(p.name for p in place.iterdir() if p.is_file()) if place.is_dir() else []

    return Source(name, str(path), names, lambda file: path / file, on_disk=True)


def on_hub(repo: str, revision: str, name: str) -> Source:
    """A model on the hub, at a commit."""
    listed = hub.files(repo, revision)

    def names(folder: str) -> list[str]:
        places = [PurePosixPath(file) for file in listed]
        return sorted(p.name for p in places if p.parent == PurePosixPath(folder or "."))

    return Source(name, repo, names, lambda file: hub.path_of(repo, revision, file))


def check_model(source: Source) -> None:
    """Refuse a language model that cannot be loaded without running something of its own.

    Raises:
        AuditError: what stands in the way, with a hint that mends it.
    """
    _check_transformer(source, "", CONVERT_MODEL)


def check_embedder(source: Source) -> None:
    """The same for a sentence-transformers model: each of its modules.

    Raises:
        AuditError: as for `check_model`, or a module that is not known to be safe.
    """
    if "modules.json" not in source.names(""):
        _check_transformer(source, "", CONVERT_EMBEDDER)
        return
    for kind, folder in modules(source):
        if kind == "Transformer":
            _check_transformer(source, folder, CONVERT_EMBEDDER)
            continue
        names = source.names(folder)
        if "config.json" in names:
            _check_activation(source, _inside(folder, "config.json"))
        _check_weights(source, folder, CONVERT_EMBEDDER, needed=False)


def modules(source: Source) -> list[tuple[str, str]]:
    """The modules that modules.json names: (class, folder), each of sentence_transformers' own.

    Raises:
        AuditError: a class of somebody else, or a folder that is not inside.
    """
    listed = source.read("modules.json")
    found = []
    for listing in listed if isinstance(listed, list) else [{}]:
        entry = listing if isinstance(listing, dict) else {}
        kind = str(entry.get("type", ""))
        known = _MODULE.fullmatch(kind)
        if known is None:
            raise AuditError(
                f"{source.name}: modules.json asks for {kind or 'something else than a class'}, "
                "which is not loaded: it could run code of its own",
                hint="Name an embedder with --embedder that is made of sentence_transformers' modules "
                f"({', '.join(MODULES)})",
            )
        folder = str(entry.get("path") or "")
        if ".." in PurePosixPath(folder).parts or re.search(r"^[/~]|[\\:\0]", folder):
            raise AuditError(
                f"{source.name}: modules.json names a folder outside of the model: {folder}",
                hint="Name an embedder whose parts are in its own folder: --embedder st/<path>",
            )
        found.append((known[2], folder.strip("/")))
    return found


def _inside(folder: str, file: str) -> str:
    return f"{folder}/{file}" if folder else file


def _check_transformer(source: Source, folder: str, convert: str) -> None:
    names = source.names(folder)
    weights = _weights(source, folder, names)
    if "adapter_config.json" in names:
        raise AuditError(
            f"{source.name}: it holds an adapter (adapter_config.json), whose model is elsewhere",
            hint="Merge the two first with peft: `merge_and_unload()`, then `save_pretrained()`",
        )
    for file in names:
        if file in {"config.json", "tokenizer_config.json"} or (
            file.startswith("sentence_") and file.endswith("_config.json")
        ):
            _check_config(source, _inside(folder, file), weights)
        elif file.endswith(INDEX):
            _check_index(source, _inside(folder, file), convert)
    _check_weights(source, folder, convert, needed=True)


def _check_weights(source: Source, folder: str, convert: str, *, needed: bool) -> None:
    """Refuse a folder whose weights are in other formats than safetensors alone."""
    names = source.names(folder)
    if any(name.endswith(".safetensors") for name in names):
        return
    other = [name for name in names if PurePosixPath(name).suffix.lower() in REFUSED]
    if other:
        raise _pickled(source, _inside(folder, other[0]), convert)
    if needed and names:
        raise AuditError(
            f"{source.name}: {_inside(folder, 'model.safetensors')} is missing: there are no weights",
            hint="Name the folder that holds config.json, the weights and the tokenizer: --model hf/<path>",
        )


def _pickled(source: Source, file: str, convert: str) -> AuditError:
    return AuditError(
        f"{source.name}: its weights are in {file}, not in safetensors; reading such a file can run "
        "code that is hidden in it, so it is not read",
        hint="Where you trust it, convert it once and name the folder `converted`: "
        + convert.format(where=source.where),
    )


def _check_index(source: Source, file: str, convert: str) -> None:
    """Refuse an index that lists other files than safetensors beside it."""
    content = source.read(file)
    parts = content.get("weight_map") if isinstance(content, dict) else None
    for part in sorted({str(p) for p in parts.values()}) if isinstance(parts, dict) else []:
        if not re.fullmatch(r"[\w.-]+\.safetensors", part):
            raise _pickled(source, f"{part} (named by {file})", convert)


def _weights(source: Source, folder: str, names: Sequence[str]) -> Weights | None:
    """Weights in a folder; None where they are not counted: on the hub, they may not be here yet."""
    files = [_inside(folder, name) for name in names if name.endswith(".safetensors")]
    return weights_in([source.path(f) for f in files]) if source.on_disk and files else None


def _check_config(source: Source, file: str, weights: Weights | None) -> None:
    """Refuse a configuration that asks for code, for other weights, or for more than its weights hold."""
    content = source.read(file)
    check_numbers(f"{source.name}: {file}", [("", content), *_settings(content)], weights)
    for key, value in _settings(content):
        if key == "auto_map" and value:
            raise AuditError(
                f"{source.name}: {file} asks for Python code of the model's own (auto_map), and such "
                "code is never run",
                hint=_without_code(content),
            )
        elsewhere = key == "transformers_weights" and not str(value).endswith(
            (".safetensors", INDEX)
        )
        kernel = key.strip("_").startswith(("attn_implementation", "experts_implementation"))
        if elsewhere or (kernel and "/" in json.dumps(value)) or (key in RUNS_CODE and value):
            raise AuditError(
                f"{source.name}: {file} asks for {key} = {json.dumps(value)[:60]}, which would load "
                "something else than the model's safetensors",
                hint=f"Remove {key} from {file}, or name another model: --model",
            )


def _without_code(config: Any) -> str:
    """What to do instead, which depends on whether transformers has the architecture itself."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind in CONFIG_MAPPING_NAMES:
        return (
            f"In a copy of the folder, remove auto_map from the configuration, and name that copy with "
            f"--model: transformers reads {kind} models without it"
        )
    return (
        "Serve it where its code may run, and ask it there: --model openai/<name> --base-url URL; "
        "or name a model that transformers reads without code of its own"
    )


def _check_activation(source: Source, file: str) -> None:
    """A Dense module names its activation by a dotted path; only those of torch.nn are imported."""
    content = source.read(file)
    named = content.get("activation_function") if isinstance(content, dict) else None
    if named is not None and not re.fullmatch(r"torch\.nn(\.modules\.\w+)?\.\w+", str(named)):
        raise AuditError(
            f"{source.name}: {file} names the activation {named}, which is not one of torch.nn",
            hint="Name an embedder without code of its own: --embedder st/<path or hub id>",
        )


def _settings(content: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a configuration with its value, those of nested ones too."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield str(key), value
            yield from _settings(value)
    elif isinstance(content, list):
        for value in content:
            yield from _settings(value)
