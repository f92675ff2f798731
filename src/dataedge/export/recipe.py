"""The fine-tune that the audit speaks of, for the trainers that people use: data, split and settings.

TRL (`trl sft --config`), axolotl (`axolotl train`) and LLaMA-Factory (`llamafactory-cli train`). The sides
are the audit's: what it learned from, what it chose on, what it judged on. Settings are those of a pilot.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dataedge.errors import AuditError
from dataedge.files import require_unused, whole_folder
from dataedge.models.embedded import path_of
from dataedge.pilot.recipe import WARMUP, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dataedge.finished_audit import Audit

SIDES: Final = {"train": "train", "development": "validation", "evaluation": "test"}
"""Side of the audit → name of its file."""
SETTINGS: Final = "sft.yaml"
DATA: Final = "data"
"""Folder of the rows: a folder with a name is what `datasets.load_dataset` takes."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """One trainer.

    Attributes:
        command: that runs it, in the folder.
        answer: a prompt, its answer, whether the model has a chat template → a row.
        text: a passage → a row.
        settings: base model, whether rows are passages, recipe, train rows → file name → content.
    """

    command: str
    answer: Callable[[str, str, bool], Row]
    text: Callable[[str], Row]
    settings: Callable[[str, bool, Recipe, int], dict[str, Any]]


def write_recipe(audit: Audit, form: str, out: Path) -> str:
    """Write data and settings of a fine-tune.

    Args:
        audit: finished.
        form: trl, axolotl or llama-factory.
        out: folder; new or empty.

    Returns:
        A sentence with the command that runs it.

    Raises:
        AuditError: there is no such form, or the folder is in use or cannot be written.
    """
    if form not in FORMS:
        raise AuditError(
            f"--recipe {form}: there is no such form",
            hint=f"Use one of --recipe {', --recipe '.join(FORMS)}",
        )
    require_unused(out)
    chosen, corpus = FORMS[form], audit.report.dataset.task == "corpus"
    talks = bool(audit.report.model.capabilities.get("chat"))
    query = "select side, texts, target from items where target is not null order by item"
    rows: dict[str, list[Row]] = {name: [] for name in SIDES.values()}
    for side, texts, target in audit.sql(query).fetchall():
        if side not in SIDES:
            continue
        whole = "".join(texts) + target
        row = chosen.text(whole) if corpus else chosen.answer("\n".join(texts), target, talks)
        rows[SIDES[side]].append(row)
    settings = chosen.settings(base_model(audit), corpus, Recipe(), len(rows["train"]))
    with whole_folder(out) as folder:
        (folder / DATA).mkdir()
        for name, side_rows in rows.items():
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in side_rows)
            (folder / DATA / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        for name, content in settings.items():
            (folder / name).write_text(_text(name, content), encoding="utf-8")
    sizes = ", ".join(f"{len(side_rows):,} {name}" for name, side_rows in rows.items())
    return f"{sizes} rows and {SETTINGS} written to {out}; run: cd {out} && {chosen.command}"


def base_model(audit: Audit) -> str:
    """The base model as a trainer names it: on the hub, or where it lies."""
    return path_of(str(audit.report.config.effective.get("model") or "embedded"))


def _text(name: str, content: Any) -> str:
    import yaml

    if name.endswith(".json"):
        return json.dumps(content, indent=2) + "\n"
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _messages(prompt: str, answer: str, _: bool) -> Row:
    turns = ("user", prompt), ("assistant", answer)
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def _prompt_and_completion(prompt: str, answer: str, talks: bool) -> Row:
    if not talks:
        return {"prompt": f"{prompt}\n", "completion": answer}
    return {
        "prompt": [{"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": answer}],
    }


def _trl(model: str, corpus: bool, recipe: Recipe, rows: int) -> dict[str, Any]:
    settings = {
        "model_name_or_path": model,
        "dataset_name": DATA,
        "dataset_train_split": "train",
        "dataset_test_split": "validation",
        "use_peft": True,
        "lora_r": recipe.rank,
        "lora_alpha": recipe.alpha,
        "lora_target_modules": "all-linear",
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": WARMUP,
        "num_train_epochs": recipe.passes(rows),
        "per_device_train_batch_size": recipe.batch,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "load_best_model_at_end": True,
        "output_dir": "tuned",
        "report_to": "none",
    }
    return {SETTINGS: settings if corpus else {**settings, "completion_only_loss": True}}


def _axolotl(model: str, corpus: bool, recipe: Recipe, rows: int) -> dict[str, Any]:
    kind = {"type": "completion", "field": "text"} if corpus else {"type": "chat_template"}
    data = {"ds_type": "json", **kind}
    return {
        SETTINGS: {
            "base_model": model,
            "datasets": [{"path": f"{DATA}/train.jsonl", **data}],
            "test_datasets": [{"path": f"{DATA}/validation.jsonl", "split": "train", **data}],
            "adapter": "lora",
            "lora_r": recipe.rank,
            "lora_alpha": recipe.alpha,
            "lora_target_linear": True,
            "train_on_inputs": False,
            "sequence_len": 2048,
            "learning_rate": recipe.learning_rate,
            "lr_scheduler": "linear",
            "optimizer": "adamw_torch",
            "warmup_ratio": WARMUP,
            "num_epochs": recipe.passes(rows),
            "micro_batch_size": recipe.batch,
            "gradient_accumulation_steps": 1,
            "evals_per_epoch": 1,
            "saves_per_epoch": 1,
            "load_best_model_at_end": True,
            "output_dir": "tuned",
        }
    }


def _llama_factory(model: str, corpus: bool, recipe: Recipe, rows: int) -> dict[str, Any]:
    tags = {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
    }
    chat = {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags}
    form = {"columns": {"prompt": "text"}} if corpus else chat
    return {
        f"{DATA}/dataset_info.json": {
            name: {"file_name": f"{name}.jsonl", **form} for name in SIDES.values()
        },
        SETTINGS: {
            "model_name_or_path": model,
            "stage": "pt" if corpus else "sft",
            "do_train": True,
            "finetuning_type": "lora",
            "lora_rank": recipe.rank,
            "lora_alpha": recipe.alpha,
            "lora_target": "all",
            "dataset_dir": DATA,
            "dataset": "train",
            "eval_dataset": "validation",
            "template": "default",
            "cutoff_len": 2048,
            "learning_rate": recipe.learning_rate,
            "lr_scheduler_type": "linear",
            "warmup_ratio": WARMUP,
            "num_train_epochs": float(recipe.passes(rows)),
            "per_device_train_batch_size": recipe.batch,
            "eval_strategy": "epoch",
            "save_strategy": "epoch",
            "load_best_model_at_end": True,
            "output_dir": "tuned",
        },
    }


FORMS: Final = {
    "trl": Form(
        f"trl sft --config {SETTINGS}", _prompt_and_completion, lambda t: {"text": t}, _trl
    ),
    "axolotl": Form(f"axolotl train {SETTINGS}", _messages, lambda t: {"text": t}, _axolotl),
    "llama-factory": Form(
        f"llamafactory-cli train {SETTINGS}", _messages, lambda t: {"text": t}, _llama_factory
    ),
}
"""Trainers by name."""
