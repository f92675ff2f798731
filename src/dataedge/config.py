"""What an audit is asked to do. Flags come before the environment, that before dataedge.toml."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dataedge.errors import AuditError

Dtype = Literal["auto", "float32", "bfloat16"]
if TYPE_CHECKING:
    from collections.abc import Collection

TaskName = Literal["classify", "multilabel", "number", "generate", "corpus"]
Count = Literal["task", "total"]
EngineName = Literal["local", "ray"]


def _whole_above_one(gpus: float) -> float:
    if (gpus > 1 and gpus != int(gpus)) or 0 < gpus < 0.01:
        raise ValueError("Input should be 0, a part of 1 that is 0.01 or more, or a whole number")
    return gpus


Cores = Annotated[float, Field(ge=0.01, le=10_000)]
Gpus = Annotated[float, Field(ge=0, le=1_000), AfterValidator(_whole_above_one)]


TABLES = {"prices": "price_", "ray": "ray_"}
"""Tables of a file, and how the fields begin that their keys fill."""
GATE = "gate"
"""Table of a file with the criteria of `dataedge gate`; no part of an audit's configuration."""


class AuditConfig(BaseModel):
    """Everything a run depends on besides the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    out: str | None = None
    """The audit's directory; audits/<name of the data> if not given."""
    model: str = "embedded"
    """embedded, hf/<hub id or path>, gguf/<path>, openai/<name> at `base_url`."""
    dtype: Dtype = "auto"
    """Precision of weights on this machine; auto is bfloat16 where the processor multiplies it and
    the answers stay close to those in float32."""
    base_url: str | None = None
    """Where an OpenAI-compatible server listens, up to and including /v1."""
    send_to: str | None = None
    """The host that the data's texts may be sent to, where the server is not on this machine."""
    concurrency: int = Field(default=4, ge=1, le=256)
    """Requests to a server that are under way at once."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds after which a request to a server counts as lost; it is tried again five times."""
    price_in: float | None = Field(default=None, ge=0)
    """What a million tokens cost that a server reads, in a currency of your own."""
    price_out: float | None = Field(default=None, ge=0)
    """What a million tokens cost that it writes."""
    price_tuned_in: float | None = Field(default=None, ge=0)
    """What a million tokens cost that a tuned model reads; `price_in` if not given."""
    price_tuned_out: float | None = Field(default=None, ge=0)
    """What a million tokens cost that a tuned model writes; `price_out` if not given."""
    price_tuning: float | None = Field(default=None, ge=0)
    """What the fine-tune costs, once."""
    embedder: str = "embedded"
    """embedded, st/<hub id or path>."""
    probe_items: int = Field(default=400, ge=20, le=100_000)
    """Held-out items that the base model is asked about: a quarter to choose on, the rest to report."""
    probes: str | None = None
    """Directory (or file) with probes of your own: in place of a built-in one of the same name, else
    their templates are tried beside those of their task."""
    limit: int | None = Field(default=None, ge=20)
    """Audit a sample of this many distinct items."""
    seed: int = Field(default=0, ge=0)
    task: TaskName | None = None
    text_column: str | None = None
    label_column: str | None = None
    prompt_column: str | None = None
    response_column: str | None = None
    group_column: str | None = None
    """Rows with the same value are never on two sides of a split, and are drawn together."""
    time_column: str | None = None
    """A number or an ISO date: the latest rows are held out."""
    delta: float = Field(default=0.02, ge=0, le=1)
    """Smallest gain worth having: accuracy, or bits per byte."""
    delta_balanced: float = Field(default=0.05, ge=0, le=1)
    """The same in balanced accuracy, which counts where more than 80 % of the rows have one label."""
    delta_r2: float = Field(default=0.05, ge=0, le=1)
    """The same in R², where the label is a number: 5 % of its variance."""
    target: float | None = Field(default=None, gt=0, le=1)
    """Accuracy to say the examples needed for; δ above the best prompt without data if not given."""
    count: Count = "task"
    """What counts as an edge for prompt and response: the task part, or style with it."""
    pilot: float | None = Field(default=None, ge=0, le=10_000)
    """Fine-tune the base model for at most so many minutes, and judge it on the held-out items. If not
    given, texts have a fine-tune of two minutes at most where the weights are on this machine; 0: none."""
    save_adapter: str | None = None
    """Folder for the adapters of the pilot, as peft reads them."""
    exposure: bool = False
    """Test whether the base model has seen the dataset; some minutes more."""
    control: str | None = None
    """Rows of the same source that the model cannot have seen; implies exposure."""
    engine: EngineName = "local"
    """Where texts are embedded and the base model is asked: in this process, or on a Ray cluster."""
    ray_address: str | None = None
    """Head of the cluster, as `host:port`; the one that `RAY_ADDRESS` names, or a cluster of this machine
    alone, if not given."""
    ray_workers: int | None = Field(default=None, ge=1)
    """Workers at most; as many as there is room for if not given."""
    ray_cpus: Cores = 1.0
    """Cores of a worker that asks the base model, and the threads that it computes with."""
    ray_gpus: Gpus = 0.0
    """Its GPUs; several workers share one where this is a part of 1."""
    ray_embed_cpus: Cores | None = None
    """Cores of a worker that embeds; `ray_cpus` if not given."""
    ray_embed_gpus: Gpus | None = None
    """Its GPUs; `ray_gpus` if not given."""


def make_config(
    passed: dict[str, Any], beside: Path | None = None
) -> tuple[AuditConfig, dict[str, Any]]:
    """Merge flags, environment and file.

    Args:
        passed: flags that were given (None means not given).
        beside: the data's path; dataedge.toml is looked for there.

    Returns:
        The configuration, and what was passed in all (for the report).

    Raises:
        AuditError: unknown key or bad value, naming where it stands.
    """
    merged: dict[str, Any] = {}
    for source, values in (
        *_files(beside),
        ("environment", _environment()),
        ("flags", {k: _path(v) for k, v in passed.items() if v is not None}),
    ):
        values = {k: v for k, v in _without_tables(source, values).items() if k != GATE}
        _check_keys(source, values)
        merged |= values
        try:
            AuditConfig.model_validate(merged)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            shown = f"--{name.replace('_', '-')}" if source == "flags" else f"{source}: {name}"
            raise AuditError(
                f"{shown}: {first['msg']} (got {first['input']!r})", hint=_hint(name)
            ) from error
    return AuditConfig.model_validate(merged), merged


def gate_criteria(beside: Path | None = None) -> list[str]:
    """Criteria of the table `[gate]`, of pyproject.toml and of the dataedge.toml beside the data.

    Raises:
        AuditError: the table has another key, or no list of texts.
    """
    found: list[str] = []
    for source, values in _files(beside):
        table = values.get(GATE, {})
        if not isinstance(table, dict):
            raise AuditError(
                f"{source}: {GATE} is not a table",
                hint="Write [gate] and under it criteria = ['edge.low > 0.02'], or use `dataedge gate`",
            )
        _check_keys(f"{source} [{GATE}]", table, ["criteria"])
        criteria = table.get("criteria", [])
        if not isinstance(criteria, list) or not all(isinstance(c, str) for c in criteria):
            raise AuditError(
                f"{source} [{GATE}]: criteria is not a list of texts",
                hint="Write criteria = ['edge.low > 0.02'], or give them to `dataedge gate`",
            )
        found += criteria
    return found


def _without_tables(source: str, values: dict[str, Any]) -> dict[str, Any]:
    """Keys of a table under the names that flags have: `in` of `[prices]` is price_in, and so on."""
    for name, prefix in TABLES.items():
        table = values.get(name)
        if isinstance(table, dict):
            known = [
                f.removeprefix(prefix) for f in AuditConfig.model_fields if f.startswith(prefix)
            ]
            _check_keys(f"{source} [{name}]", table, known)
            named = {f"{prefix}{key}": value for key, value in table.items()}
            values = {k: v for k, v in values.items() if k != name} | named
    return values


def _path(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _hint(name: str) -> str:
    described = AuditConfig.model_json_schema()["properties"][name]
    kind = next(k for k in described.get("anyOf", [described]) if k.get("type") != "null")
    wanted = " or ".join(kind["enum"]) if "enum" in kind else _WORDS[kind["type"]]
    bounds = [f"{word} {kind[key]:g}" for key, word in _BOUNDS.items() if key in kind]
    return f"Give --{name.replace('_', '-')} {' '.join([wanted, ' '.join(bounds)]).strip()}"


_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
}
_BOUNDS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}


def _check_keys(
    source: str, values: dict[str, Any], known: Collection[str] = AuditConfig.model_fields
) -> None:
    import difflib

    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known keys: {', '.join(known)}"
            raise AuditError(f"{source}: unknown key {key!r}", hint=hint)


def _environment() -> dict[str, Any]:
    prefix = "DATAEDGE_"
    other = {"APART", "CACHE", "DEBUG"}
    found = {k.removeprefix(prefix): v for k, v in os.environ.items() if k.startswith(prefix)}
    return {k.lower(): v for k, v in found.items() if k not in other}


def _files(beside: Path | None) -> list[tuple[str, dict[str, Any]]]:
    found = []
    pyproject = Path("pyproject.toml")
    if pyproject.is_file():
        table = _toml(pyproject).get("tool", {}).get("dataedge", {})
        if table:
            found.append((f"{pyproject} [tool.dataedge]", table))
    if beside is not None:
        folder = beside if beside.is_dir() else beside.parent
        file = folder / "dataedge.toml"
        if file.is_file():
            found.append((str(file), _toml(file)))
    return found


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AuditError(
            f"{file}: not valid TOML ({error})",
            hint="Mend the line that it names, or use flags: `dataedge audit --help`",
        ) from error


def name_of(source: str | Path) -> str:
    """The audit's name for a data path: its last part without the ending."""
    path = Path(source)
    return (path.stem if path.suffix else path.name) or "dataset"
