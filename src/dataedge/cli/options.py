"""Arguments and options that the commands share."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    F = TypeVar("F", bound=Callable[..., None])

Source = Annotated[
    str, typer.Argument(metavar="DATA", help="File or directory with the data, or a hub id.")
]
Directory = Annotated[str, typer.Argument(metavar="AUDIT", help="Directory of a finished audit.")]
Json = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="FILE", help="Write report.json there; to stdout without FILE or with -."
    ),
]
Details = Annotated[bool, typer.Option("--details", help="Every figure behind the first screen.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget what the audit's directory holds.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")]


def _option(name: str, kind: Any, help_: str, metavar: str | None = None) -> Any:
    """The type of an option that fills a field: `--the-name`, None where it is not given."""
    flag = "--" + name.replace("_", "-")
    return Annotated[kind | None, typer.Option(flag, metavar=metavar, help=help_)]


_FIELDS: Sequence[tuple[Any, ...]] = (
    ("out", str, "Where to write [audits/<name>].", "DIR"),
    ("model", str, "embedded, hf/<path or id>, gguf/<path>, openai/<name>."),
    ("dtype", str, "Precision of local weights: auto, float32 or bfloat16 [auto]."),
    ("base_url", str, "Where an OpenAI-compatible server listens.", "URL"),
    ("send_to", str, "Consent to send the data's texts to this host.", "HOST"),
    ("price_in", float, "Price of a million tokens that the model reads.", "P"),
    ("price_out", float, "Price of a million tokens that it writes.", "P"),
    ("price_tuned_in", float, "The same of a tuned model's [price-in].", "P"),
    ("price_tuned_out", float, "Of a million that it writes [price-out].", "P"),
    ("price_tuning", float, "Price of the fine-tune, once.", "P"),
    ("embedder", str, "embedded, st/<path or id>."),
    ("probe_items", int, "Held-out items to ask the model about [400].", "N"),
    ("probes", str, "Probe files of your own.", "DIR"),
    ("limit", int, "Audit a sample of N distinct items.", "N"),
    ("seed", int, "Seed of every draw [0]."),
    ("task", str, "classify, multilabel, number, generate or corpus."),
    ("text_column", str, "Column with the text."),
    ("label_column", str, "Column with the label."),
    ("prompt_column", str, "Column with the prompt."),
    ("response_column", str, "Column with the response."),
    ("group_column", str, "Column with the group of a row; none is split."),
    ("time_column", str, "Column with a date or number; the latest are held out."),
    ("delta", float, "Smallest gain worth having [0.02]."),
    (
        "delta_balanced",
        float,
        "In balanced accuracy: one label leads, or rows have several [0.05].",
    ),
    ("delta_r2", float, "The same in R², where the label is a number [0.05]."),
    ("target", float, "Accuracy that examples_needed refers to."),
    ("count", str, "What counts: task, or total, style included [task]."),
    (
        "pilot",
        float,
        "Fine-tune for so many minutes and measure it [10; texts: 2 unasked]; 0, or --no-pilot: none.",
        "MINUTES",
    ),
    ("save_adapter", str, "Folder for the adapters of --pilot, as peft reads them.", "DIR"),
    ("exposure", bool, "Test whether the model has seen the data."),
    ("control", str, "Rows of the same source, unseen by the model.", "PATH"),
    ("engine", str, "Where to embed and ask: local, or ray for a cluster [local]."),
    ("ray_address", str, "Head of the cluster [one of this machine].", "HOST:PORT"),
    ("ray_workers", int, "Workers at most [as many as there is room for].", "N"),
    ("ray_cpus", float, "Cores of a worker that asks the model [1].", "N"),
    ("ray_gpus", float, "GPUs of one, or a part of a GPU [0].", "N"),
    ("ray_embed_cpus", float, "Cores of a worker that embeds [ray-cpus].", "N"),
    ("ray_embed_gpus", float, "GPUs of one [ray-gpus].", "N"),
)
CONFIGURED: Mapping[str, Any] = {name: _option(name, *rest) for name, *rest in _FIELDS}
"""Options that fill a field of the configuration, in the order of the help."""


PILOT_MINUTES = "10"
JSON_FILE = ("audit", "report")
"""Commands whose `--json` takes a file."""


def completed(arguments: Sequence[str]) -> list[str]:
    """Arguments with what may be left out put in: the minutes behind `--pilot`, stdout behind `--json`.

    `--no-pilot` is no minutes.

    Example:
        >>> completed(["audit", "data", "--pilot", "--quiet"])
        ['audit', 'data', '--pilot', '10', '--quiet']
        >>> completed(["audit", "--pilot", "2.5", "data"])
        ['audit', '--pilot', '2.5', 'data']
        >>> completed(["audit", "--no-pilot", "data"])
        ['audit', '--pilot', '0', 'data']
        >>> completed(["report", "audits/data", "--json"])
        ['report', 'audits/data', '--json', '-']
    """
    found: list[str] = []
    for at, argument in enumerate(arguments):
        if argument == "--no-pilot":
            found += ["--pilot", "0"]
            continue
        found.append(argument)
        behind = arguments[at + 1] if at + 1 < len(arguments) else ""
        if argument == "--pilot" and not behind.replace(".", "", 1).isdigit():
            found.append(PILOT_MINUTES)
        written = argument == "--json" and arguments[0] in JSON_FILE
        if written and (at + 1 == len(arguments) or behind.startswith("--")):
            found.append("-")
    return found


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
