from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from dataedge.errors import AuditError
from dataedge.prompt.library import builtin_directory, load_probes, searched_probe
from dataedge.prompt.probe import load_probe

if TYPE_CHECKING:
    from pathlib import Path

GOOD = (builtin_directory() / "classify.yaml").read_text()
OWN = """\
name: mine
version: 1
task: classify
summary: Mine.
scoring: choices
templates:
  - name: a
    question: "{text}:"
    answer: " {label}"
  - name: b
    question: "{text} is"
    answer: " {label}"
"""


def test_the_built_in_probes_are_there() -> None:
    probes = load_probes()
    assert set(probes) >= {"classify", "respond", "recall", "surprisal"}


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        # wrong value, wrong type
        ("scoring: choices", "scoring: guesses", 5, "scoring"),
        ("scoring: choices", "scoring: likelihood", 5, "scored by choices"),
        ("task: classify", "task: sort", 3, "task"),
        ("version: 1", "version: one", 2, "version"),
        ("version: 1", "version: 0", 2, "version"),
        ("name: mine", "name: [mine]", 1, "name"),
        ("name: mine", "name: ''", 1, "name"),
        ("summary: Mine.", "summary: {is: mine}", 4, "summary"),
        ("  - name: b", "  - name: 7", 10, "templates.1.name"),
        ('answer: " {label}"\n  - name: b', "answer: 3\n  - name: b", 9, "templates.0.answer"),
        ("templates:", "templates: plain\nother:", 6, "templates"),
        ("templates:", "templates: []\nother:", 6, "templates"),
        ("  - name: b", "  - plain\n  - name: b", 10, "templates.1"),
        ("summary: Mine.", "summary: Mine.\ndemonstrations: 4", 5, "demonstrations"),
        ("summary: Mine.", "summary: Mine.\nlabel_forms: [given, shouted]", 5, "label_forms.1"),
        ("summary: Mine.", "summary: Mine.\ncalibration:\n- none\n- some", 7, "calibration.1"),
        ("summary: Mine.", "summary: Mine.\nmax_tokens: 0", 5, "max_tokens"),
        # nested
        (
            "summary: Mine.",
            "summary: Mine.\ndemonstrations:\n  random: [4]\n  retrieved: [4, x]",
            7,
            "demonstrations.retrieved.1",
        ),
        ("summary: Mine.", "summary: Mine.\ndemonstrations:\n  random: [0]", 6, "random.0"),
        (
            "summary: Mine.",
            "summary: Mine.\ndemonstrations:\n  randon: [4]",
            6,
            "did you mean random",
        ),
        # unknown and missing keys
        ("summary:", "sumary:", 4, "did you mean summary"),
        ("summary: Mine.", "summary: Mine.\ntemplate: x", 5, "did you mean templates"),
        ('    question: "{text} is"', '    questoin: "{text} is"', 11, "did you mean question"),
        ('    answer: " {label}"\n  - name: b', "  - name: b", 7, "templates.0.answer: missing"),
        (
            '    question: "{text} is"',
            '    question: "{text} is"\n    shots: 4',
            12,
            "templates.1.shots: unknown key",
        ),
        # places
        ('    question: "{text} is"', '    question: "{text} {lable_name}"', 11, "{label_name}"),
        ('    question: "{text} is"', '    question: "that is"', 11, "{text}"),
        ('    question: "{text} is"', '    question: "{text} {labels}"', 11, "{labels}"),
        ("  - name: b", "  - name: b\n    instruction: '{lables}'", 11, "did you mean {labels}"),
        (
            '    answer: " {label}"\n  - name: b',
            '    answer: " {lable}"\n  - name: b',
            9,
            "did you mean {label}",
        ),
        (
            '    answer: " {label}"\n  - name: b',
            '    answer: " {response}"\n  - name: b',
            9,
            "for task classify it must hold {label}",
        ),
        # twice
        ("  - name: b", "  - name: a", 10, "another template 'a'"),
        ("summary: Mine.", "summary: Mine.\nversion: 2", 2, "twice, the second time on line 5"),
        ("  - name: b", "  - name: b\n    name: c", 10, "templates.1.name: stands there twice"),
        # no YAML
        ("name: mine", "name: [mine", 2, "not YAML"),
        ("version: 1", "version: 1: 2", 2, "not YAML"),
        ("version: 1", "\tversion: 1", 2, "not YAML"),
        ("scoring: choices", "scoring: *there", 5, "not YAML"),
        ("templates:", "---\ntemplates:", 6, "not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    old: str, new: str, line: int, says: str, tmp_path: Path
) -> None:
    assert old in OWN
    file = tmp_path / "mine.yaml"
    file.write_text(OWN.replace(old, new, 1))
    with pytest.raises(AuditError) as caught:
        load_probe(file)
    assert caught.value.message.startswith(f"{file}:{line}: "), caught.value.message
    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "just words\n"])
def test_a_file_that_is_no_mapping_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(AuditError, match=r"mine.yaml:1: "):
        load_probe(file)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="No such file"):
        load_probe(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(AuditError, match="not UTF-8"):
        load_probe(tmp_path / "latin.yaml")
    (tmp_path / "empty").mkdir()
    for where in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(AuditError, match="no probe files"):
            load_probes(where)


def test_ones_own_probe_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "any_name.yaml").write_text(re.sub(r"version: \d+", "version: 9", GOOD))
    probes = load_probes(tmp_path)
    assert probes["classify"].version == 9
    assert len(searched_probe("classify", probes).templates) == 5


def test_templates_of_an_added_probe_join_the_search_of_their_task(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(OWN)
    probes = load_probes(tmp_path)
    main, joined = probes["classify"], searched_probe("classify", probes)
    assert [t.name for t in joined.templates] == [
        *(t.name for t in main.templates),
        "mine.a",
        "mine.b",
    ]
    assert joined.demonstrations == main.demonstrations
    assert searched_probe("generate", probes) == probes["respond"]
    assert load_probes(tmp_path / "mine.yaml") == probes


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (OWN + "label_forms: [given]\n", 13, "replace classify"),
        (
            OWN.replace("classify", "any")
            .replace("choices", "generation")
            .replace("{label}", "{response}"),
            3,
            "replaces a built-in one",
        ),
        (OWN.replace("mine", "recall"), 3, "recall that it replaces has task any"),
    ],
)
def test_what_does_not_fit_the_built_in_probes_is_named(
    text: str, line: int, says: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(AuditError) as caught:
        load_probes(tmp_path)
    assert f"mine.yaml:{line}: " in caught.value.message
    assert says in caught.value.message


def test_two_files_of_one_name_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(OWN)
    (tmp_path / "b.yml").write_text(OWN)
    with pytest.raises(AuditError, match=r"b.yml:1: name: .*a.yaml"):
        load_probes(tmp_path)


@pytest.mark.parametrize(
    "text", ["name: 2020-13-45\n", "a: " + "[" * 3000, "3\n", "- a\n", "? [a]\n"]
)
def test_what_yaml_itself_stumbles_over_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(AuditError, match=r"x\.yaml"):
        load_probe(tmp_path / "x.yaml")


def test_calibration_is_left_out_only_when_that_is_said(tmp_path: Path) -> None:
    """A probe in place of `classify` that forgets it must not make an edge out of label bias."""
    (tmp_path / "c.yaml").write_text(GOOD.partition("calibration:")[0])
    assert load_probes(tmp_path)["classify"].calibration == ("none", "batch", "contextual")
