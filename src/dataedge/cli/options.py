"""Arguments and options that the commands share."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    F = TypeVar("F", bound=Callable[..., None])

Source = Annotated[
    str, typer.Argument(metavar="DATA", help="File or directory with the data, or a hub id.")
]
Directory = Annotated[str, typer.Argument(metavar="AUDIT", help="Directory of a finished audit.")]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write report.json there; - for stdout."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget what the audit's directory holds.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")]

CONFIGURED: Mapping[str, Any] = {
    "out": Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Where to write [audits/<name>].")
    ],
    "model": Annotated[
        str | None,
        typer.Option("--model", help="embedded, hf/<path or id>, gguf/<path>, openai/<name>."),
    ],
    "dtype": Annotated[
        str | None,
        typer.Option(
            "--dtype", help="Precision of local weights: auto, float32 or bfloat16 [auto]."
        ),
    ],
    "base_url": Annotated[
        str | None,
        typer.Option(
            "--base-url", metavar="URL", help="Where an OpenAI-compatible server listens."
        ),
    ],
    "send_to": Annotated[
        str | None,
        typer.Option(
            "--send-to", metavar="HOST", help="Consent to send the data's texts to this host."
        ),
    ],
    "price_in": Annotated[
        float | None,
        typer.Option(
            "--price-in", metavar="P", help="Price of a million tokens read by the server."
        ),
    ],
    "price_out": Annotated[
        float | None,
        typer.Option(
            "--price-out", metavar="P", help="Price of a million tokens written by the server."
        ),
    ],
    "embedder": Annotated[
        str | None, typer.Option("--embedder", help="embedded, st/<path or id>.")
    ],
    "probe_items": Annotated[
        int | None,
        typer.Option(
            "--probe-items", metavar="N", help="Held-out items to ask the model about [400]."
        ),
    ],
    "probes": Annotated[
        str | None,
        typer.Option("--probes", metavar="DIR", help="Probe files of your own."),
    ],
    "limit": Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Audit a sample of N distinct items.")
    ],
    "seed": Annotated[int | None, typer.Option("--seed", help="Seed of every draw [0].")],
    "task": Annotated[str | None, typer.Option("--task", help="classify, generate or corpus.")],
    "text_column": Annotated[
        str | None, typer.Option("--text-column", help="Column with the text.")
    ],
    "label_column": Annotated[
        str | None, typer.Option("--label-column", help="Column with the label.")
    ],
    "prompt_column": Annotated[
        str | None, typer.Option("--prompt-column", help="Column with the prompt.")
    ],
    "response_column": Annotated[
        str | None, typer.Option("--response-column", help="Column with the response.")
    ],
    "group_column": Annotated[
        str | None,
        typer.Option("--group-column", help="Column with the group of a row; none is split."),
    ],
    "time_column": Annotated[
        str | None,
        typer.Option(
            "--time-column", help="Column with a date or number; the latest are held out."
        ),
    ],
    "delta": Annotated[
        float | None, typer.Option("--delta", help="Smallest gain worth having [0.02].")
    ],
    "delta_balanced": Annotated[
        float | None,
        typer.Option(
            "--delta-balanced", help="The same in balanced accuracy, where one label leads [0.05]."
        ),
    ],
    "target": Annotated[
        float | None, typer.Option("--target", help="Accuracy that examples_needed refers to.")
    ],
    "count": Annotated[
        str | None,
        typer.Option("--count", help="What counts: task, or total, style included [task]."),
    ],
    "exposure": Annotated[
        bool | None, typer.Option("--exposure", help="Test whether the model has seen the data.")
    ],
    "control": Annotated[
        str | None,
        typer.Option(
            "--control", metavar="PATH", help="Rows of the same source, unseen by the model."
        ),
    ],
}
"""Options that fill a field of the configuration, in the order of the help."""


def configured(*without: str) -> Callable[[F], F]:
    """Give a command the options of the configuration; it gets them as keyword arguments.

    Args:
        without: fields that the command has no use for.
    """

    def decorate(command: F) -> F:
        own = inspect.signature(command, eval_str=True).parameters.values()
        first, *rest = (p for p in own if p.kind is not inspect.Parameter.VAR_KEYWORD)
        added = [
            inspect.Parameter(name, first.kind, default=None, annotation=kind)
            for name, kind in CONFIGURED.items()
            if name not in without
        ]
        shown = [first, *added, *rest]
        command.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in shown}
        return command

    return decorate
