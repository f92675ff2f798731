"""From a folder of weights to a network in memory: device, silence."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and writing notes while it reads weights."""
    import warnings

    import transformers.modeling_gguf_pytorch_utils as reading
    from transformers.utils import logging

    level = logging.get_verbosity()
    bar = reading.tqdm
    reading.tqdm = partial(bar, disable=True)
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        reading.tqdm = bar
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def read_weights(
    where: str, *, revision: str | None, name: str, widen: bool = False
) -> tuple[Any, Any]:
    """Read a network and its tokenizer from a folder or a hub id; code from there is never run.

    Args:
        where: a folder, or a hub id.
        revision: commit of a hub id.
        name: what the user called it, for messages.
        widen: to float32; otherwise the weights are kept in the type that they are stored in.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                where, revision=revision, trust_remote_code=False
            )
            net = AutoModelForCausalLM.from_pretrained(
                where,
                revision=revision,
                dtype=torch.float32 if widen else "auto",
                use_safetensors=True,
                trust_remote_code=False,
            )
    except Exception as error:  # broken files fail in as many ways as there are formats
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise AuditError(
            f"{name}: cannot be read as a causal language model: {first}",
            hint="Give --model a folder or hub id of a model with weights and a tokenizer that "
            "transformers reads without code of its own",
            code=ExitCode.USAGE,
        ) from error
    net.eval()
    keep_freed_memory()
    return (net.to("cuda") if torch.cuda.is_available() else net), tokenizer


def keep_freed_memory() -> None:
    """Let glibc keep the memory of freed tensors for the next ones; elsewhere do nothing.

    By default it goes back to the system after every operation and is fetched again, zeroed,
    page by page: a tenth of a forward pass.
    """
    import ctypes

    trim_threshold, mmap_threshold = -1, -3  # malloc.h
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(mmap_threshold, 2**30)
    mallopt(trim_threshold, 2**30)
