"""The held-out items as an evaluation suite, with what the base model reaches without the data as the bar.

lm-evaluation-harness (docs/task_guide.md; run with 0.4.13), Inspect (inspect.aisi.org.uk, "Tasks"; 0.3.285)
and promptfoo (promptfoo.dev/docs/configuration; 0.123.1). Each suite measures the audit's own metric on the
same items, or is refused.
"""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dataedge.errors import AuditError
from dataedge.export.held_out import BAR, held_out
from dataedge.files import require_unused, whole_folder
from dataedge.ladder.exact_match import ANSWER_TOKENS, EXACT_MATCH
from dataedge.ladder.units import BALANCED, BITS, LOWER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dataedge.export.held_out import HeldOut
    from dataedge.finished_audit import Audit

ITEMS: Final = "items.jsonl"
BAR_FILE: Final = "bar.json"
SUITES: Final = Path(__file__).parent / "suites"
"""What the files of the suites are made from."""
TEMPLATES: Final = ("{{", "{%", "{#")
"""What promptfoo takes for a template wherever it stands."""
REFERENCES: Final = ("file://", "package:")
"""Beginnings of a text in whose place promptfoo reads or runs a file."""
ANNOTATIONS: Final = "from __future__ import annotations\n"
"""Stands once, at the top of a file."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Suite:
    """One program that runs evaluations.

    Attributes:
        command: that runs it; {out} stands for the folder, {name} for the suite's name.
        rows: items → rows of items.jsonl.
        files: items → file name → content.
    """

    command: str
    rows: Callable[[HeldOut], Iterable[Row]]
    files: Callable[[HeldOut], dict[str, str]]


def write_evaluation(audit: Audit, form: str, out: str | Path) -> str:
    """Write the held-out evaluation items as a suite of another program.

    A folder with `items.jsonl`, the suite's own definition, and `bar.json`: what the rungs without_data,
    prompted, learned and tuned reached on these items, each with its 95 % interval and its unit.

    Args:
        audit: finished; of labels, responses or passages.
        form: lm-eval, inspect or promptfoo.
        out: folder; new or empty.

    Returns:
        A sentence with the bar and the command that runs the suite.

    Raises:
        AuditError: there is no such form, it cannot measure what the audit measured, or the folder is in
            use or cannot be written.
    """
    if form not in SUITES_BY_NAME:
        raise AuditError(
            f"--eval {form}: there is no such form",
            hint=f"Use one of --eval {', --eval '.join(SUITES_BY_NAME)}",
        )
    out = Path(out)
    require_unused(out)
    chosen, items = SUITES_BY_NAME[form], held_out(audit)
    files = chosen.files(items)
    with whole_folder(out) as folder:
        with (folder / ITEMS).open("w", encoding="utf-8") as file:
            file.writelines(
                json.dumps(row, ensure_ascii=False) + "\n" for row in chosen.rows(items)
            )
        bar = json.dumps(items.bar, indent=1, ensure_ascii=False)
        for name, content in {**files, BAR_FILE: bar + "\n"}.items():
            (folder / name).write_text(content, encoding="utf-8")
    value = items.bar["rungs"][BAR]["value"]
    return (
        f"{len(items.questions):,} evaluation items written to {out}; the bar is {value:.3f} {items.unit}; "
        f"run: {chosen.command.format(out=out, name=items.name)}"
    )


# -- lm-evaluation-harness ---------------------------------------------------------------------


def _lm_eval_rows(items: HeldOut) -> Iterable[Row]:
    for q in items.questions:
        row = {"item": q.item, "row": q.row, "prompt": q.prompt, "target": q.target}
        if items.labels:
            yield {**row, "choices": items.choices, "gold": items.labels.index(q.target)}
        elif items.unit == BITS:
            size = len(q.target.encode("utf-8", "replace"))
            yield {**row, "answer": q.answer, "bytes": size}
        else:
            yield {**row, "between": items.between}


def _lm_eval(items: HeldOut) -> dict[str, str]:
    import yaml

    class Reference(str):
        """A function of the Python file beside the YAML file."""

    class Dumper(yaml.SafeDumper):
        """Writes references as the harness reads them."""

    Dumper.add_representer(Reference, lambda d, name: d.represent_scalar("!function", name))
    better = {"higher_is_better": items.unit not in LOWER}
    metrics = [{"metric": "acc", "aggregation": "mean", **better}]
    if items.labels:
        asked: Row = {
            "output_type": "multiple_choice",
            "doc_to_choice": "choices",
            "doc_to_target": "gold",
        }
        if items.unit == BALANCED:
            asked["process_results"] = Reference("metric.of_labels")
            aggregation = Reference("metric.balanced")
            metrics.append({"metric": items.metric, "aggregation": aggregation, **better})
    elif items.unit == BITS:
        asked = {
            "output_type": "loglikelihood",
            "doc_to_target": "answer",
            "process_results": Reference("metric.of_texts"),
        }
        metrics = [{"metric": items.metric, "aggregation": items.metric, **better}]
    else:
        asked = {
            "output_type": "generate_until",
            "doc_to_target": "target",
            "process_results": Reference("metric.of_answers"),
            "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": ANSWER_TOKENS},
        }
        metrics = [{"metric": items.metric, "aggregation": "mean", **better}]
    settings = {
        "task": items.name,
        "custom_dataset": Reference("metric.load"),
        "test_split": "test",
        "doc_to_text": "prompt",
        "target_delimiter": "",
        **asked,
        "metric_list": metrics,
        "metadata": {"version": 1.0, **{rung: figure["value"] for rung, figure in _reached(items)}},
    }
    text = yaml.dump(settings, Dumper=Dumper, sort_keys=False, allow_unicode=True)
    metric = _text("lm_eval.txt")
    if items.unit == EXACT_MATCH:
        metric += "\n\n" + _matching()
    return {f"{items.name}.yaml": _commented(items) + text, "metric.py": metric}


# -- Inspect -----------------------------------------------------------------------------------


def _written_rows(items: HeldOut) -> Iterable[Row]:
    for q in items.questions:
        row = {"item": q.item, "row": q.row, "prompt": q.prompt, "target": q.target}
        yield {**row, "choices": items.labels} if items.labels else row


def _inspect(items: HeldOut) -> dict[str, str]:
    _require_written(items, "inspect", "Inspect")
    seen: dict[str, str] = {}
    for label in items.labels:
        bare = label.casefold().strip(string.whitespace + string.punctuation)
        if bare in seen:
            raise AuditError(
                f"--eval inspect: its scorer `match` takes {label!r} and {seen[bare]!r} for one label",
                hint="Use --eval lm-eval or --eval promptfoo",
            )
        seen[bare] = label
    metrics = "None"
    if items.unit == BALANCED:
        of_labels = 'accuracy(), "target", all="groups", all_label="balanced_acc"'
        metrics = f'[accuracy(), grouped({of_labels}, name_template="label {{group_name}}")]'
    filled = string.Template(_text("inspect.txt")).substitute(
        bar=_commented(items),
        name=items.name,
        instruction=repr(items.instruction),
        between=repr("\n" if items.labels else items.between),
        matching="" if items.labels else f"\n{_matching()}\n\n{_text('inspect_scorer.txt')}",
        parameters="listed: bool = True" if items.labels else "",
        listed="INSTRUCTION if listed else ''" if items.labels else "INSTRUCTION",
        scorer='match(location="exact")' if items.labels else "same_answer()",
        metrics=metrics,
        max_tokens=_max_tokens(items),
    )
    return {"task.py": filled}


# -- promptfoo ---------------------------------------------------------------------------------


def _promptfoo_rows(items: HeldOut) -> Iterable[Row]:
    for q in items.questions:
        row: Row = {
            "vars": {"prompt": q.prompt, "target": q.target},
            "metadata": {"item": q.item, "row": q.row},
        }
        if items.labels:
            metric = {"metric": f"label_{items.labels.index(q.target)}"}
            named = metric if items.unit == BALANCED else {"metric": items.metric}
            row["assert"] = [{"type": "equals", "value": q.target, **named}]
        yield row


def _promptfoo(items: HeldOut) -> dict[str, str]:
    import yaml

    _require_written(items, "promptfoo", "promptfoo")
    for q in items.questions:
        if any(map(_is_template, (items.instruction + q.prompt, q.prompt, q.target))):
            raise AuditError(
                f"--eval promptfoo: row {q.row}, or a label, holds what promptfoo takes for a "
                "template or a file ({{, {%, {# or file://), and the model would be asked something else",
                hint="Use --eval lm-eval or --eval inspect",
            )
    files = {}
    default: Row = {"options": {"transform": r"output.trim().split('\n')[0].trim()"}}
    if not items.labels:
        ending = string.Template(_text("promptfoo.txt")).substitute(between=repr(items.between))
        files["exact_match.py"] = f"{ANNOTATIONS}\n{_matching()}{ending}"
        assertion = {"type": "python", "value": "file://exact_match.py", "metric": items.metric}
        default = {"assert": [assertion]}
    settings: Row = {
        "description": items.name,
        "sharing": False,
        "prompts": [{"id": "bare", "label": "bare", "raw": items.instruction + "{{prompt}}"}],
        "providers": [
            {
                "id": "openai:chat:{{ env.MODEL }}",
                "config": {
                    "apiBaseUrl": "{{ env.BASE_URL }}",
                    "temperature": 0,
                    "max_tokens": _max_tokens(items),
                },
            }
        ],
        "defaultTest": default,
        "tests": f"file://{ITEMS}",
    }
    if items.unit == BALANCED:
        counts = [sum(q.target == label for q in items.questions) for label in items.labels]
        shares = [f"label_{k} / {n}" for k, n in enumerate(counts) if n]
        value = f"({' + '.join(shares)}) / {len(shares)}"
        settings["derivedMetrics"] = [{"name": items.metric, "value": value}]
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    return {"promptfooconfig.yaml": _commented(items) + text, **files}


def _is_template(text: str) -> bool:
    return text.startswith(REFERENCES) or any(mark in text for mark in TEMPLATES)


# -- what they share ---------------------------------------------------------------------------


def _require_written(items: HeldOut, form: str, program: str) -> None:
    """Raise AuditError where the metric needs probabilities of given text."""
    if items.unit == BITS:
        raise AuditError(
            f"--eval {form}: this audit is measured in bits per byte of the given text, and {program} "
            "judges what a model writes; it cannot measure the probability of a text",
            hint="Use --eval lm-eval, which measures bits per byte",
        )


def _max_tokens(items: HeldOut) -> int:
    """Enough for the longest label: a token is a byte at least."""
    return max([ANSWER_TOKENS, *(len(label.encode("utf-8", "replace")) for label in items.labels)])


def _reached(items: HeldOut) -> Iterable[tuple[str, dict[str, Any]]]:
    found: dict[str, dict[str, Any]] = items.bar["rungs"]
    return found.items()


def _commented(items: HeldOut) -> str:
    """The bar as comments."""
    made = f"Made by {items.bar['made_by']}; the metric is {items.metric}."
    return "".join(f"# {line}\n" for line in [made, *items.bar_lines])


def _text(name: str) -> str:
    return (SUITES / name).read_text(encoding="utf-8")


def _matching() -> str:
    """The audit's own comparison of answers, as it stands, for a suite that runs without dataedge."""
    from inspect import getsource

    from dataedge.prompt import answer_match

    return getsource(answer_match).partition(ANNOTATIONS)[2].strip() + "\n"


SUITES_BY_NAME: Final = {
    "lm-eval": Suite(
        "lm_eval --model hf --model_args pretrained=MODEL --include_path {out} --tasks {name}",
        _lm_eval_rows,
        _lm_eval,
    ),
    "inspect": Suite("cd {out} && inspect eval task.py --model MODEL", _written_rows, _inspect),
    "promptfoo": Suite(
        "cd {out} && MODEL=NAME BASE_URL=http://localhost:8000/v1 PROMPTFOO_DISABLE_TELEMETRY=1 "
        "npx promptfoo eval",
        _promptfoo_rows,
        _promptfoo,
    ),
}
"""Programs by name."""
