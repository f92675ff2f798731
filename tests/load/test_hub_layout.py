"""Folders laid out as repositories of the hub: configs of README.md, a folder per config."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataedge.errors import AuditError
from dataedge.load import load


def shard(path: Path, name: str, n: int = 4) -> None:
    """A Parquet file of texts that say their file's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"text": f"{name} has text {i}", "label": "ab"[i % 2]} for i in range(n)]
    pq.write_table(pa.Table.from_pylist(rows), path)


def card(folder: Path, configs: str, more: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = f"---\nlicense: mit\n{more}{configs}\n---\n# Hats\n\nA card.\n"
    (folder / "README.md").write_text(text)


@pytest.fixture
def hats(tmp_path: Path) -> Path:
    """Two languages, the first in two shards and two splits."""
    folder = tmp_path / "hats"
    shard(folder / "en" / "train-00000-of-00002.parquet", "en one")
    shard(folder / "en" / "train-00001-of-00002.parquet", "en two")
    shard(folder / "en" / "test-00000-of-00001.parquet", "en test", 2)
    shard(folder / "de" / "train-00000-of-00001.parquet", "de", 2)
    return folder


EN = """\
- config_name: en
  data_files:
  - split: train
    path: en/train-*
  - split: test
    path: en/test-*"""
DE = """
- config_name: de
  data_files:
  - split: train
    path: de/train-*"""
INFO = """\
dataset_info:
- config_name: en
  features:
  - name: text
    dtype: string
  splits:
  - name: train
    num_examples: 99
"""


def test_one_config_with_its_splits(hats: Path) -> None:
    card(hats, f"configs:\n{EN}", INFO)
    found = load(hats)
    assert [i.split for i in found.items] == ["train"] * 8 + ["test"] * 2
    assert found.items[4].text == "en two has text 0"
    assert not any("left out" in n for n in found.notes)


@pytest.mark.parametrize("de", [DE + "\n  default: true", DE.replace(": de\n", ": default\n")])
def test_the_default_config_is_read(hats: Path, de: str) -> None:
    card(hats, f"configs:\n{EN}{de}")
    found = load(hats)
    assert [i.text for i in found.items] == ["de has text 0", "de has text 1"]
    assert any("left out en" in n for n in found.notes)


def test_several_configs_are_named(hats: Path) -> None:
    card(hats, f"configs:\n{EN}{DE}")
    with pytest.raises(AuditError, match=r"README\.md: 2 configs: en, de") as caught:
        load(hats)
    assert "Set `default: true`" in caught.value.hint
    assert f"`dataedge audit {hats}/en`" in caught.value.hint
    assert len(load(hats / "en").items) == 10
    card(hats, f"configs:\n{EN}\n  default: true{DE}\n  default: true")
    with pytest.raises(AuditError, match="2 default configs: en, de"):
        load(hats)


@pytest.mark.parametrize(
    ("data_files", "rows"),
    [
        ("de/train-00000-of-00001.parquet", 2),
        ("'*/train-*'", 10),
        ("'**/*.parquet'", 12),
        ("'**'", 12),
        ("'[d]?/*'", 2),
        ("[de/*, 'en/test*']", 4),
    ],
)
def test_paths_without_splits_are_train(hats: Path, data_files: str, rows: int) -> None:
    card(hats, f"configs:\n- config_name: default\n  data_files: {data_files}")
    found = load(hats)
    assert len(found.items) == rows
    assert {i.split for i in found.items} == {"train"}


def test_a_list_of_paths_per_split_and_names_of_splits(hats: Path) -> None:
    card(
        hats,
        """configs:
- config_name: default
  data_files:
  - {split: validation_matched, path: [de/train-00000-of-00001.parquet]}
  - {split: train_sft, path: [en/train-00000-of-00002.parquet, en/train-00001-of-00002.parquet]}""",
    )
    splits = [i.split for i in load(hats).items]
    assert splits == ["train"] * 8 + ["test"] * 2  # validation is the test where there is none


def test_the_folder_of_a_config(hats: Path) -> None:
    card(hats, "configs:\n- config_name: en\n  data_dir: en")
    assert [i.split for i in load(hats).items] == ["train"] * 8 + ["test"] * 2
    card(hats, "configs:\n- config_name: en\n  data_dir: en\n  data_files: test-*")
    assert len(load(hats).items) == 2
    card(hats, "configs:\n- config_name: en\n  data_dir: fr")
    with pytest.raises(AuditError, match="no data file in 'fr'"):
        load(hats)


def test_folders_without_a_card(hats: Path) -> None:
    with pytest.raises(AuditError, match="2 folders hold data, a config each: de, en") as caught:
        load(hats)
    assert f"`dataedge audit {hats}/de`" in caught.value.hint
    (hats / "de").rename(hats / "default")
    found = load(hats)
    assert len(found.items) == 2
    assert any("read default/, left out en" in n for n in found.notes)
    (hats / "default" / "train-00000-of-00001.parquet").unlink()
    assert [i.split for i in load(hats).items] == ["train"] * 8 + ["test"] * 2
    (hats / "README.md").write_text("---\nlicense: mit\n---\nNo configs.\n")
    assert len(load(hats).items) == 10


def test_folders_that_are_named_by_splits(tmp_path: Path) -> None:
    """`train/0000.parquet`, as the hub converts datasets, by itself or in the folder of a config."""
    for home in (tmp_path / "plain", tmp_path / "configs" / "en"):
        for split, n in (("test", 2), ("train", 4), ("validation", 2)):
            shard(home / split / "0000.parquet", split, n)
        (home / "notes").mkdir()
    shard(tmp_path / "plain" / "notes" / "one.parquet", "a note")  # no split's name
    wanted = ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
    for folder in ("plain", "configs", "configs/en"):
        found = load(tmp_path / folder)
        assert [i.text.split()[0] for i in found.items] == wanted
        assert [i.split for i in found.items] == ["train"] * 6 + ["test"] * 2
    card(tmp_path / "configs", "configs:\n- config_name: en\n  data_dir: en")
    assert [i.text.split()[0] for i in load(tmp_path / "configs").items] == wanted
    shard(tmp_path / "out" / "0000.parquet", "out")
    (tmp_path / "plain" / "dev").symlink_to(tmp_path / "out")
    with pytest.raises(AuditError, match="leads out of the folder"):
        load(tmp_path / "plain")


def test_a_split_that_is_folder_and_file(tmp_path: Path) -> None:
    """Folders `train` and `test` with a file each are two splits, not two configs."""
    for split in ("train", "test"):
        shard(tmp_path / split / f"{split}.parquet", split, 2)
    assert [i.split for i in load(tmp_path).items] == ["train"] * 2 + ["test"] * 2


def test_files_that_stand_in_the_folder_come_first(hats: Path) -> None:
    shard(hats / "train.parquet", "top")
    assert [i.text for i in load(hats).items][:1] == ["top has text 0"]
    card(hats, "configs:\n- config_name: default")
    assert len(load(hats).items) == 4


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../secret.parquet", "leads out of the folder"),
        ("en/../../secret.parquet", "leads out of the folder"),
        ("/etc/passwd", "leads out of the folder"),
        ("link.parquet", "leads out of the folder"),
        ("link*", "leads out of the folder"),
        ("linked/secret.parquet", "leads out of the folder"),
        ("https://example.org/train.parquet", "is a URL"),
        ("hf://datasets/somebody/hats/train.parquet", "is a URL"),
        ("fr/train-*", "no data file matches 'fr/train-*'"),
        ("en", "no data file matches 'en'"),
        ("README.m*", "no data file matches"),
        ("[", "no data file matches"),
        ("'" + "*a" * 200 + "b'", "no data file matches"),
        ("'" + "**/" * 200 + "b'", "no data file matches"),
        ("x" * 5000, "no data file matches"),
        ("3", "`data_files` is no path"),
        ("{train: en/*}", "`data_files` is no path"),
        ("[{split: train}]", "`data_files` is no path"),
        ("[en/*, 3]", "`data_files` is no path"),
        ("[]", "`data_files` is no path"),
    ],
)
def test_paths_that_are_refused(hats: Path, path: str, message: str) -> None:
    shard(hats.parent / "secret.parquet", "secret")
    (hats / "link.parquet").symlink_to(hats.parent / "secret.parquet")
    (hats / "linked").symlink_to(hats.parent)
    if path[0] not in "'[{":
        path = f"'{path}'" if path != "3" else path
    path = "'['" if path == "[" else path
    card(hats, f"configs:\n- config_name: default\n  data_files: {path}")
    with pytest.raises(AuditError) as caught:
        load(hats)
    assert message in str(caught.value)
    assert "README.md: config 'default'" in str(caught.value)
    assert "`dataedge audit FILE`" in caught.value.hint


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    shard(tmp_path / "out" / "train.parquet", "out")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "default").symlink_to(tmp_path / "out")
    with pytest.raises(AuditError, match="leads out of the folder"):
        load(tmp_path / "in")


def test_a_snapshot_of_the_hubs_cache_links_to_its_blobs(hats: Path, tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "repo" / "snapshots" / "abc", tmp_path / "repo" / "blobs"
    blobs.mkdir(parents=True)
    card(hats, f"configs:\n{EN}")
    for n, path in enumerate(p for p in hats.rglob("*") if p.is_file()):
        link = snapshot / path.relative_to(hats)
        link.parent.mkdir(parents=True, exist_ok=True)
        path.rename(blobs / str(n))
        link.symlink_to(blobs / str(n))
    assert len(load(snapshot).items) == 10


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("configs:\n- config_name: [", "line 4: the YAML at its head cannot be read"),
        ("configs: 2026-99-99", "the YAML at its head cannot be read"),
        ("configs: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("configs: &a [*a]", "`configs` is no list of configs"),
        ("configs: en", "`configs` is no list of configs"),
        ("configs:", "`configs` is no list of configs"),
        ("configs:\n- data_files: a", "`configs` is no list of configs"),
        ("configs: !!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_a_broken_card(hats: Path, head: str, message: str) -> None:
    (hats / "README.md").write_text(f"---\n{INFO if 'line' not in message else ''}{head}\n---\n")
    with pytest.raises(AuditError) as caught:
        load(hats)
    assert message in str(caught.value)
    assert "README.md" in str(caught.value)


def test_a_card_without_an_end_or_without_configs(hats: Path) -> None:
    (hats / "README.md").write_text(f"---\nconfigs:\n{EN}\n")
    with pytest.raises(AuditError, match="has no end"):
        load(hats)
    (hats / "README.md").write_text("---\ntags: [broken\n---\n")
    with pytest.raises(AuditError, match="2 folders hold data"):
        load(hats)
