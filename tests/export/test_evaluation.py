"""`dataedge export --eval`: the written suites, run by the programs that they are for."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import dataedge
from dataedge.errors import AuditError
from dataedge.export.evaluation import BAR_FILE, ITEMS, SUITES_BY_NAME, write_evaluation
from dataedge.export.held_out import HeldOut, held_out
from dataedge.ladder.exact_match import EXACT_MATCH
from dataedge.ladder.units import BALANCED, BITS
from tests.words import PLACES, THINGS


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def in_unit(audit: dataedge.Audit, unit: str) -> dataedge.Audit:
    """The same audit as if its ladder were in another unit."""
    ladder = [rung.model_copy(update={"unit": unit}) for rung in audit.report.ladder]
    return dataedge.Audit(audit.directory, audit.report.model_copy(update={"ladder": ladder}))


def as_task(audit: dataedge.Audit, task: str) -> dataedge.Audit:
    dataset = audit.report.dataset.model_copy(update={"task": task})
    return dataedge.Audit(audit.directory, audit.report.model_copy(update={"dataset": dataset}))


@pytest.fixture(scope="module")
def text_audit(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> dataedge.Audit:
    """Of 80 prompts with short responses."""
    rng = random.Random(0)
    made = []
    for i in range(80):
        thing, place = rng.choice(THINGS), rng.choice(PLACES)
        said = "north of the river" if place in PLACES[:5] else "south of the sea"
        made.append({"prompt": f"where did {thing} {i} come from, {place}?", "response": said})
    path = tmp_path_factory.mktemp("data") / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    out = str(tmp_path_factory.mktemp("audits") / "answers")
    return dataedge.audit(path, out=out, model=tiny_model, probe_items=32, pilot=0)


@pytest.mark.parametrize("form", SUITES_BY_NAME)
def test_a_suite_holds_the_evaluation_items_and_the_bar(
    form: str, small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    out = tmp_path / "suite"
    said = write_evaluation(small_audit, form, out)
    query = "select item, target from items where side = 'evaluation'"
    wanted = dict(small_audit.sql(query).fetchall())
    found = rows(out / ITEMS)
    if form == "promptfoo":
        found = [{**row["vars"], **row["metadata"]} for row in found]
    assert {row["item"]: row["target"] for row in found} == wanted
    assert all(row["prompt"].endswith("\nLabel:") for row in found)
    bar = json.loads((out / BAR_FILE).read_text())
    without = small_audit.ladder.loc["without_data"]
    assert bar["rungs"]["without_data"]["value"] == without["value"]
    assert [*bar["rungs"]] == ["without_data", "prompted", "learned"]
    assert {"low", "high", "unit", "n"} <= bar["rungs"]["learned"].keys()
    assert f"the bar is {without['value']:.3f} accuracy" in said
    definition = next(p for p in out.iterdir() if p.name not in (ITEMS, BAR_FILE, "metric.py"))
    assert f"#   without_data: {without['value']:.4f} [" in definition.read_text()
    with pytest.raises(AuditError, match="nothing is overwritten"):
        write_evaluation(small_audit, form, out)


def test_the_command_writes_one_thing_at_a_time(
    small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "dataedge", "export", str(small_audit.directory)]
    out = tmp_path / "suite"
    both = subprocess.run(
        [*command, "--eval", "inspect", "--clean"], capture_output=True, text=True
    )
    assert both.returncode == 2
    assert "one thing is exported at a time" in both.stderr
    done = subprocess.run(
        [*command, "--eval", "inspect", "--out", str(out)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"run: cd {out} && inspect eval task.py" in done.stdout
    assert {p.name for p in out.iterdir()} == {ITEMS, BAR_FILE, "task.py"}


def test_what_cannot_be_measured_is_refused(
    small_audit: dataedge.Audit, text_audit: dataedge.Audit, tmp_path: Path
) -> None:
    out = tmp_path / "suite"
    with pytest.raises(AuditError, match="no such form"):
        write_evaluation(small_audit, "mine", out)
    for form, program in (("inspect", "Inspect"), ("promptfoo", "promptfoo")):
        with pytest.raises(AuditError, match=f"bits per byte of the given text, and {program}"):
            write_evaluation(text_audit, form, out)
    for task, what in (("number", "numbers"), ("multilabel", "several labels per row")):
        with pytest.raises(AuditError, match=f"suite of {what} is not written"):
            write_evaluation(as_task(small_audit, task), "lm-eval", out)
    ladder = [r for r in small_audit.report.ladder if r.rung != "without_data"]
    report = small_audit.report.model_copy(update={"ladder": ladder})
    with pytest.raises(AuditError, match="no bar"):
        write_evaluation(dataedge.Audit(small_audit.directory, report), "lm-eval", out)
    assert not out.exists()


@pytest.mark.parametrize("label", ["file://x.js", "a{{b}}", "{% c %}", "{# d #}"])
def test_promptfoo_gets_no_template_out_of_the_data(
    label: str, tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_audit: Any
) -> None:
    """Such a text would be rendered, or a file be read or run in its place."""
    import dataclasses

    from dataedge.export import evaluation

    def with_label(audit: dataedge.Audit) -> HeldOut:
        found = held_out(audit)
        first = dataclasses.replace(found.questions[0], target=label)
        return dataclasses.replace(found, questions=(first, *found.questions[1:]))

    monkeypatch.setattr(evaluation, "held_out", with_label)
    with pytest.raises(AuditError, match="takes for a template or a file"):
        write_evaluation(small_audit, "promptfoo", tmp_path / "suite")


def test_promptfoo_compares_the_first_line_and_averages_over_labels(
    small_audit: dataedge.Audit, text_audit: dataedge.Audit, tmp_path: Path
) -> None:
    write_evaluation(in_unit(small_audit, BALANCED), "promptfoo", tmp_path / "a")
    settings = yaml.safe_load((tmp_path / "a" / "promptfooconfig.yaml").read_text())
    counts = [0, 0]
    for row in rows(tmp_path / "a" / ITEMS):
        (check,) = row["assert"]
        assert (check["type"], check["value"]) == ("equals", row["vars"]["target"])
        assert check["metric"] == f"label_{['cold', 'warm'].index(check['value'])}"
        counts[check["metric"] == "label_1"] += 1
    (derived,) = settings["derivedMetrics"]
    assert derived["value"] == f"(label_0 / {counts[0]} + label_1 / {counts[1]}) / 2"
    assert "cold, warm" in settings["prompts"][0]["raw"]
    assert settings["sharing"] is False

    write_evaluation(in_unit(text_audit, EXACT_MATCH), "promptfoo", tmp_path / "b")
    scope: dict[str, Any] = {}
    code = (tmp_path / "b" / "exact_match.py").read_text()
    exec(compile(code, "exact_match.py", "exec", dont_inherit=True), scope)
    context = {"vars": {"target": "South of the sea."}}
    assert scope["get_assert"](" the south of sea\n\nand more", context)
    assert not scope["get_assert"]("north\n\nsouth of the sea", context)


def continuation_logprob(net: Any, tokenizer: Any, prompt: str, continuation: str) -> float:
    """Nats of a continuation, straight from the network."""
    import torch

    before = tokenizer(prompt, add_special_tokens=False).input_ids
    whole = tokenizer(prompt + continuation, add_special_tokens=False).input_ids
    with torch.no_grad():
        logits = net(torch.tensor([whole])).logits[0].double().log_softmax(-1)
    behind = range(len(before), len(whole))
    return float(sum(logits[at - 1, whole[at]] for at in behind))


@pytest.fixture(scope="module")
def network(tiny_model: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = tiny_model.removeprefix("hf/")
    return (
        AutoModelForCausalLM.from_pretrained(path, dtype="float32").eval(),
        AutoTokenizer.from_pretrained(path),
    )


def run_harness(out: Path, tiny_model: str) -> dict[str, Any]:
    """What the harness itself says of the only task in a folder."""
    pytest.importorskip("lm_eval", reason="lm-eval is not installed (the extra `bench`)")
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    (name,) = (p.stem for p in out.glob("*.yaml"))
    done = simple_evaluate(
        model="hf",
        model_args={"pretrained": tiny_model.removeprefix("hf/"), "dtype": "float32"},
        tasks=[name],
        task_manager=TaskManager(include_path=str(out), include_defaults=False),
        batch_size=8,
        device="cpu",
        bootstrap_iters=0,
    )
    assert done["n-samples"][name]["effective"] == len(rows(out / ITEMS))
    assert "without_data" in done["configs"][name]["metadata"]
    found: dict[str, Any] = done["results"][name]
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("unit", ["accuracy", BALANCED])
def test_the_harness_finds_the_accuracy_of_the_model(
    unit: str, small_audit: dataedge.Audit, tiny_model: str, network: Any, tmp_path: Path
) -> None:
    """Exactly: the same answers are right."""
    write_evaluation(in_unit(small_audit, unit), "lm-eval", tmp_path / "suite")
    found = run_harness(tmp_path / "suite", tiny_model)
    hits: dict[int, list[float]] = {}
    for row in rows(tmp_path / "suite" / ITEMS):
        scores = [continuation_logprob(*network, row["prompt"], c) for c in row["choices"]]
        hits.setdefault(row["gold"], []).append(float(np.argmax(scores) == row["gold"]))
    assert found["acc,none"] == pytest.approx(
        np.mean([h for of in hits.values() for h in of]), abs=1e-12
    )
    if unit == BALANCED:
        mean = np.mean([np.mean(of) for of in hits.values()])
        assert found["balanced_acc,none"] == pytest.approx(mean, abs=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", ["generate", "corpus"])
def test_the_harness_finds_the_bits_of_the_model(
    task: str, text_audit: dataedge.Audit, tiny_model: str, network: Any, tmp_path: Path
) -> None:
    """Within 1e-4 bits per byte: batches of float32 differ from single rows in the last digits."""
    audit = as_task(text_audit, task)
    assert held_out(audit).unit == BITS
    write_evaluation(audit, "lm-eval", tmp_path / "suite")
    found = run_harness(tmp_path / "suite", tiny_model)
    asked = rows(tmp_path / "suite" / ITEMS)
    nats = sum(continuation_logprob(*network, row["prompt"], row["answer"]) for row in asked)
    size = sum(len(row["target"].encode()) for row in asked)
    assert found["bits_per_byte,none"] == pytest.approx(-nats / np.log(2) / size, abs=1e-4)
    zero_shot = audit.ladder.loc["zero_shot"]
    if task == "generate":  # this audit chose the bare prompt for its rung, and found the same
        assert zero_shot["how"] == "plain/given/zero-shot"
        assert found["bits_per_byte,none"] == pytest.approx(zero_shot["value"], abs=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_the_harness_finds_the_exact_matches_of_the_model(
    text_audit: dataedge.Audit, tiny_model: str, network: Any, tmp_path: Path
) -> None:
    write_evaluation(in_unit(text_audit, EXACT_MATCH), "lm-eval", tmp_path / "suite")
    asked = tmp_path / "suite" / ITEMS
    # what this model writes matches nothing: half of the targets become what it does write
    net, tokenizer = network
    made = rows(asked)
    for row in made[::2]:
        ids = tokenizer(row["prompt"], add_special_tokens=False, return_tensors="pt")
        written = net.generate(**ids, max_new_tokens=32, do_sample=False, pad_token_id=0)
        text = tokenizer.decode(written[0, ids.input_ids.shape[1] :], skip_special_tokens=True)
        row["target"] = text.strip().split(row["between"])[0]
    asked.write_text("".join(json.dumps(row) + "\n" for row in made))
    found = run_harness(tmp_path / "suite", tiny_model)
    assert found["exact_match,none"] == pytest.approx(len(made[::2]) / len(made), abs=1e-12)


ASK = """
import json, sys
from inspect_ai import eval as run
from inspect_ai.model import ModelOutput, ModelUsage, get_model

said, count, arguments, logs = json.loads(sys.argv[1])
outputs = [ModelOutput.from_content("mockllm/model", said) for _ in range(count)]
for output in outputs:
    output.usage = ModelUsage()  # left to itself, the mock counts with a tokenizer from the net
model = get_model("mockllm/model", custom_outputs=outputs)
(log,) = run("task.py", model=model, task_args=arguments, log_dir=logs, display="none")
assert log.status == "success", log.error
metrics = {name: found.value for name, found in log.results.scores[0].metrics.items()}
print(json.dumps([metrics, {sample.id: sample.input for sample in log.samples}]))
"""
"""Has a model say the same of every item, in a process of its own: Inspect leaves streams open."""


def run_inspect(
    out: Path, said: str, logs: Path, **arguments: Any
) -> tuple[dict[str, float], dict[str, str]]:
    """Metrics of a task to which the model always answers so, and what it was asked by item."""
    pytest.importorskip("inspect_ai", reason="inspect-ai is not installed (the extra `inspect`)")
    given = json.dumps([said, len(rows(out / ITEMS)), arguments, str(logs)])
    done = subprocess.run(
        [sys.executable, "-c", ASK, given], cwd=out, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    metrics, asked = json.loads(done.stdout.splitlines()[-1])
    return metrics, asked


@pytest.mark.filterwarnings("ignore")
def test_inspect_counts_the_labels_that_are_right(
    small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    out = tmp_path / "suite"
    write_evaluation(in_unit(small_audit, BALANCED), "inspect", out)
    prompts = {row["item"]: row["prompt"] for row in rows(out / ITEMS)}
    share = np.mean([row["target"] == "cold" for row in rows(out / ITEMS)])
    metrics, asked = run_inspect(out, " Cold.\nand more", tmp_path / "logs")
    assert metrics["accuracy"] == pytest.approx(share, abs=1e-12)
    assert metrics["balanced_acc"] == pytest.approx(0.5, abs=1e-12)
    instruction = "Give the text exactly one of these labels: cold, warm. "
    assert all(said.startswith(instruction) for said in asked.values())
    assert all(said.endswith(prompts[item]) for item, said in asked.items())
    _, bare = run_inspect(out, "cold", tmp_path / "bare", listed=False)
    assert bare == prompts


@pytest.mark.filterwarnings("ignore")
def test_inspect_compares_answers_as_the_audit_does(
    text_audit: dataedge.Audit, tmp_path: Path
) -> None:
    out = tmp_path / "suite"
    write_evaluation(in_unit(text_audit, EXACT_MATCH), "inspect", out)
    said = "North of river!\n\nQuestion: what else?"
    metrics, _ = run_inspect(out, said, tmp_path / "logs")
    share = np.mean([row["target"] == "north of the river" for row in rows(out / ITEMS)])
    assert 0 < share < 1
    assert metrics["accuracy"] == pytest.approx(share, abs=1e-12)
