"""Which prompts are tried: every template, and no draw of demonstrations in two of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataedge.cli.plan import plan
from dataedge.items import Task
from dataedge.prompt import panel
from tests.ladder.test_fair_prompting import workspace


def test_every_template_is_tried_in_every_form_and_with_demonstrations() -> None:
    s = workspace(Task.CLASSIFY)
    templates = {t.name for t in s.probe.templates}
    bare = panel.zero_shot(s)
    assert {(p.template.name, p.form) for p in bare} == {
        (t, form) for t in templates for form in ("given", "humanised")
    }
    for k in s.shot_counts("random")[-2:]:
        assert {p.template.name for p in panel.few_shot(s) if p.k == k} == templates


def test_draws_are_independent() -> None:
    s = workspace(Task.CLASSIFY)
    shown = [p for p in panel.few_shot(s) if p.k in s.shot_counts("random")[-2:]]
    drawn = [tuple(item.row for item in s.shots(p, s.development[:1])[0]) for p in shown]
    assert len(set(drawn)) == len(drawn)
    assert len({p.name for p in panel.few_shot(s)}) == len(panel.few_shot(s))


@pytest.mark.parametrize("tokens", [5.0, 60.0, 600.0])
def test_sizes_are_those_of_the_panel(tokens: float) -> None:
    s = workspace(Task.CLASSIFY)
    s.__dict__["item_tokens"] = tokens
    near = panel.retrieved(s, panel.zero_shot(s)[0])
    counts = len(s.shot_counts("random")), len(s.shot_counts("retrieved"))
    sizes = panel.sizes(len(s.probe.templates), len(panel.forms(s)), *counts)
    found = {
        "zero_shot": len(panel.zero_shot(s)),
        "few_shot": len(panel.few_shot(s)),
        "retrieved": len(near),
    }
    assert found == sizes


def test_a_plan_counts_more_prompts_where_labels_have_two_forms(tmp_path: Path) -> None:
    for name, labels in {"two": ("newCard", "fee"), "one": ("newcard", "fee")}.items():
        rows = "".join(f"text number {i},{labels[i % 2]}\n" for i in range(200))
        (tmp_path / f"{name}.csv").write_text("text,label\n" + rows)
    assert plan(tmp_path / "two.csv", {}).passes > plan(tmp_path / "one.csv", {}).passes
