"""Choices scored per second, side by side with the HF back end of lm-evaluation-harness.

    pip install '.[bench]'
    python benchmarks/scoring.py --out benchmarks/results/scoring.json     # half an hour, two cores
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
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from record import provenance

if TYPE_CHECKING:
    from collections.abc import Callable

from dataedge.models import embedded, open_model

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "banking77"
START = "<|endoftext|>"
NEEDED = {"zero_shot": 8.0, "few_shot": 40.0}
GOAL = 0.8
GIB = 2**30
PRECISIONS = ("float32", "bfloat16")
TURNS = 3
SLICE = 24  # items that we score in a turn
# rounds and peer items per round by precision; the peer runs nine and a hundred times the tokens
FULL: dict[str, Any] = {
    "items": 100,
    "ceiling": 24,
    "float32": {"zero_shot": (25, 4), "few_shot": (4, 1)},
    "bfloat16": {"zero_shot": (10, 4), "few_shot": (4, 1)},
    "batches": {"zero_shot": [16, 64], "few_shot": [4, 16]},
}
QUICK: dict[str, Any] = {
    "items": 12,
    "ceiling": 6,
    "float32": {"zero_shot": (1, 2), "few_shot": (0, 0)},
    "bfloat16": {"zero_shot": (2, 2), "few_shot": (1, 1)},
    "batches": {"zero_shot": [16], "few_shot": [4]},
}


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


def theirs(lm: Any, prompts: list[str], labels: list[str]) -> np.ndarray:
    from lm_eval.api.instance import Instance

    pairs = [(prompt, label) for prompt in prompts for label in labels]
    asked = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    found = lm.loglikelihood(asked, disable_tqdm=True)
    return np.array([value for value, _ in found]).reshape(len(prompts), len(labels))


class Clock:
    """Adds up wall and processor time of one contestant, and its items."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.items = 0

    def run(self, items: int, work: Callable[[], np.ndarray]) -> np.ndarray:
        """Time `work`, which scores so many items, and return what it found."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
        self.items += items
        return result


def fastest(net: Any, tokenizer: Any, prompts: list[str], labels: list[str], tried: list) -> int:
    """The peer's best batch size on one item."""
    if len(tried) == 1:
        return int(tried[0])
    clocks = {batch: Clock() for batch in tried}
    for batch, clock in clocks.items():
        lm = peer(net, tokenizer, batch)
        clock.run(1, lambda lm=lm: theirs(lm, prompts[:1], labels))
    return min(tried, key=lambda batch: clocks[batch].wall)


def side_by_side(
    model: Any, lm: Any, prompts: list[str], labels: list[str], rounds: int, items: int
) -> tuple[Clock, Clock, np.ndarray]:
    """Both in turns, so that whatever else the machine does meets both; and the peer's sums."""
    us, them, sums = Clock(), Clock(), []
    for turn in range(rounds):
        mine = [prompts[i % len(prompts)] for i in range(turn * SLICE, (turn + 1) * SLICE)]
        asked = prompts[turn * items : (turn + 1) * items]
        us.run(len(mine), lambda mine=mine: model.score_choices(mine, labels))
        sums.append(them.run(len(asked), lambda asked=asked: theirs(lm, asked, labels)))
    return us, them, np.concatenate(sums)


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
    """Our tokens per second against the ceiling's, in turns; medians."""
    rates, limits = [], []
    for _ in range(TURNS):
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
    result: dict[str, Any] = {}
    for name, demonstrations in (("zero_shot", 0), ("few_shot", 8)):
        prompts, labels = questions(sizes["items"], demonstrations)
        sums = model.score_choices(prompts, labels)
        exact = reference.setdefault(name, sums)
        agreement = sums.argmax(1) == exact.argmax(1)
        found: dict[str, Any] = {"same_argmax_as_float32": float(agreement.mean())}
        rounds, items = sizes[precision][name]
        if rounds:
            batch = fastest(net, tokenizer, prompts, labels, sizes["batches"][name])
            lm = peer(net, tokenizer, batch)
            us, them, other = side_by_side(model, lm, prompts, labels, rounds, items)
            own = sums[: len(other)]
            found |= {
                "items": us.items,
                "peer_items": them.items,
                "peer_batch": batch,
                "items_per_second": us.items / us.wall,
                "peer_items_per_second": them.items / them.wall,
                "times": them.wall / them.items / (us.wall / us.items),
                "times_by_processor_time": them.cpu / them.items / (us.cpu / us.items),
                "largest_gap_to_peer": float(np.abs(own - other).max()),
                "same_argmax_as_peer": float((own.argmax(1) == other.argmax(1)).mean()),
                "peer_same_argmax_as_float32": float(
                    (other.argmax(1) == exact[: len(other)].argmax(1)).mean()
                ),
            }
        found |= efficiency(model, net, prompts[: sizes["ceiling"]], labels)
        result[name] = found
        print(f"{precision} {name}: {json.dumps(found, indent=1)}", file=sys.stderr, flush=True)
    return result


def peak_memory() -> int:
    """Most bytes this process has held; getrusage would count those of the process that began it."""
    status = Path("/proc/self/status").read_text()
    return (
        int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
        * 1024
    )


def memory(precision: str) -> None:
    """Run in a process of its own: prints the bytes of the model and the peak above them."""
    import torch  # noqa: F401
    import transformers  # noqa: F401

    imported = peak_memory()
    model = open_model("embedded", dtype=precision)
    size = sum(p.numel() * p.element_size() for p in model.forward.net.parameters())
    for demonstrations in (0, 8, 64):
        model.score_choices(*questions(24, demonstrations))
    texts = list(questions(8, 64)[0])
    model.score(texts, [" " + text for text in texts])
    peak = peak_memory()
    print(json.dumps({"model": size, "python_and_libraries": imported, "peak": peak}))


def measured_memory(precision: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--memory", precision]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(out.splitlines()[-1])
    found["above_model"] = found["peak"] - found["model"]
    return found


def verdict(report: dict) -> list[str]:
    """What fell short; empty when the benchmark passes."""
    short = []
    for precision in PRECISIONS:
        for name, needed in NEEDED.items():
            found = report[precision][name]
            if found.get("times", needed) < needed:
                short.append(f"{precision} {name} {found['times']:.1f}x < {needed:.0f}x")
        over = report["memory"][precision]["above_model"] / GIB
        if over > 1:
            short.append(f"{precision} peak is the model + {over:.2f} GiB")
    for name in NEEDED:
        exact, rough = report["float32"][name], report["bfloat16"][name]
        gap, same = exact.get("largest_gap_to_peer", 0.0), exact.get("same_argmax_as_peer", 1.0)
        if gap > 1e-3 or same < 1:
            short.append(f"float32 {name} differs by {gap:.1e}, same answer {same:.1%}")
        if rough["same_argmax_as_float32"] < 0.99:
            short.append(f"bfloat16 {name} agrees on {rough['same_argmax_as_float32']:.1%}")
    return short


def summary(report: dict) -> str:
    parts = []
    for name in NEEDED:
        found = [report[precision][name] for precision in PRECISIONS]
        times = "/".join(f"{one['times']:.1f}x" if "times" in one else "-" for one in found)
        share = "/".join(f"{one['share']:.0%}" for one in found)
        parts.append(f"{name} {times} the peer, {share} of a plain pass (goal {GOAL:.0%})")
    memory_used = max(report["memory"][p]["above_model"] for p in PRECISIONS) / GIB
    return f"{', '.join(parts)}, model + {memory_used:.2f} GiB (float32/bfloat16)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few items, under ten minutes")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--memory", choices=PRECISIONS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        memory(args.memory)
        return 0
    sizes = QUICK if args.quick else FULL
    report: dict[str, Any] = {**provenance("lm-eval"), "sizes": sizes}
    reference: dict[str, np.ndarray] = {}
    for precision in PRECISIONS:
        report[precision] = compare(precision, sizes, reference)
    report["memory"] = {precision: measured_memory(precision) for precision in PRECISIONS}
    report["short"] = verdict(report)
    if args.out:
        args.out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    head = f"FAIL {'; '.join(report['short'])};" if report["short"] else "PASS"
    print(f"scoring: {head} {summary(report)}")
    return 1 if report["short"] else 0


if __name__ == "__main__":
    sys.exit(main())
