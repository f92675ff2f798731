"""Base models by name: what they are, cheaply, and the models themselves."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from dataedge.errors import AuditError
from dataedge.models import embedded, hub, weights
from dataedge.models.cache import file_digest, folder_digest
from dataedge.models.precision import native_precision

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.models.base import BaseModel
    from dataedge.models.endpoint import Connection
    from dataedge.models.local.model import LocalModel
    from dataedge.models.precision import Precision, Wanted

_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")
_FORMS = "embedded, hf/<path or hub id>, gguf/<path>, openai/<name>"
_ELSEWHERE = "Check the network, or name a model on this machine: --model hf/<path> or gguf/<path>"


class Found(NamedTuple):
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
                hint="Name the model as the server does: --model openai/<name>",
            )
        return None
    if config.dtype != "auto":
        raise AuditError(
            f"--dtype {config.dtype} is for weights on this machine, not for --model {config.model}",
            hint="Choose the precision where the server is started, and leave out --dtype",
        )
    if not config.base_url:
        raise AuditError(
            f"--model {config.model}: no address given",
            hint="Say where the server listens: --base-url http://localhost:8000/v1",
        )
    from dataedge.models.endpoint.connection import Connection

    found = Connection(name, config.base_url, config.send_to, config.concurrency, config.timeout)
    found.check_address()
    return found


def identity(config: AuditConfig) -> tuple[str, str]:
    """Id and revision of the base model of a configuration; nothing is loaded or asked."""
    server = connection(config)
    return (server.id, server.revision) if server else model_identity(config.model)


def abilities_key(config: AuditConfig) -> str:
    """What the proof of a base model's abilities holds for, and nothing else.

    The tool's version, the model and its revision, and for weights on this machine the precision
    that was asked for and the one that its processor multiplies.
    """
    name, revision = identity(config)
    here = "" if connection(config) else f" {config.dtype}:{native_precision()}"
    return f"model {name} {revision} dataedge-{version('dataedge')}{here}"


def open_configured(
    config: AuditConfig, directory: Path | None = None, precision: Precision | Literal[""] = ""
) -> BaseModel:
    """The base model of a configuration, with what it can do proven.

    Args:
        config: names it.
        directory: of the audit, where a server's answers are kept over a crash.
        precision: of weights on this machine, where it was settled before.
    """
    server = connection(config)
    if server is None:
        dtype = config.dtype if precision == "" else precision
        return open_model(config.model, dtype=dtype, proven=precision != "")
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
    found = find(spec)
    if found.kind == "gguf":
        return found.id, file_digest(Path(found.where))
    if found.kind == "folder":
        return found.id, folder_digest(Path(found.where))
    hint = embedded.BASE_INSTALL if spec == "embedded" else _ELSEWHERE
    return found.id, hub.commit(found.where, f"--model {spec}", hint)


def open_model(spec: str, *, dtype: Wanted = "auto", proven: bool = False) -> LocalModel:
    """Load a base model and prove what it can do.

    Its structure is proven in float32. Where bfloat16 is wanted, the fixed questions are asked in
    both, and with `auto` the model stays in bfloat16 only if that changes little.

    Args:
        spec: `embedded`, `hf/<path or hub id>` or `gguf/<path>`.
        dtype: `float32`, `bfloat16`, or `auto`: bfloat16 where the processor multiplies it and its
            scatter is small against what is decided.
        proven: the precision was settled before; its scatter is not measured again.

    Raises:
        AuditError: the spec names no model, the weights cannot be read, no network.
    """
    found = find(spec)
    name, revision = model_identity(spec)
    if found.kind == "hub":
        weights.check_model(weights.on_hub(found.where, revision, f"--model {spec}"))

    from dataedge.models.gguf import converted
    from dataedge.models.local.model import LocalModel
    from dataedge.models.local.opening import read_weights

    where = str(converted(Path(found.where), spec)) if found.kind == "gguf" else found.where
    commit = revision if found.kind == "hub" else None
    wanted = native_precision() if dtype == "auto" else dtype

    def read(*notes: str, widen: bool) -> LocalModel:
        net, tokenizer = read_weights(where, revision=commit, name=spec, widen=widen)
        return LocalModel(net, tokenizer, id=name, revision=revision, notes=(*found.notes, *notes))

    if wanted == "float32":
        return read(widen=True)
    model = read(widen=False)
    if model.use_bfloat16(insist=dtype == "bfloat16", measure=not proven):
        return model
    share = model.capabilities.changed_answers
    del model
    return read(
        f"bfloat16 would turn {share:.1%} of its decisions between two labels round: it runs in "
        "float32, which is slower. `--dtype bfloat16` runs it in bfloat16 all the same.",
        widen=True,
    )


def find(spec: str) -> Found:
    """Where the weights of a model are; nothing is loaded.

    Raises:
        AuditError: the spec names no model.
    """
    if spec == "embedded":
        file = embedded.base_gguf()
        if file is not None:
            return Found("gguf", str(file), f"embedded/{file.stem}")
        return Found("hub", embedded.BASE_HUB, embedded.BASE_HUB, (embedded.base_missing(),))
    kind, _, rest = spec.partition("/")
    path = Path(rest).expanduser()
    if kind == "gguf" and rest:
        from dataedge.models.gguf import check

        check(path, spec)
        return Found("gguf", str(path), f"gguf/{path.name}")
    if kind == "hf" and rest:
        return _find_hf(spec, rest, path)
    raise AuditError(
        f"--model {spec}: no such kind of model", hint=f"Name one with --model: {_FORMS}"
    )


def _find_hf(spec: str, rest: str, path: Path) -> Found:
    if path.exists():
        if not (path / "config.json").is_file():
            raise AuditError(
                f"--model {spec}: {path} is not a model: it has no config.json",
                hint="Name the folder that holds config.json, the weights and the tokenizer; "
                "a GGUF file is --model gguf/<path>",
            )
        weights.check_model(weights.in_folder(path, f"--model {spec}"))
        return Found("folder", str(path), f"hf/{path.resolve().name}")
    if not _HUB_ID.fullmatch(rest):
        raise AuditError(
            f"--model {spec}: no folder {rest}, and it cannot be a hub id",
            hint="Use --model hf/<path of a model's folder> or --model hf/<owner>/<name>",
        )
    return Found("hub", rest, rest)
