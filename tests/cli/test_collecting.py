"""Static files are compressed once, when the product is installed, and copied by every first start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from counterfoil.app import collecting


@pytest.fixture
def ready_made(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an installation left beside the module."""
    folder = tmp_path / "ready"
    monkeypatch.setattr(collecting, "READY_MADE", folder)
    settings.STATIC_ROOT = str(folder)
    assert collecting.collect_static() is True
    settings.STATIC_ROOT = str(tmp_path / "data" / "static")
    return folder


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_first_start_copies_what_the_installation_made(
    ready_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(root: Path, digest: str) -> None:
        raise AssertionError("the files were compressed again")

    monkeypatch.setattr(collecting, "_collect", never)
    root = tmp_path / "data" / "static"
    assert collecting.collect_static() is True
    assert names(root) == names(ready_made)
    assert collecting.collect_static() is False


def test_files_that_changed_since_are_collected_again(
    ready_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ready_made / collecting.STAMP).write_text("of another release")
    root = tmp_path / "data" / "static"
    root.mkdir(parents=True)
    (root / "gone.css").write_text("of another release")
    assert collecting.collect_static() is True
    assert not (root / "gone.css").exists()
    assert (root / collecting.STAMP).read_text() != "of another release"
    assert names(root) == names(ready_made)
