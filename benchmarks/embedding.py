"""Is embedding as fast as `SentenceTransformer.encode`, and what would another runtime bring?

Distinct questions of banking77 are embedded by the audit's own stage, into its store, and by `encode` alone,
in turns. Beside it, where they are installed (`pip install openvino nncf`), OpenVINO runs the same network in
float32, in bfloat16 and in int8, whose steps are set on 512 other questions; and PyTorch in bfloat16. Each is
told with how near its vectors are to those of float32, and with how well wrong labels are found by them.

    python benchmarks/embedding.py [--quick] [--out FILE.json]

PASS: the audit's stage embeds at least as many texts a second as `encode` in the median of turns. The
others are measured, not judged: no audit uses them.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch

from dataedge.engine.local import Engine
from dataedge.learner.classifier import Learner
from dataedge.measure.label_noise import label_quality
from dataedge.models.embedder import open_embedder
from dataedge.prepare.vectors import Embed, embed
from dataedge.progress import Progress
from dataedge.store import Store
from record import provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Encode = Callable[[Sequence[str]], Vectors]

BATCH, LONGEST = 64, 256
LEAST = 1.0
"""Of the texts a second of `encode`."""
CALIBRATION, STEP = 512, 16
"""Other texts on which the steps of int8 are set, and how many at a time."""
WRONG = 0.05


def plain(model: Any) -> Encode:
    """`encode`, as anyone would call it."""
    return lambda texts: np.asarray(
        model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False),
        np.float32,
    )


def audited(stage: Embed) -> Encode:
    """The audit's stage, into a store of its own."""

    def encode(texts: Sequence[str]) -> Vectors:
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
            return embed(Engine(store, Progress(quiet=True)), stage, texts)

    return encode


class Pooled(torch.nn.Module):
    """A sentence-transformer of mean pooling as one network: tokens to vectors of length 1."""

    def __init__(self, body: torch.nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Tokens and their mask, both of shape (b, t) → (b, d)."""
        states = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        kept = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * kept).sum(1) / kept.sum(1)
        return mean / mean.norm(dim=1, keepdim=True)


def openvino(model: Any, other: Sequence[str]) -> dict[str, Encode]:
    """The same network under OpenVINO: precision → how it encodes; none where it is not installed."""
    if find_spec("openvino") is None:
        return {}
    import openvino as ov

    def tokens(texts: Sequence[str]) -> dict[str, Any]:
        found = model.tokenizer(
            list(texts), padding=True, truncation=True, max_length=LONGEST, return_tensors="np"
        )
        return {name: found[name] for name in ("input_ids", "attention_mask")}

    def encoder(network: Any, settings: dict[str, Any]) -> Encode:
        threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
        compiled = ov.Core().compile_model(network, "CPU", {**threads, **settings})

        def encode(texts: Sequence[str]) -> Vectors:
            order = np.argsort([-len(text) for text in texts], kind="stable")
            parts = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
            found = [compiled(tokens([texts[i] for i in part]))[0] for part in parts]
            vectors = np.concatenate(found)[np.argsort(order)]
            return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

        return encode

    example = {name: torch.from_numpy(v) for name, v in tokens(["a b c", "d e"]).items()}
    network = ov.convert_model(Pooled(model[0].auto_model.eval()), example_input=example)
    found = {
        f"openvino {kind}": encoder(network, {"INFERENCE_PRECISION_HINT": kind})
        for kind in ("f32", "bf16")
    }
    if find_spec("nncf") is not None:
        import nncf

        steps = [other[i : i + STEP] for i in range(0, len(other), STEP)]
        small = nncf.quantize(
            network,
            nncf.Dataset(steps, tokens),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(steps),
        )
        found["openvino int8"] = encoder(small, {})
    return found


def suspects(vectors: Vectors, labels: NDArray[np.int64], given: NDArray[np.int64]) -> float:
    """Average precision of wrong labels, found as an audit finds them."""
    from sklearn.metrics import average_precision_score

    learner = Learner().fit(vectors, given, int(labels.max()) + 1, seed=0)
    found = label_quality(learner.loo_core, given, refit=learner.refit_without, seed=0)
    return float(average_precision_score(given != labels, -found.score))


def timed(ways: dict[str, Encode], texts: Sequence[str], turns: int) -> dict[str, list[float]]:
    """Texts a second of each way, in turns; a first part of the texts is not timed."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for encode in ways.values():
        encode(texts[: 2 * BATCH])
    for _ in range(turns):
        for name, encode in ways.items():
            started = time.perf_counter()
            encode(texts)
            rates[name].append(len(texts) / (time.perf_counter() - started))
    return rates


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--quick", action="store_true", help="1,000 texts, three turns")
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    from labels import SHARED, flipped, read  # it asks for one thread, which is not wanted here

    if not SHARED.is_dir():
        print("embedding: FAIL no data: banking77 is missing")
        return 1
    n, turns = (1_000, 3) if given.quick else (2_000, 5)
    pairs = dict(zip(*read("banking77"), strict=True))
    every = list(pairs)
    order = np.random.default_rng(0).permutation(len(every))
    texts = [every[i] for i in order[:n]]
    other = [every[i] for i in order[-CALIBRATION:]]
    labels = np.unique([pairs[text] for text in texts], return_inverse=True)[1]

    model, stage = open_embedder("embedded"), Embed("embedded")
    stage.setup()
    half = copy.deepcopy(model).to(torch.bfloat16)
    ways = {"encode": plain(model), "audit": audited(stage), "torch bf16": plain(half)}
    ways |= openvino(model, other)
    rates = timed(ways, texts, turns)

    whole = ways["encode"](texts)
    wrong = flipped(whole, labels, "confusable", WRONG, 0)
    rows = []
    print(f"{'':16} {'texts a second':>14} {'times':>6}  cosine: least, mean   wrong labels found")
    for name, encode in ways.items():
        vectors = encode(texts)
        cosine = (vectors * whole).sum(1) / np.linalg.norm(vectors, axis=1)
        times = np.median(np.divide(rates[name], rates["encode"]))
        row = {
            "way": name,
            "texts_per_second": float(np.median(rates[name])),
            "times": float(times),
            "least_cosine": float(cosine.min()),
            "mean_cosine": float(cosine.mean()),
            "average_precision": suspects(vectors, labels, wrong),
        }
        rows.append(row)
        print(
            f"{name:16} {row['texts_per_second']:14.0f} {times:6.2f}  {row['least_cosine']:12.4f}, "
            f"{row['mean_cosine']:.4f}   {row['average_precision']:.3f}",
            flush=True,
        )
    ours = next(row["times"] for row in rows if row["way"] == "audit")
    good = ours >= LEAST
    if given.out:
        record = {
            **provenance("sentence-transformers", "openvino", "nncf"),
            "passed": good,
            "texts": n,
            "threads": torch.get_num_threads(),
            "ways": rows,
        }
        given.out.write_text(json.dumps(record, indent=1) + "\n")
    print(
        f"embedding: {'PASS' if good else 'FAIL'} {ours:.2f} times the texts a second of encode (≥ {LEAST})"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
