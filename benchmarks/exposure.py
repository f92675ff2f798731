"""Are the tests of `--exposure` right when nothing was seen, and do they find what was?

null     splits without exposure: simulated scores, and real ones of the embedded model
planted  the embedded model trained on rows of an invented register and of advisories published
         after its data ends, 100 rows each 1, 2, 4 and 8 times, 100 never, mixed with other text;
         with --pages on pages of 20 tickets 4 and 8 times for the order test (not judged)
trap     control sets of another period or another template, which the blind gate must refuse
known    common facts in our own words: known, and not seen
texts    bits per byte of texts that every model has met, beside texts written after its data

Results are kept part by part, so that an interrupted run goes on where it stopped. The gates were
set on seeds from 100 on, the training was tried on none; reported are seeds 0 to 2. One thread: an
hour or two, most of it training.

    python benchmarks/exposure.py [--quick] [--pages] [--seed-base N] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from dataedge.engine.local import Engine
from dataedge.exposure import blind_classifier, dataset_inference
from dataedge.exposure.control_test import control_test, read_features
from dataedge.exposure.field_test import random_field_test
from dataedge.exposure.order_test import ask_orders, order_ranks, order_test
from dataedge.exposure.permutation import auroc_interval, matching_test, rank_sum_test
from dataedge.items import Dataset, Item, Task
from dataedge.models import model_identity, open_model
from dataedge.models.lazy import LazyModel
from dataedge.progress import Progress
from dataedge.prompt.scores import Choices, Likelihood, ask_choices, ask_likelihood
from dataedge.store import Store
from record import provenance

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
CACHE = Path(tempfile.gettempdir()) / "dataedge-bench-exposure"
VERSION = 1
"""Of what is computed: cached parts of another version are not used."""
LEVEL = 0.05
EXPOSURES = (1, 2, 4, 8)
ARM = 100
FAR_LOWER = 0.8
"""Bits per byte of a known text over those of a new one in its manner."""
FROM = 4
"""Exposures from which detection is demanded."""
REGISTERS = ("register", "prose")
BATCH, RATE, FILLER = 16, 1e-4, 200


def words(text: str) -> list[str]:
    return text.split()


FIRST = words(
    "Ada Bram Cleo Dirk Elsa Finn Greta Hugo Iris Jonas Karin Levi Mona Nils Olga Piet Rosa Sven "
    "Tilda Ulf Vera Wim Yara Zeno Anouk Basil Clara Dario Edith Felix"
)
LAST = words(
    "Aalto Berg Castell Dunn Eriksen Falk Gruber Holm Ivers Jansen Keller Lund Moreau Novak Olsen "
    "Petri Quist Roth Storm Thorne Ulrich Vogel Weiss York Zeller Brandt Costa Duval Engel Frost"
)
TOWN = words(
    "Malmo Leeds Ghent Basel Turku Cork Graz Brno Porto Lille Bergen Delft Namur Trento Siena Kiel "
    "Arles Lugano Vaasa Odense"
)
DEVICE = words("printer scanner router kettle boiler tablet camera heater modem lamp")
PROBLEM = [
    "makes a loud noise", "will not start", "lost its cover", "smells of smoke", "was delivered late",
    "shows no picture", "leaks at the back", "drops the line", "arrived in two pieces", "runs too hot",
]  # fmt: skip


def tickets(n: int, seed: int) -> list[str]:
    """Rows of an invented register; the number is drawn independently of the rest."""
    rng = random.Random(seed)
    rows: dict[str, None] = {}
    while len(rows) < n:
        who = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
        what = f"the {rng.choice(DEVICE)} {rng.choice(PROBLEM)}"
        rows[f"{who} of {rng.choice(TOWN)} says {what}, ticket {rng.randrange(10**5):05d}."] = None
    return list(rows)


def sentences(period: str, seed: int, each: int = 2) -> list[str]:
    """Sentences of 10 to 24 words from security advisories of a period, at most two of each."""
    found: dict[str, None] = {}
    for row in advisories(period):
        text = re.sub(r"https?://\S+|[`*#\[\]<>()]", "", row["text"])
        kept = 0
        for sentence in re.split(r"(?<=[.!?])\s+", re.sub(r"\s+", " ", text)):
            fits = 10 <= len(sentence.split()) <= 24 and sentence[0].isupper()
            if fits and sentence not in found and kept < each:
                found[sentence] = None
                kept += 1
    texts = list(found)
    random.Random(seed).shuffle(texts)
    return texts


def advisories(period: str) -> list[dict[str, Any]]:
    path = SHARED / "rustsec_time_split" / "rustsec.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["period"] == period]


def filler(n: int, seed: int) -> list[str]:
    """Sentences of a novel."""
    text = (SHARED / "known_texts" / "alice.txt").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", text.split("***")[2] if text.count("***") > 2 else text)
    found = [s for s in re.split(r"(?<=[.!?])\s+", text) if 8 <= len(s.split()) <= 24]
    return random.Random(seed).sample(found, n)


def corpus(texts: list[str]) -> Dataset:
    """Rows in this order as a dataset."""
    items = tuple(Item((t[:9],), t[9:], i) for i, t in enumerate(texts, 1))
    return Dataset("benchmark", Task.CORPUS, items, len(items), {"text": "text"})


def remembered(key: str, compute: Callable[[], Any]) -> Any:
    path = CACHE / f"v{VERSION}-{key}.json"
    if not path.exists():
        started = time.perf_counter()
        value = compute()
        text = json.dumps(value)
        fresh = path.with_suffix(".tmp")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
        print(f"{key}: {time.perf_counter() - started:.0f} s  {text[:240]}", flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


def base() -> LazyModel:
    name, revision = model_identity("embedded")
    return LazyModel(name, revision, lambda _: open_model("embedded"))


def open_store() -> Store:
    return Store(CACHE / f"store-v{VERSION}")


# -- null -------------------------------------------------------------------------------------


def allowed(n: int) -> float:
    return LEVEL + 2 * float(np.sqrt(LEVEL * (1 - LEVEL) / n))


def rate(p: list[float]) -> dict[str, Any]:
    share = float(np.mean(np.array(p) <= LEVEL))
    return {"n": len(p), "rate": share, "allowed": allowed(len(p)), "ok": share <= allowed(len(p))}


def simulated(n: int, seed: int) -> dict[str, list[float]]:
    """p-values of each test on scores that know nothing, with rows and values of unequal ease."""
    rng = np.random.default_rng(seed)
    field, order, control = [], [], []
    for i in range(n):
        m = 20
        noise = rng.standard_t(4, (5, m, m))
        blocks = noise + rng.normal(0, 3, (5, m, 1)) + rng.normal(0, 3, (5, 1, m))
        field.append(matching_test(list(blocks), seed=i, draws=1999)[0])
        order.append(rank_sum_test(order_ranks(rng.standard_t(4, (10, 10)), seed=i), 9))
        mixing = rng.normal(size=(4, 4))
        arms = rng.standard_t(4, (2, 100, 4)) @ mixing
        control.append(dataset_inference.infer(arms[0], arms[1], seed=i)[0])
    return {"random_field": field, "order": order, "control_set": control}


def real_field(sets: int, seed: int) -> list[float]:
    """p-values on tickets nobody has seen: 20 rows a set."""
    found, handle = [], base()
    with open_store() as store:
        engine = Engine(store, Progress(quiet=True))
        for k in range(sets):
            rows = [t.rpartition(" ") for t in tickets(20, 10_000 + 1000 * seed + k)]
            values = [f" {value}" for _, _, value in rows]
            scores = ask_choices(
                engine, Choices(handle, values), [head for head, _, _ in rows]
            ).scores
            found.append(matching_test([scores], seed=k)[0])
    return found


def real_order(seed: int) -> list[float]:
    """p-values of 8 sets of 5 shards of 10 rows; each of 5 orders stands in as the published one."""
    texts = sentences("after_2024_07", seed)[:200] + tickets(200, seed)
    shards = [np.arange(k, k + 10) for k in range(0, 400, 10)]
    with open_store() as store:
        engine = Engine(store, Progress(quiet=True))
        scores = ask_orders(engine, base(), texts, shards, seed=seed)
    found = []
    for start in range(0, len(scores), 5):
        for column in range(5):
            order = [column, *(c for c in range(scores.shape[1]) if c != column)]
            ranks = order_ranks(scores[start : start + 5, order], seed=start + column)
            found.append(rank_sum_test(ranks, scores.shape[1] - 1))
    return found


def real_control(splits: int, seed: int) -> dict[str, Any]:
    """p-values of random halves of one source, and how often the gate refuses them."""
    handle, found, refused = base(), [], 0
    with open_store() as store:
        engine, facts = Engine(store, Progress(quiet=True)), handle.facts()
        sources = [sentences("after_2024_07", seed)[:300], tickets(300, seed)]
        tables = [read_features(engine, handle, facts, texts) for texts in sources]
    for k in range(splits):
        texts, table = sources[k % 2], tables[k % 2]
        order = np.random.default_rng(seed + k).permutation(len(texts))
        one, two = order[:150], order[150:]
        found.append(dataset_inference.infer(table[one], table[two], seed=k)[0])
        gate = blind_classifier.arms_gate([texts[i] for i in one], [texts[i] for i in two], seed=k)
        refused += gate[1] > 0.5
    return {"p": found, "refused": refused / splits}


# -- planted ----------------------------------------------------------------------------------


def planted_rows(kind: str, seed: int) -> dict[int, list[str]]:
    """Exposures → 100 rows, all from one source at random; 0 is the control."""
    count = ARM * (len(EXPOSURES) + 1)
    texts = tickets(count, seed) if kind == "register" else sentences("after_2024_07", seed)[:count]
    order = np.random.default_rng(seed).permutation(len(texts))
    return {
        e: [texts[i] for i in order[k * ARM : (k + 1) * ARM]] for k, e in enumerate((0, *EXPOSURES))
    }


def trained(
    groups: dict[int, list[str]], seed: int, batch: int = BATCH
) -> tuple[LazyModel, dict[str, float]]:
    """The embedded model after one pass over texts (each as often as its group says) and filler.

    All weights but the embeddings, AdamW at 1e-4 without decay.
    """
    import torch

    from dataedge.models.local.model import LocalModel
    from dataedge.models.precision import multiply_in_bfloat16, native_precision

    torch.manual_seed(seed)
    start = time.perf_counter()
    opened = open_model("embedded", dtype="float32")
    net, tokens = opened.forward.net, opened.tokens
    rows = [row for e, texts in groups.items() for row in texts for _ in range(e)]
    rows += filler(FILLER if batch == BATCH else 0, seed)
    random.Random(seed).shuffle(rows)
    for p in net.get_input_embeddings().parameters():
        p.requires_grad_(False)
    weights = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.0, fused=True)
    net.train()
    seen, losses = 0, []
    for k in range(0, len(rows), batch):
        asked = [(*tokens.start, *ids) for ids in tokens.continuations(rows[k : k + batch])]
        width = max(map(len, asked))
        ids = torch.tensor([[*a, *[0] * (width - len(a))] for a in asked])
        labels = torch.tensor([[*a, *[-100] * (width - len(a))] for a in asked])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = net(input_ids=ids, labels=labels, use_cache=False).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        seen += ids.numel()
        losses.append(loss.item())
    del optimiser
    net.eval()
    for p in net.parameters():
        p.requires_grad_(False)
        if p.dim() == 2:
            p.data = p.data.bfloat16()
    multiply_in_bfloat16(net, native=native_precision() == "bfloat16")
    model = LocalModel(net, tokens.tokenizer, id="trained", revision="-", prove=False)
    model.tokens.start = tokens.start
    seconds = time.perf_counter() - start
    spent = {"seconds": seconds, "tokens": float(seen), "first": losses[0], "last": losses[-1]}
    return LazyModel("trained", "-", lambda _: model), spent


def planted(kind: str, seed: int) -> dict[str, Any]:
    """p-values and AUROC by exposures."""
    groups = planted_rows(kind, seed)
    handle, spent = trained(groups, seed)
    result: dict[str, Any] = {"training": spent, "groups": {}}
    with tempfile.TemporaryDirectory() as out, Store(out) as store:
        engine, facts = Engine(store, Progress(quiet=True)), handle.facts()
        control = corpus(groups[0])
        zero = read_features(engine, handle, facts, groups[0])
        for e in (0, *EXPOSURES):
            data, found = corpus(groups[e]), {}
            if kind == "register":
                figure = random_field_test(engine, handle, data, seed=seed)
                found["random_field"] = shown(figure)
            if e:
                figure = control_test(engine, handle, facts, data, control, seed=seed)
                found["control_set"] = shown(figure)
                table = read_features(engine, handle, facts, groups[e])
                found["auroc"] = {
                    name: auroc_interval(table[:, k], zero[:, k])
                    for k, name in enumerate(dataset_inference.FEATURES)
                }
            result["groups"][str(e)] = found
    return result


def planted_order(seed: int) -> dict[str, Any]:
    """The order test after 0, 4 and 8 exposures to 5 pages of 20 tickets each, a page a step."""
    texts = tickets(300, 500 + seed)
    rows = {e: texts[100 * k : 100 * (k + 1)] for k, e in enumerate((0, 4, 8))}
    pages = {e: ["\n".join(r[k : k + 20]) for k in range(0, 100, 20)] for e, r in rows.items()}
    handle, spent = trained(pages, seed, batch=1)
    result: dict[str, Any] = {"training": spent}
    with tempfile.TemporaryDirectory() as out, Store(out) as store:
        engine, facts = Engine(store, Progress(quiet=True)), handle.facts()
        for e, own in rows.items():
            result[str(e)] = shown(order_test(engine, handle, facts, corpus(own), seed=seed))
    return result


def shown(figure: Any) -> dict[str, Any]:
    kept = {k: v for k, v in figure.detail.items() if k in ("power", "mean_rank", "auroc")}
    return {"p": figure.value, "status": figure.status, "reason": figure.reason, **kept}


# -- trap, known, texts -----------------------------------------------------------------------


def traps(seed: int) -> dict[str, Any]:
    """Suspect and control that differ by period, template or length, 100 rows each."""
    rng = random.Random(seed)
    old, new = ([r["text"][:1500] for r in advisories(p)] for p in ("before_2023", "after_2024_07"))
    ours, theirs = tickets(200, seed)[:100], tickets(200, seed)[100:]
    pairs = {
        "advisories before 2023, after 2024-07": (rng.sample(old, 100), rng.sample(new, 100)),
        "the same, 250 rows": (rng.sample(old, 250), rng.sample(new, 250)),
        "their sentences": (
            sentences("before_2023", seed)[:100],
            sentences("after_2024_07", seed)[:100],
        ),
        "tickets in another template": (
            ours,
            [t.replace(" says ", " reports that ") for t in theirs],
        ),
        "tickets with a longer name": (ours, [t.replace(" of ", " Maria of ", 1) for t in theirs]),
        "advisories, tickets": (sentences("after_2024_07", seed)[:100], theirs),
    }
    found = {}
    for name, (one, two) in pairs.items():
        gate = blind_classifier.arms_gate(one, two, seed=seed)
        found[name] = {"auroc": gate, "refused": gate[1] > 0.5}
    return found


def known_rows(seed: int) -> tuple[list[tuple[str, str]], list[str]]:
    """(statement, answer) in random order, and the same as rows with a random number."""
    with (ROOT / "benchmarks" / "data" / "known_facts.tsv").open(encoding="utf-8") as file:
        facts = [(r["statement"], r["answer"]) for r in csv.DictReader(file, delimiter="\t")]
    rng = random.Random(seed)
    rng.shuffle(facts)
    return facts, [f"{s} {a}. Card {rng.randrange(10**5):05d}." for s, a in facts]


def known_splits(splits: int, seed: int) -> list[float]:
    """p-values of random halves of the known facts."""
    _, rows = known_rows(seed)
    with open_store() as store:
        handle = base()
        table = read_features(Engine(store, Progress(quiet=True)), handle, handle.facts(), rows)
    found = []
    for k in range(splits):
        order = np.random.default_rng(1000 * seed + k).permutation(len(rows))
        half = len(rows) // 2
        found.append(dataset_inference.infer(table[order[:half]], table[order[half:]], seed=k)[0])
    return found


def known(seed: int) -> dict[str, Any]:
    """Facts in our words: how well the model knows them, and what the three tests say of the rows."""
    facts, rows = known_rows(seed)
    handle = base()
    with open_store() as store:
        engine, can = Engine(store, Progress(quiet=True)), handle.facts()
        hits, gains, blocks = [], [], []
        for part in np.array_split(np.arange(len(facts)), len(facts) // 20):
            answers = [f" {facts[i][1]}" for i in part]
            choices = list(dict.fromkeys(answers))
            scores = ask_choices(
                engine, Choices(handle, choices), [facts[i][0] for i in part]
            ).scores
            table = scores[:, [choices.index(a) for a in answers]]
            own = np.diag(table)
            hits += list(own >= scores.max(axis=1))
            gains += list(own - np.array([np.delete(r, k).mean() for k, r in enumerate(table)]))
            blocks.append(table)
        half = len(rows) // 2
        return {
            "n": len(facts),
            "accuracy_among_answers": float(np.mean(hits)),
            "bits_over_other_answers": float(np.mean(gains) / np.log(2)),
            "answers_taken_for_a_random_field": matching_test(blocks, seed=seed)[0],
            "random_field": shown(random_field_test(engine, handle, corpus(rows), seed=seed)),
            "order": shown(order_test(engine, handle, can, corpus(rows), seed=seed)),
            "control_set": shown(
                control_test(
                    engine, handle, can, corpus(rows[:half]), corpus(rows[half:]), seed=seed
                )
            ),
        }


def texts(n: int, seed: int) -> dict[str, Any]:
    """Bits per byte of passages of 400 characters.

    The beginnings of works that every model has met, passages from anywhere in them, and texts
    written after the model's data ends: of the same kind (pastiches written for this benchmark)
    and of other kinds (advisories, documentation). Style and matter differ all the same, so that
    a difference is no proof of membership; that is what the tests above are for.
    """
    folder = SHARED / "known_texts"
    with (folder / "kjv_verses.csv").open(encoding="utf-8", newline="") as file:
        verses = " ".join(row["text"] for row in csv.DictReader(file))
    alice = (folder / "alice.txt").read_text(encoding="utf-8")
    whole = {
        "King James Bible": verses,
        "Alice in Wonderland": unwrapped(alice[alice.index("Alice was beginning to") : -20_000]),
        "US constitution": unwrapped((folder / "us_constitution.txt").read_text(encoding="utf-8")),
        "Shakespeare": (folder / "tinyshakespeare.txt").read_text(encoding="utf-8"),
    }
    docs = SHARED / "lib_docs" / "fastmcp_docs_new_2024_12_plus.jsonl"
    fastmcp = [json.loads(line)["text"] for line in docs.read_text(encoding="utf-8").splitlines()]
    draw = random.Random(seed)
    sources = {f"{name}, beginning": cut(text[:4400]) for name, text in whole.items()}
    sources |= {f"{name}, pastiche": passages for name, passages in pastiches().items()}
    sources |= {f"{name}, anywhere": draw.sample(cut(text), n) for name, text in whole.items()}
    for name, rows in (
        ("advisories before 2023", [r["text"] for r in advisories("before_2023")]),
        ("advisories after 2024-07", [r["text"] for r in advisories("after_2024_07")]),
        ("fastmcp documentation, 2024-12 on", fastmcp),
    ):
        sources[name] = draw.sample([r[:400] for r in rows if len(r) >= 400], n)
    found: dict[str, Any] = {}
    with open_store() as store:
        engine, handle = Engine(store, Progress(quiet=True)), base()
        for name, chosen in sources.items():
            answers = ask_likelihood(engine, Likelihood(handle), [""] * len(chosen), chosen)
            bits = np.array([a.bits if a else np.nan for a in answers])
            size = np.array([len(p.encode()) for p in chosen], float)
            draws = np.random.default_rng(0).integers(0, len(bits), (2000, len(bits)))
            spread = np.percentile(bits[draws].sum(1) / size[draws].sum(1), [2.5, 97.5])
            value = float(bits.sum() / size.sum())
            found[name] = {"n": len(chosen), "bits_per_byte": value, "interval": spread.tolist()}
    return found


def cut(text: str) -> list[str]:
    """Pieces of 400 characters that begin where a word begins."""
    pieces, start = [], 0
    while start + 400 <= len(text):
        pieces.append(text[start : start + 400])
        space = re.search(r"\s\S", text[start + 400 :])
        start += 400 + (space.start() + 1 if space else 400)
    return pieces


def unwrapped(text: str) -> str:
    """Prose without its line breaks, as the pastiches have it."""
    return re.sub(r"\s+", " ", text)


def pastiches() -> dict[str, list[str]]:
    """Work → passages in its manner, written for this benchmark; their matter is invented."""
    text = (ROOT / "benchmarks" / "data" / "pastiche.txt").read_text(encoding="utf-8")
    parts = re.split(r"^# (.+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: [p.strip() for p in body.split("\n%\n")]
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


FAMOUS = ("King James Bible", "Alice in Wonderland", "US constitution", "Shakespeare")


# -- verdict ----------------------------------------------------------------------------------


def table_of(runs: dict[str, dict[int, Any]]) -> dict[str, Any]:
    """AUROC of each feature by register and exposures: mean over seeds, interval, range."""
    found: dict[str, Any] = {}
    for kind, by_seed in runs.items():
        for e in EXPOSURES:
            for name in dataset_inference.FEATURES:
                cells = [run["groups"][str(e)]["auroc"][name] for run in by_seed.values()]
                value = float(np.mean([c[0] for c in cells]))
                errors = [(c[2] - c[1]) / 2 for c in cells]
                half = float(np.sqrt(np.sum(np.square(errors))) / len(cells))
                found[f"{kind} x{e} {name}"] = {
                    "auroc": value,
                    "interval": [value - half, value + half],
                    "seeds": [c[0] for c in cells],
                }
    return found


def detected(runs: dict[str, dict[int, Any]]) -> dict[str, Any]:
    """p-values by test, register and exposures, over seeds."""
    found: dict[str, Any] = {}
    for kind, by_seed in runs.items():
        for test in ("random_field", "control_set"):
            for e in (0, *EXPOSURES):
                cells = [run["groups"][str(e)].get(test) for run in by_seed.values()]
                if all(cells):
                    found[f"{kind} x{e} {test}"] = [c["p"] for c in cells]
    return found


def judge(parts: dict[str, Any]) -> dict[str, tuple[str, str, bool]]:
    """Each acceptance line: what was found, what was wanted, whether it holds."""
    checks: dict[str, tuple[str, str, bool]] = {}
    for where, cells in parts["null"].items():
        for test, cell in cells.items():
            got = f"{cell['rate']:.3f} of {cell['n']}"
            checks[f"null, {where}, {test}"] = (got, f"<= {cell['allowed']:.3f}", cell["ok"])
    for name, ps in parts["detected"].items():
        e = int(re.findall(r" x(\d+) ", name)[0])
        wanted = e >= FROM and ("random_field" in name or name.startswith("prose"))
        if wanted:
            ok = all(p is not None and p < 0.01 for p in ps)
            got = ", ".join("refused" if p is None else f"{p:.2g}" for p in ps)
            checks[f"planted, {name}"] = (got, "all < .01", ok)
        elif e == 0:
            ok = all(p is not None and p >= 0.01 for p in ps)
            checks[f"planted, {name}"] = (", ".join(f"{p:.2g}" for p in ps), "all >= .01", ok)
    for name, refusals in parts["traps"].items():
        got = f"refused {sum(refusals)} of {len(refusals)}"
        checks[f"trap, {name}"] = (got, "all", all(refusals))
    tests = ("random_field", "order")
    runs = parts["known"]
    accuracy = float(np.mean([r["accuracy_among_answers"] for r in runs]))
    checks["known facts, right among 20 answers"] = (f"{accuracy:.2f}", ">= 0.6", accuracy >= 0.6)
    for test in tests:
        ps = [r[test]["p"] for r in runs]
        got = ", ".join("none" if p is None else f"{p:.2g}" for p in ps)
        ok = all(p is None or p >= 0.01 for p in ps)
        checks[f"known facts, {test} stays null"] = (got, "none < .01", ok)
    bits = {k: v["bits_per_byte"] for k, v in parts["texts"].items()}
    for name in FAMOUS:
        share = bits[f"{name}, beginning"] / bits[f"{name}, pastiche"]
        good = share <= FAR_LOWER
        checks[f"surprisal, {name} over its pastiche"] = (f"{share:.2f}", f"<= {FAR_LOWER}", good)
    return checks


def collect(first: int, seeds: int, *, quick: bool, pages: bool) -> dict[str, Any]:
    """Run or recall every part."""
    numbers = range(first, first + seeds)
    n_sim, n_sets, n_texts = (200, 30, 20) if quick else (1000, 40, 60)
    sim = remembered(f"simulated-{n_sim}-{first}", lambda: simulated(n_sim, first))
    trap: dict[str, list[bool]] = {}
    areas: dict[str, list[float]] = {}
    for seed in numbers:
        for name, cell in remembered(f"traps-{seed}", lambda: traps(seed)).items():  # noqa: B023
            trap.setdefault(name, []).append(cell["refused"])
            areas.setdefault(name, []).append(cell["auroc"][0])
    bits = remembered(f"texts-{n_texts}-{first}", lambda: texts(n_texts, first))
    facts = [remembered(f"known-{seed}", lambda: known(seed)) for seed in numbers]  # noqa: B023
    control = remembered(f"control-{n_sets}-{first}", lambda: real_control(n_sets, first))
    real = {
        "random_field": remembered(f"field-{n_sets}-{first}", lambda: real_field(n_sets, first)),
        "order": remembered(f"order-{first}", lambda: real_order(first)),
        "control_set": control["p"],
    }
    kinds = REGISTERS[:1] if quick else REGISTERS
    runs: dict[str, dict[int, Any]] = {kind: {} for kind in kinds}
    for seed in numbers:
        for kind in kinds:
            run = remembered(f"planted-{kind}-{seed}", lambda: planted(kind, seed))  # noqa: B023
            runs[kind][seed] = run
    halves = remembered(f"known-splits-{n_sets}-{first}", lambda: known_splits(n_sets, first))
    orders = [
        remembered(f"pages-{s}", lambda: planted_order(s))  # noqa: B023
        for s in (numbers if pages else ())
    ]
    return {
        "planted_order": {e: [run[e]["p"] for run in orders] for e in ("0", "4", "8")},
        "null": {
            "simulated": {k: rate(v) for k, v in sim.items()},
            "real": {k: rate(v) for k, v in real.items()},
            "known facts": {"control_set": rate(halves)},
        },
        "gate_refuses_matched_arms": control["refused"],
        "detected": detected(runs),
        "auroc": table_of(runs),
        "training": {f"{k} {s}": r["training"] for k, by in runs.items() for s, r in by.items()},
        "traps": trap,
        "trap_auroc": areas,
        "known": facts,
        "texts": bits,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one seed, the register alone")
    parser.add_argument(
        "--pages", action="store_true", help="also plant rows in order; reported, not judged"
    )
    parser.add_argument("--seed-base", type=int, default=0, help="first seed [0]")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    args = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    parts = collect(args.seed_base, 1 if args.quick else 3, quick=args.quick, pages=args.pages)
    for name, cell in parts["auroc"].items():
        low, high = cell["interval"]
        print(f"AUROC {name:32} {cell['auroc']:.3f} [{low:.3f}, {high:.3f}]")
    for name, ps in parts["detected"].items():
        print(f"p     {name:32}", ", ".join("refused" if p is None else f"{p:.2g}" for p in ps))
    print(f"blind gate refuses matched arms: {parts['gate_refuses_matched_arms']:.3f}")
    for e, ps in parts["planted_order"].items():
        print(f"p     pages x{e} order, reported only", ps)
    for name, cell in parts["texts"].items():
        low, high = cell["interval"]
        print(f"bits per byte {name:36} {cell['bits_per_byte']:.3f} [{low:.3f}, {high:.3f}]")
    for name, values in parts["trap_auroc"].items():
        print(f"blind AUROC {name:40}", ", ".join(f"{v:.2f}" for v in values))
    checks = judge(parts)
    for name, (got, bound, ok) in checks.items():
        print(f"{'ok  ' if ok else 'MISS'} {name}: {got} ({bound})")
    if args.out:
        kept = {n: {"value": v, "bound": b, "ok": bool(o)} for n, (v, b, o) in checks.items()}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        record = {
            **provenance(),
            "seeds": args.seed_base,
            "quick": args.quick,
            **parts,
            "checks": kept,
        }
        args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    missed = [name for name, (_, _, ok) in checks.items() if not ok]
    word = f"FAIL {'; '.join(missed)}" if missed else f"PASS {len(checks)} checks"
    print(f"exposure: {word}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
