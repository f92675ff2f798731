from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataedge.errors import AuditError
from dataedge.probe.spec import builtin_directory, load_probe, load_probes

if TYPE_CHECKING:
    from pathlib import Path

GOOD = (builtin_directory() / "classify.yaml").read_text()


def test_the_built_in_probes_are_there() -> None:
    probes = load_probes()
    assert set(probes) >= {"classify", "respond", "recall", "surprisal"}
    assert len(probes["classify"].templates) >= 3
    assert len(probes["respond"].templates) >= 3


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("scoring: choices", "scoring: guesses", "scoring", "scoring"),
        ('answer: " {label}"', 'answer: "no place"', "answer", "answer"),
        ("label_forms:", "label_froms:", "label_froms", "label_froms"),
        ("random: [4, 8, 16]", "random: [four]", "random", "demonstrations"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    old: str, new: str, line: str, word: str, tmp_path: Path
) -> None:
    text = GOOD.replace(old, new, 1)
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(AuditError) as caught:
        load_probe(file)
    number = int(caught.value.message.split(":")[1])
    near = text.splitlines()[max(0, number - 4) : number + 3]
    assert any(line in row for row in near), caught.value.message
    assert word in caught.value.message


def test_broken_yaml_and_empty_directories_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: [\n")
    with pytest.raises(AuditError, match="not YAML"):
        load_probe(tmp_path / "x.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AuditError, match="no probe files"):
        load_probes(tmp_path / "empty")


def test_ones_own_probe_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "classify.yaml").write_text(GOOD.replace("version: 1", "version: 9"))
    assert load_probes(tmp_path)["classify"].version == 9
