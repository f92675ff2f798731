"""One list of measures: the report, the docs and the command are made from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dataedge.figures import Figure
from dataedge.items import Task
from dataedge.measure.registry import BY_NAME, MEASURES, in_order, lines, page

if TYPE_CHECKING:
    import dataedge

ROOT = Path(__file__).parents[2]


def test_the_page_in_the_docs_is_the_list() -> None:
    assert (ROOT / "docs" / "measures.md").read_text(encoding="utf-8") == page()


def test_names_are_unique_and_say_where_they_are_computed() -> None:
    assert len(BY_NAME) == len(MEASURES)
    for measure in MEASURES:
        assert (ROOT / "src" / "dataedge" / measure.module).exists(), measure.module
        assert measure.units
        assert measure.returns.endswith(".")


def test_the_command_prints_the_list_without_loading_what_computes() -> None:
    code = (
        "import sys; from dataedge import cli\n"
        "sys.argv = ['dataedge', 'measures']\ncli.main()\n"
        "print('LOADED', [m for m in ('torch', 'transformers', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == [*lines(), "LOADED []"], done.stderr
    command = [sys.executable, "-m", "dataedge", "measures", "--markdown"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == page()


def test_a_report_holds_registered_measures_in_order(small_audit: dataedge.Audit) -> None:
    found = small_audit.report.measures
    assert list(found) == [name for name in BY_NAME if name in found]
    expected = {m.name for m in MEASURES if Task.CLASSIFY in m.tasks} - {
        "annotator_agreement",
        "edge_unseen_pieces",
    }
    assert set(found) >= expected
    assert all(figure.unit in BY_NAME[name].units for name, figure in found.items())


def test_what_is_not_in_the_list_cannot_be_reported() -> None:
    tokens, noise = Figure(3.0, unit="tokens"), Figure(0.1, unit="share")
    assert list(in_order({"tokens": tokens, "label_noise": noise})) == ["label_noise", "tokens"]
    with pytest.raises(ValueError, match="tokenz"):
        in_order({"tokenz": tokens})
    with pytest.raises(ValueError, match="unit"):
        in_order({"tokens": noise})
