"""Base models by name: what they are, cheaply, and the models themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dataedge.errors import AuditError
from dataedge.models import embedded, hub, weights
from dataedge.models.cache import file_digest, folder_digest

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.models.base import BaseModel
    from dataedge.models.endpoint import Connection
    from dataedge.models.local import LocalModel
    from dataedge.models.opening import Precision

_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")
_FORMS = "embedded, hf/<path or hub id>, gguf/<path>, openai/<name>"
_ELSEWHERE = "check the network, or name a model on this machine: --model hf/<path> or gguf/<path>"


class _Found(NamedTuple):
    """Where the weights of a model are."""

    kind: str  # folder, gguf or hub
    where: str  # a path or a hub id
    id: str
    notes: tuple[str, ...] = ()


def connection(config: AuditConfig) -> Connection | None:
    """The server of a base model that is asked over a connection; None for one in this process.

    Raises:
        AuditError: no address, or one that makes no sense.
    """
    kind, _, name = config.model.partition("/")
    if kind != "openai" or not name:
        if config.base_url:
            raise AuditError(
                f"--base-url is for a server's model, not for --model {config.model}",
                hint="name the model as the server does: --model openai/<name>",
            )
        return None
    if not config.base_url:
        raise AuditError(
            f"--model {config.model}: no address given",
            hint="where the server listens: --base-url http://localhost:8000/v1",
        )
    from dataedge.models.endpoint.connection import Connection

    found = Connection(name, config.base_url, config.send_to, config.concurrency, config.timeout)
    found.check_address()
    return found


def identity(config: AuditConfig) -> tuple[str, str]:
    """Id and revision of the base model of a configuration; nothing is loaded or asked."""
    server = connection(config)
    return (server.id, server.revision) if server else model_identity(config.model)


def open_configured(config: AuditConfig, directory: Path | None = None) -> BaseModel:
    """The base model of a configuration, with what it can do proven.

    Args:
        config: names it.
        directory: of the audit, where a server's answers are kept over a crash.
    """
    server = connection(config)
    if server is None:
        return open_model(config.model)
    from dataedge.models.endpoint import EndpointModel

    return EndpointModel(server, directory)


def model_identity(spec: str) -> tuple[str, str]:
    """Name a model and its weights without loading it.

    Args:
        spec: `embedded`, `hf/<path or hub id>` or `gguf/<path>`.

    Returns:
        The model's id, the same on every machine, and its revision: a SHA-256 over the files of
        a local model, the commit of one on the hub.

    Raises:
        AuditError: the spec names no model, or a hub that cannot be reached.
    """
    found = _find(spec)
    if found.kind == "gguf":
        return found.id, file_digest(Path(found.where))
    if found.kind == "folder":
        return found.id, folder_digest(Path(found.where))
    hint = embedded.BASE_INSTALL if spec == "embedded" else _ELSEWHERE
    return found.id, hub.commit(found.where, f"--model {spec}", hint)


def open_model(spec: str, *, dtype: Precision | None = None) -> LocalModel:
    """Load a base model and prove what it can do.

    Args:
        spec: `embedded`, `hf/<path or hub id>` or `gguf/<path>`.
        dtype: `float32` or `bfloat16`; by default bfloat16 where the processor multiplies it.

    Raises:
        AuditError: the spec names no model, the weights cannot be read, no network.
    """
    found = _find(spec)
    name, revision = model_identity(spec)
    if found.kind == "hub":
        weights.check_model(weights.on_hub(found.where, revision, f"--model {spec}"))

    from dataedge.models.gguf import converted
    from dataedge.models.local import LocalModel
    from dataedge.models.opening import best_precision, read_weights

    where = str(converted(Path(found.where), spec)) if found.kind == "gguf" else found.where
    net, tokenizer = read_weights(
        where,
        revision=revision if found.kind == "hub" else None,
        precision=dtype or best_precision(),
        name=spec,
    )
    return LocalModel(net, tokenizer, id=name, revision=revision, notes=found.notes)


def _find(spec: str) -> _Found:
    if spec == "embedded":
        file = embedded.base_gguf()
        if file is not None:
            return _Found("gguf", str(file), f"embedded/{file.stem}")
        return _Found("hub", embedded.BASE_HUB, embedded.BASE_HUB, (embedded.base_missing(),))
    kind, _, rest = spec.partition("/")
    path = Path(rest).expanduser()
    if kind == "gguf" and rest:
        from dataedge.models.gguf import check

        check(path, spec)
        return _Found("gguf", str(path), f"gguf/{path.name}")
    if kind == "hf" and rest:
        return _find_hf(spec, rest, path)
    raise AuditError(f"--model {spec}: no such kind of model", hint=f"name one of {_FORMS}")


def _find_hf(spec: str, rest: str, path: Path) -> _Found:
    if path.exists():
        if not (path / "config.json").is_file():
            raise AuditError(
                f"--model {spec}: {path} is not a model: it has no config.json",
                hint="name the folder that holds config.json, the weights and the tokenizer; "
                "a GGUF file is --model gguf/<path>",
            )
        weights.check_model(weights.in_folder(path, f"--model {spec}"))
        return _Found("folder", str(path), f"hf/{path.resolve().name}")
    if not _HUB_ID.fullmatch(rest):
        raise AuditError(
            f"--model {spec}: no folder {rest}, and it cannot be a hub id",
            hint="--model hf/<path of a model's folder> or hf/<owner>/<name>",
        )
    return _Found("hub", rest, rest)
