"""The report: built once, rendered by everything else, printed as JSON Schema by `dataedge schema`."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION: Final = 2


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class FigureModel(_Part):
    """A measured value with its interval, or the reason why there is none."""

    value: float | None
    """Finite, or null where it could not be measured."""
    low: float | None
    """Lower end of the 95 % interval."""
    high: float | None
    """Upper end."""
    n: int
    """Items it rests on."""
    unit: str
    """accuracy, R², bits/byte, share …"""
    status: Literal["ok", "skipped", "underpowered", "refused", "failed"]
    """ok, or why there is no value that could be used."""
    reason: str
    """A sentence where the status is not ok."""
    detail: dict[str, Any] = Field(default_factory=dict)
    """Figures behind the figure."""


class RungModel(FigureModel):
    """One rung of the ladder."""

    rung: str
    """chance, zero_shot, few_shot, without_data, retrieved, prompted, learned, tuned, tuned_all, with_data,
    repaired, more_data."""


class CarriedModel(_Part):
    """What an interval carries: shares of its variance, 1 in all."""

    items: float
    """Which items were evaluated on."""
    train_side: float
    """Which items were learned from."""
    development: float
    """Which items weighted prompts and learner."""
    prompts: float
    """Which prompts, and which demonstrations in them."""
    refits: int
    """Fits that the last three were told from; 0 where the items alone were looked at."""
    fine_tune: float = 0.0
    """How far fine-tunes fall from what is predicted of them; 0 in the interval of a measurement."""
    sentence: str
    """The same in words."""


class EndsModel(_Part):
    """Of a 95 % interval."""

    low: float | None
    high: float | None


class EdgeModel(_Part):
    """What the data adds, or what tuning adds."""

    value: float | None
    """In `unit`; higher is better, also for bits per byte (bits saved)."""
    low: float | None
    """Of a fine-tune, where it is predicted and real fine-tunes of such data were compared with what was
    predicted of them; otherwise of the measurement."""
    high: float | None
    unit: str
    n: int
    """Evaluation items."""
    basis: Literal["estimated", "measured"]
    """Estimated by the proxy learner, by a pilot on a part of the rows, or by both weighed; or measured by
    a pilot fine-tune."""
    measurement: EndsModel | None = None
    """The interval of the measurement alone; null where that is `low` and `high`, where a pilot on a part of
    the rows was weighed in (the rung `tuned` has what was measured), and in reports of versions that had no
    other."""
    carries: CarriedModel | None = None
    """What the interval carries; null in reports of versions whose intervals carried the evaluation
    items alone."""
    parts: dict[str, FigureModel] = Field(default_factory=dict)
    """For text: total, task and style (of responses), and what n-grams have of it; to classify, the same
    in the other unit: balanced accuracy, or accuracy where balanced accuracy is the headline; for numbers,
    what the mean absolute error falls by, in the label's own unit."""


class VerdictModel(_Part):
    """The conclusion."""

    label: Literal["edge", "no_edge", "inconclusive"]
    limited_by: Literal["novelty", "volume", "label_quality", "definedness", "unexplained"] | None
    """The largest recoverable gain that is surely above δ; `unexplained` where much is left to gain and
    none of them is; null where little is left."""
    advice: Literal[
        "fine_tune",
        "prompt",
        "retrieve",
        "fix_labels",
        "pilot",
        "measure_more",
        "collect_more",
        "stop",
    ]
    """The next step; docs/advice.md has the table that it is read from."""
    flag: str = ""
    """The flag that the advice names, `--probe-items 800`; empty for none."""
    why: list[str]
    """Sentences; the first is the verdict in one line."""
    limits: dict[str, FigureModel] = Field(default_factory=dict)
    """Recoverable gain per limit in the edge's unit, and what is left `unexplained`; empty in reports
    of versions that compared other quantities."""


class TermModel(_Part):
    """One of the four terms of the claim that fine-tuning on this data would pay."""

    id: Literal["new", "enough", "clean", "defined"]
    name: str
    """new to the model, enough of it, clean, well defined."""
    answer: Literal["yes", "partly", "no", "unknown"]
    sentence: str
    """What was found."""
    of: str
    """What the figure is."""
    figure: FigureModel
    """What the answer rests on."""
    beside: str = ""
    """What else was found, which the figure does not count."""


class ReasonModel(_Part):
    """One of the four reasons to fine-tune."""

    id: str
    answer: Literal["supported", "not_supported", "unknown"]
    why: str
    evidence: dict[str, Any]


class ExposureModel(FigureModel):
    """A test of whether the base model has seen the dataset; `value` is its p-value."""

    test: Literal["random_field", "order", "control_set"]
    power: float | None
    """Chance of p < .01 with these n, at the effect in `detail.power_at_auroc`."""


class ToolModel(_Part):
    """What made the report."""

    name: str
    version: str


class DatasetModel(_Part):
    """What was audited."""

    path: str
    fingerprint: str
    """Hash of the content, independent of file names and row order."""
    rows: int
    unique: int
    task: Literal["classify", "multilabel", "number", "generate", "corpus"]
    columns: dict[str, Any]
    """Role → column name(s)."""
    splits: dict[str, Any]
    """Items per side, where the split came from, leaked items."""
    notes: list[str] = Field(default_factory=list)
    """Files and rows left out, and why."""


class UsageModel(_Part):
    """What a server was asked over all runs into this store, by its own count."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    uncounted: int
    """Answers that came without a count of tokens."""
    cost: float | None
    """At the prices given; null without."""


class ModelModel(_Part):
    """The base model that was asked."""

    id: str
    revision: str
    precision: str = ""
    """float32 or bfloat16 for weights on this machine; empty for a server's."""
    capabilities: dict[str, Any]
    usage: UsageModel | None = None
    """Null for a model on this machine."""
    notes: list[str] = Field(default_factory=list)
    """Prompts that did not fit its context, per rung."""


class EmbedderModel(_Part):
    """What made the vectors."""

    id: str
    revision: str
    notes: list[str] = Field(default_factory=list)
    """Whether it came from elsewhere than expected."""


class ConfigModel(_Part):
    """What was asked for, and what it came to."""

    passed: dict[str, Any]
    effective: dict[str, Any]


class StageModel(_Part):
    """What a stage did over all runs into this store."""

    name: str
    done: int
    """Units with a result."""
    failed: int
    """Units the model or embedder failed on."""
    pending: int
    seconds: float
    """In this run; of read, prepare, tables, prove_model, conclude and measure what is in no other stage."""


class Report(_Part):
    """report.json, version 2; one of version 1 opens as one of version 2."""

    schema_version: Literal[2] = SCHEMA_VERSION
    status: Literal["ok", "partial"]
    """partial: some units failed; the figures rest on the others."""
    tool: ToolModel
    created: str
    """UTC, ISO 8601."""
    seconds: float
    """Wall time of this run."""
    dataset: DatasetModel
    model: ModelModel
    embedder: EmbedderModel
    config: ConfigModel
    stages: list[StageModel]
    edge: EdgeModel
    tuning_gain: EdgeModel
    verdict: VerdictModel
    terms: list[TermModel] = Field(default_factory=list)
    """The four terms of the claim; empty in reports of versions that did not answer them."""
    ladder: list[RungModel]
    measures: dict[str, FigureModel]
    """By name, as `dataedge measures` lists them."""
    reasons: list[ReasonModel]
    exposure: list[ExposureModel] = Field(default_factory=list)
    """Empty unless asked for. About the dataset as a whole: no row is said to have been seen."""
    views: dict[str, list[str]]
    """View → ids of at most 50 items, most telling first."""
    store: str
    """Where the store is, relative to the report."""
    run: str = Field(default="", pattern=r"^[0-9a-z_]{0,40}$")
    """The run whose items and findings this is; empty before runs had ids."""

    @model_validator(mode="before")
    @classmethod
    def _from_version_1(cls, data: Any) -> Any:
        """What version 2 added has defaults: terms, limits, flag, run, exposure, precision, usage, notes."""
        if isinstance(data, dict) and data.get("schema_version") == 1:
            return {**data, "schema_version": SCHEMA_VERSION}
        return data


TIMINGS = ("created", "seconds", "minutes", "run")
"""Fields that differ between two runs of the same audit, at any depth."""


def without_timings(value: Any) -> Any:
    """A report (as plain data) without what depends on the clock or on what was already stored.

    Example:
        >>> without_timings({"seconds": 3.0, "n": [{"created": "now", "k": 1}]})
        {'n': [{'k': 1}]}
    """
    if isinstance(value, dict):
        return {k: without_timings(v) for k, v in value.items() if k not in TIMINGS}
    if isinstance(value, list):
        return [without_timings(v) for v in value]
    return value
