"""Choices scored per second, side by side with the HF back end of lm-evaluation-harness.

    pip install '.[bench]'
    python benchmarks/scoring.py --out benchmarks/results/scoring.json     # about an hour, two cores
    python benchmarks/scoring.py --quick                                   # under ten minutes

Both get the same strings: a prompt over a question of banking77 that starts with
`<|endoftext|>` (so that neither adds a start of its own) and 77 labels, each with a space in front.
Both run SmolLM2-135M-Instruct in the same precision in the same process. The peer groups requests
that differ in their last token only (its default), computes its softmax in float32 as we do, and
uses the fastest of the batch sizes tried. Its cost per item is constant, so it is timed on fewer
items than we are; the log-probabilities are compared on all that it scored.

The ceiling is the same network's plain causal forward pass, body and head, over as many tokens in
equally shaped batches without padding, run in turns with ours.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# This folder holds a profile.py, which must not stand in for the standard library's.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]

import numpy as np

from dataedge.models import embedded, open_model

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "banking77"
START = "<|endoftext|>"
NEEDED = {"zero_shot": 8.0, "few_shot": 40.0}
GOAL = 0.8
MEMORY = 2**30
PRECISIONS = ("float32", "bfloat16")


def questions(count: int, demonstrations: int) -> tuple[list[str], list[str]]:
    """Prompts over test questions, and the labels."""
    with (DATA / "test.csv").open(newline="") as file:
        asked = [row["text"] for row in csv.DictReader(file)]
    with (DATA / "train.csv").open(newline="") as file:
        shown = [(row["text"], humanise(row["category"])) for row in csv.DictReader(file)]
    labels = sorted({label for _, label in shown})
    picker = random.Random(0)
    picker.shuffle(asked)
    examples = picker.sample(shown, demonstrations)
    head = START + "".join(f"Customer: {text}\nTopic: {label}\n\n" for text, label in examples)
    return [f"{head}Customer: {text}\nTopic:" for text in asked[:count]], [f" {k}" for k in labels]


def humanise(label: str) -> str:
    return label.replace("_", " ").replace("?", "").lower()


def ours(model: Any, prompts: list[str], labels: list[str]) -> tuple[float, np.ndarray]:
    """Seconds per item, and the sums."""
    begin = time.perf_counter()
    sums = model.score_choices(prompts, labels)
    return (time.perf_counter() - begin) / len(prompts), sums


def peer(net: Any, tokenizer: Any, batch: int) -> Any:
    import torch
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=net,
        tokenizer=tokenizer,
        backend="causal",
        device="cpu",
        batch_size=batch,
        softmax_dtype=torch.float32,
    )


def theirs(lm: Any, prompts: list[str], labels: list[str]) -> tuple[float, np.ndarray]:
    """Seconds per item, and the sums."""
    from lm_eval.api.instance import Instance

    pairs = [(prompt, label) for prompt in prompts for label in labels]
    asked = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    begin = time.perf_counter()
    found = lm.loglikelihood(asked, disable_tqdm=True)
    seconds = (time.perf_counter() - begin) / len(prompts)
    return seconds, np.array([value for value, _ in found]).reshape(len(prompts), len(labels))


def ceiling(net: Any, tokens: int, width: int, rows: int) -> float:
    """Tokens per second of the plain network: body and head over rows of `width` tokens."""
    import torch

    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 40_000, (rows, width), generator=generator)
    passes = max(1, round(tokens / ids.numel()))
    begin = time.perf_counter()
    with torch.inference_mode():
        for _ in range(passes):
            net(input_ids=ids, use_cache=False)
    return passes * ids.numel() / (time.perf_counter() - begin)


def efficiency(model: Any, net: Any, prompts: list[str], labels: list[str]) -> dict[str, float]:
    """Our tokens per second against the ceiling's, in turns; medians of three."""
    rates, limits = [], []
    for _ in range(3):
        before, begin = model.forward_tokens, time.perf_counter()
        model.score_choices(prompts, labels)
        tokens = model.forward_tokens - before
        rates.append(tokens / (time.perf_counter() - begin))
        width = max(1, tokens // len(prompts))
        limits.append(ceiling(net, tokens, width, max(1, model.batch_tokens // width)))
    rate, limit = float(np.median(rates)), float(np.median(limits))
    return {"tokens_per_second": rate, "ceiling_tokens_per_second": limit, "share": rate / limit}


def plain_network(model: Any, precision: str) -> tuple[Any, Any]:
    """The network as the peer runs it: ours in float32, a second copy in bfloat16."""
    tokenizer = model.tokens.tokenizer
    if precision == "float32":
        return model.forward.net, tokenizer
    import torch
    from transformers import AutoModelForCausalLM

    from dataedge.models.gguf import converted

    file = embedded.base_gguf()
    folder = converted(file, "embedded")
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval(), tokenizer


def compare(precision: str, sizes: dict[str, Any], reference: dict[str, np.ndarray]) -> dict:
    """One precision: speed against the peer and the ceiling, agreement with peer and float32."""
    model = open_model("embedded", dtype=precision)
    net, tokenizer = plain_network(model, precision)
    result: dict[str, Any] = {"capabilities": list(model.capabilities.notes)}
    for name, demonstrations in (("zero_shot", 0), ("few_shot", 8)):
        prompts, labels = questions(sizes["ours"], demonstrations)
        asked = prompts[: sizes["peer"][name]]
        batches = {
            batch: theirs(peer(net, tokenizer, batch), asked[:1], labels)[0]
            for batch in sizes["batches"][name]
        }
        best = min(batches, key=lambda batch: batches[batch])
        first, sums = ours(model, prompts, labels)
        their_seconds, their_sums = theirs(peer(net, tokenizer, best), asked, labels)
        second, _ = ours(model, prompts, labels)
        our_seconds = (first + second) / 2
        gap = np.abs(sums[: len(asked)] - their_sums)
        same = sums[: len(asked)].argmax(1) == their_sums.argmax(1)
        exact = reference.setdefault(name, sums)
        result[name] = {
            "items": len(prompts),
            "peer_items": len(asked),
            "peer_batch": best,
            "items_per_second": 1 / our_seconds,
            "peer_items_per_second": 1 / their_seconds,
            "times": their_seconds / our_seconds,
            "largest_gap_to_peer": float(gap.max()),
            "same_argmax_as_peer": float(same.mean()),
            "same_argmax_as_float32": float((sums.argmax(1) == exact.argmax(1)).mean()),
            "peer_same_argmax_as_float32": float(
                (their_sums.argmax(1) == exact[: len(asked)].argmax(1)).mean()
            ),
            **efficiency(model, net, prompts[: sizes["ceiling"]], labels),
        }
        print(f"{precision} {name}: {json.dumps(result[name], indent=1)}", file=sys.stderr)
    return result


def memory(precision: str, items: int) -> None:
    """Run in a process of its own: prints the bytes of the model and the peak above them."""
    import torch  # noqa: F401
    import transformers  # noqa: F401

    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    model = open_model("embedded", dtype=precision)
    size = sum(p.numel() * p.element_size() for p in model.forward.net.parameters())
    for demonstrations in (0, 8, 64):
        model.score_choices(*questions(items, demonstrations))
    texts = list(questions(8, 64)[0])
    model.score(texts, [" " + text for text in texts])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"model": size, "python_and_libraries": imported, "peak": peak}))


def measured_memory(precision: str, items: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--memory", precision, "--items", str(items)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(out.splitlines()[-1])
    found["above_model"] = found["peak"] - found["model"]
    return found


def verdict(report: dict) -> list[str]:
    """What fell short; empty when the benchmark passes."""
    short = []
    for precision in PRECISIONS:
        for name, needed in NEEDED.items():
            times = report[precision][name]["times"]
            if times < needed:
                short.append(f"{precision} {name} {times:.1f}x < {needed:.0f}x")
        over = report["memory"][precision]["above_model"] / MEMORY
        if over > 1:
            short.append(f"{precision} peak is the model + {over:.2f} GiB")
    for name in NEEDED:
        exact, rough = report["float32"][name], report["bfloat16"][name]
        if exact["largest_gap_to_peer"] > 1e-3 or exact["same_argmax_as_peer"] < 1:
            short.append(f"float32 {name} differs by {exact['largest_gap_to_peer']:.1e}")
        if rough["same_argmax_as_float32"] < 0.99:
            short.append(f"bfloat16 {name} agrees on {rough['same_argmax_as_float32']:.1%}")
    return short


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few items, under ten minutes")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--memory", choices=PRECISIONS, help=argparse.SUPPRESS)
    parser.add_argument("--items", type=int, default=100, help="items that we score")
    args = parser.parse_args()
    if args.memory:
        memory(args.memory, args.items)
        return 0
    items = 24 if args.quick else args.items
    sizes = {
        "ours": items,
        "ceiling": min(items, 24),
        "peer": {"zero_shot": 4, "few_shot": 1}
        if args.quick
        else {"zero_shot": items, "few_shot": 5},
        "batches": {"zero_shot": [16], "few_shot": [4]}
        if args.quick
        else {"zero_shot": [4, 16, 64], "few_shot": [1, 4, 16]},
    }
    report: dict[str, Any] = {"quick": args.quick, "items": items}
    reference: dict[str, np.ndarray] = {}
    for precision in PRECISIONS:
        report[precision] = compare(precision, sizes, reference)
    report["memory"] = {p: measured_memory(p, min(items, 24)) for p in PRECISIONS}
    short = verdict(report)
    report["short"] = short
    if args.out:
        args.out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    both = [report[p][name] for name in NEEDED for p in PRECISIONS]
    figures = "zero-shot {:.1f}x/{:.1f}x, 8 demonstrations {:.1f}x/{:.1f}x (fp32/bf16)".format(
        *(one["times"] for one in both)
    )
    share = min(one["share"] for one in both)
    figures += f", {share:.0%} of the plain forward pass or more (goal {GOAL:.0%})"
    print(f"scoring: {'FAIL ' + '; '.join(short) + '; ' if short else 'PASS '}{figures}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
