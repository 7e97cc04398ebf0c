"""The second backup of an org in which nothing has changed."""

from __future__ import annotations

from pathlib import Path

from tests.command_line import CommandLine
from tests.conftest import RunningOrg

BY_PARENT = "ContentDocument,ContentDocumentLink"


def test_objects_read_by_their_parents_are_there_again(
    demo_org: RunningOrg, tmp_path: Path
) -> None:
    """P9: links are found by parents that did not change, so the parents' Ids are those of the state."""
    home = CommandLine.with_org(tmp_path / "home", demo_org)
    rows = []
    for _ in range(2):
        ran = home("backup", "x", "--objects", BY_PARENT, "--no-files", "--json")
        assert ran.code == 0, ran.err
        summary = ran.json
        rows.append({name: entry["rows"] for name, entry in summary["objects"].items()})
    assert rows[0]["ContentDocumentLink"] > 0
    assert rows[1] == rows[0]
