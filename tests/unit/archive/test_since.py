"""What archives have taken from the org since a snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfnb.store.archives import (
    ArchivedObject,
    ArchiveRecord,
    archive_folder,
    archived_since,
    put_archive_record,
)
from sfnb.store.paths import plan_path
from tests.store_samples import a_store


@pytest.mark.parametrize(
    ("archive", "rows"),
    [
        ("20261102T095959Z-ffffff", 0),
        ("20261102T100000Z-000000", 3),
        ("20261102T100000Z-ffffff", 3),
        ("20261102T100001Z-000000", 3),
    ],
)
def test_an_archive_of_the_same_second_counts(tmp_path: Path, archive: str, rows: int) -> None:
    """The ends of two ids of one second are chance: they say nothing of which came first."""
    files = a_store(tmp_path).files
    own = files.below(archive_folder(archive))
    own.put_json(plan_path(archive), {})
    objects = {"Lead": ArchivedObject(4, "a", "b")}
    stayed = {"Lead": ["x"]}
    put_archive_record(own, ArchiveRecord(archive, "Lead", "", "", objects=objects, stayed=stayed))
    assert archived_since(files, {"Lead": "20261102T100000Z-888888"}) == {"Lead": rows}
