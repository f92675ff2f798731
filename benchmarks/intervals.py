"""Do the intervals of `classify` hold the expected edge, over train sides, prompts and items?

    python benchmarks/intervals.py --out benchmarks/results/intervals.json   # some minutes
    python benchmarks/intervals.py --quick

Simulated audits: texts are vectors, the base model knows the classes with an error, six templates and
their demonstrations each add one of their own. Learner, pool, stack and refits are the real ones. The
truth is the mean edge of all audits of a cell, each on 1,000 further items. What is drawn anew in every
audit: train side, development items, demonstrations, evaluation items. Retrieved demonstrations depend on
the train side, and the prompts are chosen on development items: refits do neither anew.

The second part asks whether the train side's leave-one-out hits may serve as a control variate,
edge = mean(d) − λ (mean(h) − mean of left-out h): how far penalties and weights that were chosen on
them flatter, and what it would save.

PASS: the 95 % intervals of edge and tuning gain hold the truth in at least 95 % of audits and the 90 % ones
in 90 %, less two standard errors of the simulation, in every cell; those of the evaluation items alone do
not, in the cell of few rows.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dataedge.intervals import paired_proportions
from dataedge.ladder.label_refits import Ladder, Panel
from dataedge.ladder.refits import Items
from dataedge.ladder.stack import stack
from dataedge.learner.classifier import Learner
from dataedge.prompt.label_prior import LabelPrior
from dataedge.prompt.pool import centre, pool_prompts
from dataedge.widened_intervals import Measured, widened
from record import provenance

LEVELS = (0.95, 0.90)
FURTHER = 1000
TEMPLATES, WIDTH, NEAREST = 6, 32, 8
EDGES = {"edge": ("with_data", "without_data"), "tuning_gain": ("learned", "prompted")}


@dataclass(frozen=True)
class Cell:
    """What is audited, and how often."""

    train: int
    development: int
    evaluation: int
    classes: int
    audits: int

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.train} rows, {self.classes} labels, {self.evaluation} items"


CELLS = (Cell(48, 50, 300, 8, 60), Cell(200, 75, 225, 8, 24), Cell(60, 20, 20, 3, 32))


class Sides(NamedTuple):
    """Log-probabilities, shape (m, K) on each side."""

    development: np.ndarray
    evaluation: np.ndarray


class World:
    """A source of texts, and a base model with its templates."""

    def __init__(self, classes: int, seed: int) -> None:
        rng, self.K = np.random.default_rng(seed), classes
        self.signal = 0.45
        self.means = self.signal * rng.normal(size=(classes, WIDTH))
        error = 0.7 * self.signal * rng.normal(size=self.means.shape)
        self.known = 0.25 * (self.means + error)
        self.templates = 0.15 * self.signal * rng.normal(size=(TEMPLATES, classes, WIDTH))
        self.leaning = rng.normal(size=(TEMPLATES, classes))

    def items(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Texts (n, 32) and their labels."""
        y = rng.integers(self.K, size=n)
        return (self.means[y] + rng.normal(size=(n, WIDTH))).astype(np.float32), y

    def panel(
        self,
        rng: np.random.Generator,
        x: np.ndarray,
        train: tuple[np.ndarray, np.ndarray],
        labels: np.ndarray,
    ) -> Panel:
        """Two prompts of each kind, chosen on the first items, and one with retrieved demonstrations."""
        common, shape = 0.5 * rng.normal(size=(len(x), self.K)), (len(x), self.K)

        def scores(own: np.ndarray, leaning: np.ndarray) -> np.ndarray:
            return x @ (self.known + own).T + leaning + common + rng.normal(size=shape)

        asked = [scores(u, b) for u, b in zip(self.templates, self.leaning, strict=True)]
        for u, b in zip(self.templates, self.leaning, strict=True):
            draw = 0.25 * self.signal * rng.normal(size=u.shape)
            asked.append(scores(u / 2 + draw, b + 0.5 * rng.normal(size=self.K)))
        tried = centre(np.stack(asked)).scores[:, : len(labels)]
        right = (tried.argmax(axis=2) == labels).mean(axis=1)
        best = [np.argsort(-right[some], kind="stable")[:2] for some in (slice(0, 6), slice(6, 12))]
        chosen = [*best[0], *(6 + best[1])]
        return Panel(
            np.stack([*(asked[i] for i in chosen), self._retrieved(x, train, scores, chosen[0])]),
            ("zero_shot", "zero_shot", "few_shot", "few_shot", "retrieved"),
        )

    def _retrieved(self, x: np.ndarray, train: Any, scores: Any, template: int) -> np.ndarray:
        X, y = train
        cosine = (x @ X.T) / np.linalg.norm(X, axis=1)
        near = np.argsort(-cosine, axis=1)[:, :NEAREST]
        votes = np.stack([(y[near] == k).sum(axis=1) for k in range(self.K)], axis=1)
        return scores(self.templates[template] / 2, self.leaning[template]) + 0.4 * votes


class Audit(NamedTuple):
    """One simulated audit: per figure the old and new interval of each level, and the truth of its own."""

    found: dict[str, dict[str, tuple[float, float]]]
    shares: dict[str, dict[str, float]]
    values: dict[str, float]
    own_truth: dict[str, float]
    seconds: float


def audit(world: World, cell: Cell, rng: np.random.Generator) -> Audit:
    n, K = cell.train, world.K
    x, y = world.items(rng, n + cell.development + cell.evaluation + FURTHER)
    train = np.arange(n)
    development = n + np.arange(cell.development)
    held = np.arange(n + cell.development, len(y))
    evaluation, further = held[: cell.evaluation], held[cell.evaluation :]
    panel = world.panel(rng, x[n:], (x[:n], y[:n]), y[development])
    prior = LabelPrior.of(y[:n], K)
    learner = Learner().fit([x[:n]], y[:n], K, clusters=train)

    def rungs(items: np.ndarray) -> tuple[dict[str, np.ndarray], Ladder]:
        at = np.concatenate([development, items])
        some = Panel(panel.scores[:, at - n], panel.kinds)
        without = pool_prompts(some.scores[some.cheap], y[development], prior)
        prompted = pool_prompts(some.scores, y[development], prior)
        sides = (development, items)
        own = Sides(*(np.log(np.maximum(learner.predict_proba([x[i]]), 1e-9)) for i in sides))
        said = {
            "without_data": without.evaluation,
            "prompted": prompted.evaluation,
            "learned": stack(own, without, y[development]).evaluation,
            "with_data": stack(own, prompted, y[development]).evaluation,
        }
        ladder = Ladder(
            [x], y, np.arange(len(y)), train, development, items, prior, some, without,
            prompted, own, int(rng.integers(10**6)),
        )  # fmt: skip
        return {r: (p.argmax(axis=1) == y[items]).astype(float) for r, p in said.items()}, ladder

    hits, ladder = rungs(evaluation)
    truth, _ = rungs(further)
    start = time.process_time()
    refits = ladder.refit()
    seconds = time.process_time() - start
    found: dict[str, dict[str, tuple[float, float]]] = {}
    values, shares, own_truth = {}, {}, {}
    clusters = np.arange(cell.evaluation)
    on = Items(np.ones(cell.evaluation), clusters, y[evaluation])
    for name, (upper, lower) in EDGES.items():
        own_truth[name] = float((truth[upper] - truth[lower]).mean())
        added = refits.variances(upper, lower, on)
        assert added is not None
        found[name] = {}
        for level in LEVELS:
            old = paired_proportions(
                hits[upper] - hits[lower], clusters, unit="accuracy", level=level
            )
            new: Measured = widened(old, added, level=level)
            found[name][f"old {level:.0%}"] = (old.low, old.high)  # type: ignore[assignment]
            found[name][f"new {level:.0%}"] = (new.low, new.high)  # type: ignore[assignment]
        values[name], shares[name] = float(new.value or 0.0), vars(new.carried)
    return Audit(found, shares, values, own_truth, seconds)


def judged(cell: Cell, seed: int) -> dict[str, Any]:
    """Coverage and width in one cell."""
    world, rng = World(cell.classes, seed), np.random.default_rng(seed)
    audits = [audit(world, cell, rng) for _ in range(cell.audits)]
    out: dict[str, Any] = {"cell": cell.name, "audits": cell.audits}
    out["refit_cpu_seconds"] = round(float(np.mean([a.seconds for a in audits])), 2)
    for name in EDGES:
        truth = float(np.mean([a.own_truth[name] for a in audits]))
        told: dict[str, Any] = {"truth": truth}
        told["sd"] = float(np.std([a.values[name] for a in audits]))
        for kind in audits[0].found[name]:
            ends = np.array([a.found[name][kind] for a in audits])
            told[f"{kind} covers"] = float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))
            told[f"{kind} width"] = float(np.mean(ends[:, 1] - ends[:, 0]))
        told["shares"] = {
            k: float(np.mean([a.shares[name][k] for a in audits])) for k in audits[0].shares[name]
        }
        out[name] = told
    return out


def flattery(train: int, classes: int, runs: int, seed: int) -> dict[str, Any]:
    """How much better left-out hits look than hits on new items, and what λ and its saving would be."""
    world, rng = World(classes, seed), np.random.default_rng(seed)
    gaps, error_old, error_new = [], [], []
    for _ in range(runs):
        x, y = world.items(rng, train + 300 + FURTHER)
        learner = Learner().fit([x[:train]], y[:train], classes, clusters=np.arange(train))
        new = learner.predict_proba([x[train:]]).argmax(axis=1) == y[train:]
        left_out = learner.loo_proba.argmax(axis=1) == y[:train]
        asked = (x[train:] @ world.known.T + rng.normal(size=(len(new), classes))).argmax(axis=1)
        d = new.astype(float) - (asked == y[train:])
        here, truth = slice(0, 300), float(d[300:].mean())
        weight = np.cov(d[here], new[here])[0, 1] / max(float(new[here].var()), 1e-9)
        weight *= train / (train + 300)
        error_old.append(d[here].mean() - truth)
        error_new.append(error_old[-1] - weight * (new[here].mean() - left_out.mean()))
        gaps.append(left_out.mean() - new.mean())
    return {
        "train": train,
        "labels": classes,
        "runs": runs,
        "left_out_minus_new": float(np.mean(gaps)),
        "standard_error": float(np.std(gaps, ddof=1) / np.sqrt(runs)),
        "bias_of_the_edge": float(np.mean(error_new) - np.mean(error_old)),
        "error_saved": float(1.0 - np.std(error_new) / np.std(error_old)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the audits")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    args = parser.parse_args()
    share, started = 0.1 if args.quick else 1.0, time.process_time()
    result: dict[str, Any] = provenance("scipy")
    result["cells"], result["control_variate"] = [], []
    checks: dict[str, bool] = {}
    for cell in CELLS:
        runs = max(4, int(share * cell.audits))
        found = judged(Cell(cell.train, cell.development, cell.evaluation, cell.classes, runs), 0)
        result["cells"].append(found)
        print(json.dumps(found), flush=True)
        for level in LEVELS:
            slack = 2 * np.sqrt(level * (1 - level) / runs)
            for name in EDGES:
                covers = found[name][f"new {level:.0%} covers"]
                checks[f"{name} {covers:.0%} of {level:.0%}, {cell.name}"] = covers >= level - slack
    for train, classes, runs in ((48, 8, 60), (48, 3, 60), (200, 8, 30), (600, 30, 8)):
        found = flattery(train, classes, max(4, int(share * runs)), seed=0)
        result["control_variate"].append(found)
        print(json.dumps(found), flush=True)
    few = result["cells"][0]["edge"]["old 95% covers"]
    checks[f"the old one {few:.0%}, {CELLS[0].name}"] = few < 0.9
    result |= {"passed": all(checks.values())}
    result["cpu_seconds"] = round(time.process_time() - started, 1)
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    words = ", ".join(f"{'' if ok else 'MISSED '}{what}" for what, ok in checks.items())
    print(f"intervals: {'PASS' if all(checks.values()) else 'FAIL'} {words}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
