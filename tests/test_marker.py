"""The file beside the database that remembers how far it had come."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bridge.store.marker import Marker


def test_nothing_was_ever_marked(tmp_path: Path) -> None:
    assert Marker(tmp_path / "used").read() == 0


def test_a_number_is_kept(tmp_path: Path) -> None:
    for beats in (1, 2, 10**12):
        Marker(tmp_path / "used").write(beats)

        assert Marker(tmp_path / "used").read() == beats


@pytest.mark.parametrize("content", [b"", b"12x", b"\xff\xfe", b"\0" * 8, b"1\n2"])
def test_a_file_that_makes_no_sense_counts_as_nothing(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "used"
    path.write_bytes(content)

    assert Marker(path).read() == 0


def test_a_marker_that_can_not_be_written_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marker = Marker(tmp_path / "no" / "such" / "folder")

    with caplog.at_level(logging.WARNING):
        marker.write(7)

    assert marker.read() == 0
    assert "marker" in caplog.text


def test_the_old_number_stays_when_the_new_one_can_not_be_written(
    tmp_path: Path,
) -> None:
    marker = Marker(tmp_path / "used")
    marker.write(7)
    (tmp_path / "used.new").mkdir()  # in the way

    marker.write(8)

    assert marker.read() == 7
