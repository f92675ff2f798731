"""A cleaned copy: the right rows gone, the others as they were, and a manifest that says which and why."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import dataedge
from dataedge.errors import AuditError
from dataedge.export.clean import MANIFEST, _lost, clean
from dataedge.export.copied import write_copy
from dataedge.load.folder import read_path
from dataedge.load.formats import BY_SUFFIX, read_file
from dataedge.load.written import write_rows
from tests.words import PLACES, THINGS

ROWS = [{"text": f't{i}, "quoted"\nline ü', "label": ["a", None, "c"][i % 3]} for i in range(9)]
KEEP = (0, 2, 3, 7)


def written(suffix: str, folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"data{suffix}"
    table = pa.Table.from_pylist(ROWS)
    if suffix in (".csv", ".tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(
                file, ["text", "label"], delimiter="\t" if suffix == ".tsv" else ";"
            )
            out.writeheader()
            out.writerows(ROWS)
    elif suffix in (".jsonl", ".ndjson"):
        path.write_text("\n\n".join(json.dumps(r, indent=None) + "  " for r in ROWS))
    elif suffix == ".json":
        path.write_text(json.dumps({"version": 1, "data": ROWS}))
    elif suffix == ".parquet":
        pq.write_table(table, path)
    else:
        new = pa.ipc.new_file if suffix == ".feather" else pa.ipc.new_stream
        with new(str(path), table.schema) as out:
            out.write_table(table)
    return path


@pytest.mark.parametrize("suffix", sorted(set(BY_SUFFIX) - {".txt", ".md"}))
def test_rows_of_every_format_are_kept_as_they_were(suffix: str, tmp_path: Path) -> None:
    path = written(suffix, tmp_path)
    out = tmp_path / f"kept{suffix}"
    before = read_file(path, "before").data
    write_rows(path, before, KEEP, out)
    assert read_file(out, "after").data.to_pylist() == [before.to_pylist()[i] for i in KEEP]


@pytest.mark.parametrize("whole", [json.dumps(ROWS), "\n".join(map(json.dumps, ROWS))])
def test_json_in_other_shapes(whole: str, tmp_path: Path) -> None:
    path, out = tmp_path / "a.json", tmp_path / "b.json"
    path.write_text(whole)
    write_rows(path, read_file(path, "a").data, KEEP, out)
    assert len(read_file(out, "b").data) == len(KEEP)


ODD = {
    "spaces.csv": "text,label\n" + "".join(f'"hello, {i}", "pos"\n' for i in range(8)),
    "one_odd.csv": "text,label\n"
    + "".join(f"hello {i},b\n" for i in range(8))
    + ' "quoted, text",b\n',
    "behind.csv": "text,label\n" + "".join(f'"hello {i}" ,pos\n' for i in range(8)),
    "one.csv": "text\n" + "".join(f"t{i}\n\n" for i in range(8)),
    "header.csv": '"text, long"\n' + "".join(f"t{i}\n" for i in range(8)),
    "many.csv": '"a;b;c",text\n' + "".join(f"x{i},t{i}\n" for i in range(8)),
    "windows.csv": "text,label\r\n" + "".join(f"t{i},x\r\n" for i in range(8)),
    "trailing.json": "[" + ",".join(f'{{"text": "t{i}", "n": {i}}}' for i in range(8)) + "]",
    "twice.jsonl": "".join(f'{{"text": "x{i}", "text": "y{i}", "n": 1e400}}\n' for i in range(8)),
    "broken.jsonl": "".join(
        f'{{"text": "x{i}"}}\n' + ("{oops\n" if i == 2 else "") for i in range(8)
    ),
    "bom.jsonl": "\ufeff" + "".join(f'{{"text":\n "x{i}"}}\n' for i in range(8)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_copied_as_they_are_read(name: str, tmp_path: Path) -> None:
    """Other readers take such files otherwise: what counts is how the audit reads them."""
    path, out = tmp_path / name, tmp_path / "out" / name
    out.parent.mkdir()
    path.write_text(ODD[name], encoding="utf-8", newline="")
    before = read_file(path, "before").data
    write_rows(path, before, [0, 2, 3, 7], out)
    after = read_file(out, "after").data
    assert after.column_names == before.column_names
    assert after.to_pylist() == before.take([0, 2, 3, 7]).to_pylist()
    assert out.read_bytes().endswith(b"\r\n") == (name == "windows.csv")


def test_a_copy_that_would_read_otherwise_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text("text,label\n" + "".join(f"a{i},x\n" for i in range(8)))
    other.write_text("text,label\n" + "".join(f"b{i},x\n" for i in range(8)))
    import pyarrow.parquet as pq

    pq.write_table(read_file(path, "a").data, tmp_path / "a.parquet")
    with pytest.raises(AuditError, match="would not read"):
        write_rows(
            tmp_path / "a.parquet", read_file(other, "b").data, [0, 1], tmp_path / "c.parquet"
        )


def test_running_text_cannot_leave_out_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\n\ntwo\n")
    with pytest.raises(AuditError, match="cannot leave out rows"):
        write_rows(path, read_file(path, "a").data, [0], tmp_path / "b.txt")


@pytest.fixture(scope="module")
def audited(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> dataedge.Audit:
    """120 rows in a folder of their own, ten of them twice, three with a label that cannot be."""
    folder = tmp_path_factory.mktemp("unclean") / "data"
    folder.mkdir()
    rows = []
    for i in range(120):
        place = PLACES[i % len(PLACES)]
        label = "cold" if place in PLACES[:5] else "warm"
        rows.append([f"the {THINGS[i % 7]} number {i} from {place} came on day {i % 29}", label])
    for i in (3, 50, 91):
        rows[i][1] = "warm" if rows[i][1] == "cold" else "cold"
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text", "label"], *rows, *rows[10:20]])
    (folder / "dataedge.toml").write_text('probe_items = 40\nout = "elsewhere"\n')
    return dataedge.audit(folder, out=str(folder.parent / "audit"), model=tiny_model)


def test_a_copy_leaves_out_duplicates_and_suspects_and_says_so(
    audited: dataedge.Audit, tmp_path: Path
) -> None:
    source = Path(audited.report.dataset.path)
    before = (source / "rows.csv").read_bytes()
    suspects = {
        r
        for (r,) in audited.sql(
            'select "row" from items join findings using (item) where suspect'
        ).fetchall()
    }
    assert suspects
    found = clean(audited, tmp_path / "copy")
    assert (source / "rows.csv").read_bytes() == before
    assert found.rows == 130
    assert found.left_out["duplicates"] == 10
    manifest = json.loads((tmp_path / "copy" / MANIFEST).read_text())
    told = {e["row"]: e["reasons"] for e in manifest["each"]}
    assert {row for row, reasons in told.items() if "duplicates" in reasons} == set(range(121, 131))
    firsts = {row for row, reasons in told.items() if "suspects" in reasons and row <= 120}
    assert firsts == suspects
    with (source / "rows.csv").open() as file:
        original = list(csv.reader(file))[1:]
    with (tmp_path / "copy" / "rows.csv").open() as file:
        kept = list(csv.reader(file))[1:]
    assert kept == [row for at, row in enumerate(original, 1) if at not in told]
    assert (tmp_path / "copy" / "dataedge.toml").read_text() == "probe_items = 40\n"
    from dataedge.load import load

    again = load(tmp_path / "copy")  # the manifest is not taken for data
    assert again.rows == len(again.items) == len(kept)


def sheet(audited: dataedge.Audit, path: Path, decisions: dict[str, str]) -> Path:
    """The review sheet with decisions filled in, by item."""
    from dataedge.cli.export import write_review

    write_review(audited, "csv", "suspects", str(path))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["decision"] = decisions.get(row["item"], "")
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return path


def test_what_people_decided_is_kept_dropped_and_relabelled(
    audited: dataedge.Audit, tmp_path: Path
) -> None:
    query = 'select item, target, "row" from items join findings using (item) where suspect'
    suspects = audited.sql(query).fetchall()
    assert len(suspects) >= 3
    (kept, _, _), (dropped, _, _), (mended, given, row), *rest = suspects
    right = {"cold": "warm", "warm": "cold"}[given]
    decided = sheet(
        audited, tmp_path / "review.csv", {kept: "Keep", dropped: "drop", mended: right}
    )
    found = clean(audited, tmp_path / "copy", decisions=decided)
    assert found.relabelled == 1
    assert "1 row has a new label" in found.sentence
    assert found.left_out["decided"] == 1
    assert found.left_out.get("suspects", 0) == len(rest), "what nobody decided goes as before"
    manifest = json.loads((tmp_path / "copy" / MANIFEST).read_text())
    (new,) = manifest["new_labels"]
    assert (new["item"], new["row"], new["label"]) == (mended, row, right)
    from dataedge.load import load

    before = {item.text: item.target for item in load(audited.report.dataset.path).items}
    after = {item.text: item.target for item in load(tmp_path / "copy").items}
    ids = {item.id: item.text for item in load(audited.report.dataset.path).items}
    assert after[ids[kept]] == before[ids[kept]]
    assert ids[dropped] not in after
    assert after.pop(ids[mended]) == right
    assert all(before[text] == label for text, label in after.items())


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("item,row\nx,1\n", "has no column 'decision'"),
        ("item,decision\nx,keep\n", "line 2: no item of"),
        ("item,decision\nITEM,\n", "nothing is decided"),
        ("item;decision\nITEM;Colt\n", "line 2: 'Colt' is no decision"),
    ],
)
def test_decisions_that_are_none_are_named(
    audited: dataedge.Audit, tmp_path: Path, written: str, said: str
) -> None:
    ((item,),) = audited.sql("select item from items limit 1").fetchall()
    path = tmp_path / "review.csv"
    path.write_text(written.replace("ITEM", item))
    with pytest.raises(AuditError, match=said) as told:
        clean(audited, tmp_path / "copy", decisions=path)
    assert told.value.hint
    assert not (tmp_path / "copy").exists()
    with pytest.raises(AuditError, match="cannot be read"):
        clean(audited, tmp_path / "copy", decisions=tmp_path / "none.csv")


def test_labels_are_written_as_the_format_has_them(tmp_path: Path) -> None:
    from dataedge.export.decisions import relabelled
    from dataedge.load.folder import read_path

    for name, text in {
        "a.jsonl": '{"text": "a", "label": 1}\n{"text": "b", "label": 2}\n',
        "b.json": '[{"text": "a", "label": "1"}, {"text": "b", "label": "2"}]',
        "c.csv": "text,label\na,1\nb,2\n",
    }.items():
        path = tmp_path / name
        path.write_text(text)
        table = relabelled(read_path(path, name), {0: "2"}, "label", path)
        out = tmp_path / f"new{path.suffix}"
        write_rows(path, table.data, [0, 1], out)
        assert read_path(out, "new").column("label") == {"a.jsonl": [2, 2]}.get(name, ["2", "2"])
    parquet = written(".parquet", tmp_path)
    with pytest.raises(AuditError, match="new labels cannot be written"):
        relabelled(read_path(parquet, str(parquet)), {0: "b"}, "label", parquet)


def test_only_what_is_named_is_left_out(audited: dataedge.Audit, tmp_path: Path) -> None:
    found = clean(audited, tmp_path / "copy", ["duplicates"])
    assert found.rows_left_out == 10
    assert found.left_out == {"duplicates": 10}


def test_a_saved_dataset_is_saved_again(audited: dataedge.Audit, tmp_path: Path) -> None:
    import datasets

    source = Path(audited.report.dataset.path)
    saved = tmp_path / "saved"
    datasets.Dataset.from_csv(str(source / "rows.csv"), cache_dir=str(tmp_path)).save_to_disk(saved)
    report = audited.report.model_copy(
        update={"dataset": audited.report.dataset.model_copy(update={"path": str(saved)})}
    )
    clean(dataedge.Audit(audited.directory, report), tmp_path / "copy", ["duplicates"])
    assert len(datasets.load_from_disk(str(tmp_path / "copy"))) == 120


def moved(audited: dataedge.Audit, path: Path) -> dataedge.Audit:
    """The same audit, as if the same rows had been read from another place."""
    from dataedge.load import load

    there = {"path": str(path), "fingerprint": load(path).fingerprint}
    dataset = audited.report.dataset.model_copy(update=there)
    return dataedge.Audit(audited.directory, audited.report.model_copy(update={"dataset": dataset}))


def test_a_folder_of_the_hub_is_copied_with_its_card(
    audited: dataedge.Audit, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    from dataedge.load import load

    hub = tmp_path / "hub"
    (hub / "en").mkdir(parents=True)
    data = read_file(Path(audited.report.dataset.path) / "rows.csv", "rows").data
    for n in range(2):
        pq.write_table(data.slice(65 * n, 65), hub / "en" / f"train-0000{n}-of-00002.parquet")
    (hub / "README.md").write_text(
        "---\nlicense: mit\nconfigs:\n- config_name: de\n  data_files: gone/*\n- config_name: en\n"
        "  default: true\n  data_files:\n  - split: train\n    path: en/train-*\n"
        "dataset_info:\n- config_name: en\n  splits:\n  - name: train\n    num_examples: 130\n"
        "---\n# Hats\n"
    )
    clean(moved(audited, hub), tmp_path / "copy", ["duplicates"])
    copy = tmp_path / "copy"
    assert load(copy).rows == 120
    assert (copy / "en" / "train-00001-of-00002.parquet").is_file()
    card = (copy / "README.md").read_text()
    assert card.endswith("---\n# Hats\n")
    assert "license: mit" in card
    assert "gone" not in card
    assert "num_examples" not in card
    files = "".join(
        f"  - split: {s}\n    path: en/train-0000{n}*\n" for n, s in enumerate(("train", "test"))
    )
    (hub / "README.md").write_text(f"---\nconfigs:\n- config_name: en\n  data_files:\n{files}---\n")
    table = read_path(hub, str(hub))
    (tmp_path / "none").mkdir()
    with pytest.raises(AuditError, match=r"would not read as the data itself does: .*no data file"):
        write_copy(hub, table, {at: ["suspects"] for at in range(65, 130)}, tmp_path / "none")
    (hub / "README.md").write_text(
        f"---\nconfigs:\n- config_name: en\n  data_files:\n{files.replace('0*', '*')}---\n"
    )
    (tmp_path / "twice").mkdir()
    with pytest.raises(AuditError, match="belongs to two splits"):
        write_copy(hub, read_path(hub, str(hub)), {}, tmp_path / "twice")


def test_datasets_of_llama_factory_are_copied_with_their_description(
    audited: dataedge.Audit, tmp_path: Path
) -> None:
    from dataedge.load import load

    folder = tmp_path / "llama"
    (folder / "in").mkdir(parents=True)
    with (Path(audited.report.dataset.path) / "rows.csv").open() as file:
        rows = [{"ask": r["text"], "say": r["label"]} for r in csv.DictReader(file)]
    (folder / "in" / "rows.json").write_text(json.dumps(rows))
    columns = {"prompt": "ask", "response": "say"}
    entry = {"file_name": "in/rows.json", "file_sha1": "0", "columns": columns}
    info = {"rows": entry, "other": {"hf_hub_url": "somebody/other"}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    for source, named in ((folder, "in/rows.json"), (folder / "in" / "rows.json", "rows.json")):
        copy = tmp_path / f"copy of {source.name}"
        clean(moved(audited, source), copy, ["duplicates"])
        written = json.loads((copy / "dataset_info.json").read_text())
        assert written == {"rows": {"file_name": named, "columns": columns}}
        assert len(json.loads((copy / named).read_text())) == 120
        assert load(copy).columns == {"text": "ask", "label": "say"}


def test_what_stands_in_the_way_is_said(audited: dataedge.Audit, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="no reason to leave out rows"):
        clean(audited, tmp_path / "copy", ["ugly"])
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "x").write_text("x")
    with pytest.raises(AuditError, match="nothing is overwritten"):
        clean(audited, tmp_path / "used")
    source = Path(audited.report.dataset.path) / "rows.csv"
    text = source.read_text()
    try:
        source.write_text("\n".join(text.splitlines()[:100]) + "\n")
        with pytest.raises(AuditError, match="other rows"):
            clean(audited, tmp_path / "copy")
    finally:
        source.write_text(text)
    assert not (tmp_path / "copy").exists()


def test_of_near_duplicates_one_without_a_fault_stays() -> None:
    ids = [["a"], ["b"], ["c"], ["d"]]
    lost = _lost(ids, {"a": ["suspects"]}, {"a": 0, "b": 0, "c": 0, "d": 1}, True)
    assert lost == {0: ["suspects"], 2: ["near-duplicates"]}


def test_near_duplicates_are_neither_groups_nor_prompts(
    audited: dataedge.Audit, tmp_path: Path
) -> None:
    columns = "count(distinct cluster), count(distinct near_duplicates)"
    clusters, near = audited.sql(f"select {columns} from items").fetchall()[0]
    assert clusters <= near
    found = clean(audited, tmp_path / "copy", ["near-duplicates"])
    assert found.rows_left_out - found.left_out.get("duplicates", 0) == 120 - near


def test_rows_that_were_added_are_noticed_and_a_failed_copy_leaves_nothing(
    audited: dataedge.Audit, tmp_path: Path
) -> None:
    source = Path(audited.report.dataset.path) / "rows.csv"
    text = source.read_text()
    try:
        source.write_text(text + "one more text that is new,cold\n")
        with pytest.raises(AuditError, match="other rows"):
            clean(audited, tmp_path / "copy")
    finally:
        source.write_text(text)
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_it_did(
    audited: dataedge.Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataedge.cli.app import app

    out = tmp_path / "copy"
    app(["export", str(audited.directory), "--clean", "--out", str(out)], standalone_mode=False)
    said = capsys.readouterr().out
    assert "10 duplicates" in said
    assert str(out / MANIFEST) in said
    assert "Still in it" not in said  # nothing that a check would find
    kept = tmp_path / "with duplicates"
    without = ["--without", "suspects", "--out", str(kept)]
    app(["export", str(audited.directory), "--clean", *without], standalone_mode=False)
    said = capsys.readouterr().out
    assert "Still in it: " in said
    assert f"see `dataedge check {kept}`" in said
    for wrong in ([], ["--clean", "--review", "csv"]):
        with pytest.raises(AuditError, match="one thing is exported"):
            app(["export", str(audited.directory), *wrong], standalone_mode=False)
