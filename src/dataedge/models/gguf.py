"""GGUF files: converted once to a folder that transformers reads in a second, then kept."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from dataedge.apart import Limits, apart
from dataedge.errors import AuditError
from dataedge.models.cache import cache_dir, file_digest

FORMAT = 1  # raise when a conversion would come out differently
STALE_SECONDS = 3600
ELSEWHERE = (
    "Serve it with llama.cpp and use --model openai/… --base-url, or name the original weights: "
    "--model hf/<path or hub id>"
)
BASE_MEMORY, TIMES_ITS_SIZE = 4 << 30, 40
"""Bytes that a conversion may allocate: for torch and a vocabulary, and three copies in float32 of weights
that have three bits each at least."""
BASE_SECONDS, BYTES_PER_SECOND = 600.0, 200_000.0
"""Seconds that it may take; on two slow and busy cores it takes one for a megabyte."""


def check(path: Path, name: str) -> None:
    """Raise AuditError unless `path` is a GGUF file."""
    hint = "Name a GGUF file of a language model: --model gguf/<file>"
    if not path.is_file():
        raise AuditError(f"{name}: no such file", hint=hint)
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise AuditError(f"{name}: not a GGUF file", hint=hint)


def place(path: Path) -> Path:
    """The folder of a GGUF file's weights once they are converted."""
    return cache_dir() / "models" / f"{file_digest(path)[:24]}-{FORMAT}"


def converted(path: Path, name: str) -> Path:
    """The folder with the weights of a GGUF file in float32; converted on the first call.

    Nothing else of the file's own folder is read, a `tokenizer_config.json` say.
    float32 because bfloat16 would alter four in five of the de-quantised weights. The folder is
    named after the file's SHA-256, written beside its place and moved there in one step, so that
    an interrupted or a second process leaves nothing half done.

    Args:
        path: the GGUF file.
        name: what the user called it, for messages.
    """
    check(path, name)
    target = place(path)
    models = target.parent
    if (target / "config.json").is_file():
        return target
    try:
        models.mkdir(parents=True, exist_ok=True)
        _sweep(models)
        temporary = Path(tempfile.mkdtemp(prefix=".converting-", dir=models))
    except OSError as error:
        raise AuditError(
            f"{models}: the cache directory cannot be written: {error.strerror}",
            hint="Name another one: `export DATAEDGE_CACHE=DIR`",
        ) from error
    try:
        _convert(path, temporary, name)
        with suppress(OSError):  # another process was first: its folder is the same
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _convert(path: Path, folder: Path, name: str) -> None:
    size = path.stat().st_size
    apart(
        convert,
        *(str(path), str(folder), name),
        doing=f"{name}: reading this GGUF file",
        hint=ELSEWHERE,
        limits=Limits(BASE_MEMORY + TIMES_ITS_SIZE * size, BASE_SECONDS + size / BYTES_PER_SECOND),
    )


def convert(path: str, folder: str, name: str) -> None:
    """Write the weights of a GGUF file in float32; in a process of its own: see `_convert`.

    Args:
        path: the GGUF file.
        folder: an empty one.
        name: what the user called the file, for messages.

    Raises:
        AuditError: transformers cannot read it.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from dataedge.models.local.opening import quiet

    file = Path(path)
    try:
        with quiet(), tempfile.TemporaryDirectory() as alone:
            (Path(alone) / file.name).symlink_to(file.resolve())
            read = AutoModelForCausalLM.from_pretrained(
                alone, gguf_file=file.name, dtype=torch.float32, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(
                alone, gguf_file=file.name, trust_remote_code=False
            )
            config = read.config
            if hasattr(config, "quantization_config"):
                del config.quantization_config
            fresh = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
            fresh.load_state_dict(read.state_dict())
            fresh.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except Exception as error:  # broken files fail in as many ways as there are formats
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise AuditError(
            f"{name}: transformers cannot read this GGUF file: {first}", hint=ELSEWHERE
        ) from error


def _sweep(models: Path) -> None:
    """Remove what conversions that were killed left behind."""
    for left in models.glob(".converting-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
