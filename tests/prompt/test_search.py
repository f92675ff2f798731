from __future__ import annotations

import numpy as np

from dataedge.prompt.search import Trial, schedule, successive_halving


def test_the_better_candidate_is_found_and_work_is_bounded() -> None:
    rng = np.random.default_rng(0)
    hits = {
        c: (rng.random(100) < p).astype(float)
        for c, p in zip("abcdef", [0.3, 0.3, 0.8, 0.4, 0.3, 0.2])
    }
    asked: set[tuple[str, int]] = set()

    def attempt(c: str, m: int) -> Trial[str]:
        asked.update((c, i) for i in range(m))
        return Trial(c, m, hits[c][:m], 1 - hits[c][:m], np.ones(m))

    ranked, tried = successive_halving(list("abcdef"), attempt, 100)
    assert ranked[0].candidate == "c"
    assert ranked[0].n == 100
    assert set(tried) == set("abcdef")
    assert len(asked) == schedule(6, 100)


def test_choosing_among_worthless_candidates_gains_nothing_on_other_items() -> None:
    """Choice on development items must not leak: on random answers, evaluation stays at chance."""
    rng = np.random.default_rng(1)
    gains, development = [], []
    for _ in range(300):
        dev = {c: (rng.random(100) < 0.25).astype(float) for c in range(12)}
        evaluation = {c: (rng.random(300) < 0.25).astype(float) for c in range(12)}
        ranked, _ = successive_halving(
            list(dev), lambda c, m, d=dev: Trial(c, m, d[c][:m], 1 - d[c][:m], np.ones(m)), 100
        )
        gains.append(evaluation[ranked[0].candidate].mean() - 0.25)
        development.append(ranked[0].value - 0.25)
    error = np.std(gains) / np.sqrt(len(gains))
    assert abs(np.mean(gains)) < 3 * error
    assert np.mean(development) > 0.02  # the optimism that must not be reported


def test_near_ties_go_by_loss() -> None:
    gain = np.tile([1.0, 0.0], 50)
    nudged = gain.copy()
    nudged[[1, 3, 5]] = 1.0
    nudged[[0, 2]] = 0.0  # one hit ahead in a hundred: luck

    def attempt(c: str, m: int) -> Trial[str]:
        loss = np.full(m, 1.0 if c == "sure" else 2.0)
        return Trial(c, m, (gain if c == "sure" else nudged)[:m], loss, np.ones(m))

    ranked, _ = successive_halving(["lucky", "sure"], attempt, 100)
    assert ranked[0].candidate == "sure"
