"""From a folder of weights to a network in memory: precision, device, silence."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dataedge.errors import AuditError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

Precision = Literal["float32", "bfloat16"]


def best_precision() -> Precision:
    """bfloat16 where the processor (or the GPU) multiplies it natively, float32 elsewhere."""
    import torch

    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "float32"
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


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
    where: str, *, revision: str | None, precision: Precision, name: str
) -> tuple[Any, Any]:
    """Read a network and its tokenizer from a folder or a hub id; code from there is never run.

    Args:
        where: a folder, or a hub id.
        revision: commit of a hub id.
        precision: of the weights in memory.
        name: what the user called it, for messages.
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
                dtype=getattr(torch, precision),
                use_safetensors=True,
                trust_remote_code=False,
            )
    except Exception as error:  # broken files fail in as many ways as there are formats
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise AuditError(
            f"{name}: cannot be read as a causal language model: {first}",
            hint="--model needs a folder or hub id of a model with weights and a tokenizer that "
            "transformers reads without code of its own",
            code=ExitCode.USAGE,
        ) from error
    net.eval()
    keep_freed_memory()
    if torch.cuda.is_available():
        return net.to("cuda"), tokenizer
    if precision == "bfloat16":
        multiply_in_bfloat16(net)
    return net, tokenizer


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


def multiply_in_bfloat16(net: Any) -> None:
    """Keep weights and matrix products in bfloat16 and everything between them in float32.

    As fast on a processor as bfloat16 throughout, and closer to float32: summed log-probabilities
    of short labels scatter by 0.08 instead of 0.17 nats, so that the likeliest of 77 stays the
    same (benchmarks/scoring.py).
    """
    import torch

    def lower(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (inputs[0].to(torch.bfloat16), *inputs[1:])

    def raise_(_: Any, __: Any, output: Any) -> Any:
        return output.float()

    matrices = set()
    for module in net.modules():
        own = dict(module.named_parameters(recurse=False))
        if "weight" in own and own["weight"].dim() == 2:
            matrices |= {id(parameter) for parameter in own.values()}
            if not isinstance(module, torch.nn.Embedding):
                module.register_forward_pre_hook(lower)
            module.register_forward_hook(raise_)
    for parameter in net.parameters():
        if id(parameter) not in matrices:
            parameter.data = parameter.data.float()
