"""The notebooks in the user's folder."""

from __future__ import annotations

from pathlib import Path

from sfnb.cli.lab import copy_notebooks


def test_changed_notebooks_are_never_overwritten(tmp_path: Path) -> None:
    """Notebooks are copied and renewed; one that its owner has changed stays, and its owner is told of a newer one."""
    source, there = tmp_path / "source", tmp_path / "there"
    source.mkdir()
    for name in ("a", "b"):
        (source / f"{name}.ipynb").write_text("1")
    assert copy_notebooks(source, there) == []
    (there / "b.ipynb").write_text("mine")
    assert copy_notebooks(source, there) == []
    for name in ("a", "b"):
        (source / f"{name}.ipynb").write_text("2")
    (kept,) = copy_notebooks(source, there)
    assert kept.startswith("b.ipynb has your changes")
    assert [(there / f"{name}.ipynb").read_text() for name in ("a", "b")] == ["2", "mine"]
    (there / "a.ipynb").unlink()
    copy_notebooks(source, there)
    assert (there / "a.ipynb").read_text() == "2"
    assert not list(there.glob("*.part"))
