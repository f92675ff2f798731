"""Arguments and options that the commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Source = Annotated[
    str, typer.Argument(metavar="DATA", help="File or directory with the data, or a hub id.")
]
Directory = Annotated[str, typer.Argument(metavar="AUDIT", help="Directory of a finished audit.")]
Out = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="Where to write [audits/<name>].")
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="embedded, hf/<path or id>, gguf/<path>, openai/<name>."),
]
Dtype = Annotated[
    str | None,
    typer.Option("--dtype", help="Precision of local weights: auto, float32 or bfloat16 [auto]."),
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="Where an OpenAI-compatible server listens."),
]
SendTo = Annotated[
    str | None,
    typer.Option(
        "--send-to", metavar="HOST", help="Consent to send the data's texts to this host."
    ),
]
PriceIn = Annotated[
    float | None,
    typer.Option("--price-in", metavar="P", help="Price of a million tokens that a server reads."),
]
PriceOut = Annotated[
    float | None,
    typer.Option("--price-out", metavar="P", help="Price of a million tokens that it writes."),
]
Embedder = Annotated[str | None, typer.Option("--embedder", help="embedded, st/<path or id>.")]
ProbeItems = Annotated[
    int | None,
    typer.Option("--probe-items", metavar="N", help="Held-out items to ask about [400]."),
]
Probes = Annotated[
    str | None,
    typer.Option("--probes", metavar="DIR", help="Your own ways to ask: probe files, added."),
]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", help="Audit a sample of N distinct items.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of every draw [0].")]
Task = Annotated[str | None, typer.Option("--task", help="classify, generate or corpus.")]
TextColumn = Annotated[str | None, typer.Option("--text-column", help="Column with the text.")]
LabelColumn = Annotated[str | None, typer.Option("--label-column", help="Column with the label.")]
PromptColumn = Annotated[
    str | None, typer.Option("--prompt-column", help="Column with the prompt.")
]
ResponseColumn = Annotated[
    str | None, typer.Option("--response-column", help="Column with the response.")
]
Delta = Annotated[float | None, typer.Option("--delta", help="Smallest gain worth having [0.02].")]
Target = Annotated[
    float | None, typer.Option("--target", help="Accuracy to say the examples needed for.")
]
Count = Annotated[
    str | None, typer.Option("--count", help="task, or total: style counts as well [task].")
]
Exposure = Annotated[
    bool | None, typer.Option("--exposure", help="Test whether the model has seen the data.")
]
Control = Annotated[
    str | None,
    typer.Option("--control", metavar="PATH", help="Rows of the same source it has not seen."),
]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write report.json there; - for stdout."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget what the audit's directory holds.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")]
