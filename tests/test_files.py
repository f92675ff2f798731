"""A file is whole or as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataedge.files import write_whole


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_whole(path, "first\n")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half of it\n" * 10_000 + "\ud800")
    assert path.read_text() == "first\n"
    assert list(tmp_path.iterdir()) == [path]
    write_whole(path, "second\n")
    assert path.read_text() == "second\n"
