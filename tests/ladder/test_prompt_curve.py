"""The curve over demonstrations is asked of equal items, and its last point fills the context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest

import dataedge
from dataedge.figures import Figure
from dataedge.ladder.prompt_curve import divided, ladder_of_k, number_of_items, work

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = 1024  # of the tiny model


def evidence(audit: dataedge.Audit, reason: str) -> dict[str, Any]:
    return next(r.evidence for r in audit.reasons if r.id == reason)


def audited(path: Path, model: str, rows: list[str], **options: Any) -> dataedge.Audit:
    file = path / "rows.csv"
    file.write_text("text,label\n" + "\n".join(rows) + "\n")
    return dataedge.audit(file, out=str(path / "a"), model=model, probe_items=40, **options)


def test_the_last_point_fills_the_context_and_nothing_is_cut(small_audit: dataedge.Audit) -> None:
    points = evidence(small_audit, "prompting_ceiling")["curve_over_k"]
    ks, tokens = [p["k"] for p in points], [p["prompt_tokens"] for p in points]
    assert ks[0] == 0
    assert ks == sorted(set(ks))
    assert tokens == sorted(tokens)
    assert 0.85 * CONTEXT < tokens[-1] <= CONTEXT
    filled = evidence(small_audit, "prompting_impractical")["filled"]
    assert filled["k"] == ks[-1]
    slope = evidence(small_audit, "prompting_ceiling")["gain_per_doubling"]
    assert slope["n"] == filled["n"]
    with duckdb.connect(str(small_audit.directory / "audit.duckdb"), read_only=True) as store:
        cut = store.execute("select count(*) from stage_choices where cut").fetchone()
    assert cut == (0,)


def test_all_train_items_are_shown_where_they_fit_and_nothing_is_asked_twice(
    tiny_model: str, tmp_path: Path
) -> None:
    rows = [f"{'cold' if i % 2 else 'warm'} {i},{'ab'[i % 2]}" for i in range(60)]
    audit = audited(tmp_path, tiny_model, rows)
    shown = evidence(audit, "prompting_impractical")
    assert shown["filled"]["k"] == audit.report.dataset.splits["train"]
    assert shown["train_tokens"] < CONTEXT
    answer = next(r for r in audit.reasons if r.id == "prompting_impractical").answer
    assert answer != "supported"
    again = audited(tmp_path, tiny_model, rows)
    before, after = ({s.name: s.done for s in a.report.stages} for a in (audit, again))
    assert before == after
    first, second = (evidence(a, "latency_and_cost") for a in (audit, again))
    assert first == second  # nothing is timed anew
    assert first["seconds"]["best_prompt"]["low"] > 0


@pytest.mark.long
def test_where_no_demonstration_fits_there_is_no_curve_and_it_is_said(
    tiny_model: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    letters = list("abcdefghij")
    texts = [" ".join("".join(w) for w in rng.choice(letters, (90, 6))) for _ in range(60)]
    rows = [f"{text},{'ab'[i % 2]}" for i, text in enumerate(texts)]
    found = evidence(audited(tmp_path, tiny_model, rows), "prompting_ceiling")
    assert [p["k"] for p in found["curve_over_k"]] == [0]
    assert found["gain_per_doubling"]["value"] is None


@pytest.mark.parametrize("usual", [[], [4], [4, 8, 16], [8, 16]])
@pytest.mark.parametrize("filled", [0, 1, 3, 16, 17, 40, 500])
def test_numbers_of_demonstrations(usual: list[int], filled: int) -> None:
    steps = ladder_of_k(usual, filled)
    assert steps[0] == 0
    assert steps[-1] == filled
    assert steps == sorted(set(steps))
    assert len(steps) <= 5


def test_long_items_are_asked_of_fewer_and_a_server_of_fewest() -> None:
    assert number_of_items(300, 10.0, remote=False) == 300
    assert number_of_items(300, 100.0, remote=False) == 40
    assert number_of_items(300, 5000.0, remote=False) == 30
    assert number_of_items(300, 20.0, remote=True) == 40


def test_work_without_shared_beginnings_is_that_of_every_prompt() -> None:
    here, there = (
        work(300, 100, 20.0, 20.0, 4096, 1000, usual=[4, 8, 16], remote=remote)
        for remote in (False, True)
    )
    assert here.prompts == 5 * 300
    assert here.tokens < here.prompts * 20 + 2 * 4096
    assert there.prompts == 3 * 140
    assert there.sent == 3 * 140 * 20 + 140 * 24 * 20
    assert (here.filled, there.filled) == (300, 0)


def test_a_slope_is_a_difference_over_doublings() -> None:
    found = divided(Figure(0.12, 0.06, 0.18), 3.0)
    assert (found.value, found.low, found.high) == pytest.approx((0.04, 0.02, 0.06))
    assert divided(Figure.missing("none"), 2.0).reason == "none"
