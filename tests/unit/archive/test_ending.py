"""A cancelled archive says what it has deleted and not looked at in the recycle bin."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sfnb.archive.ending import abandon
from sfnb.archive.folder import Delete, JobFolder
from sfnb.org.client import OrgClient
from sfnb.state.job_values import Job
from tests.store_samples import a_store

SNAPSHOT = "20261102T080000Z-000001"


def nobody() -> OrgClient:
    raise AssertionError("the org is asked")


@pytest.mark.parametrize(
    ("outcomes", "says"),
    [
        (None, "2 deleted records may"),
        ({"a": None, "b": ("ENTITY_IS_LOCKED", "no")}, "1 deleted record may"),
        ({"a": ("ENTITY_IS_LOCKED", "no"), "b": ("ENTITY_IS_LOCKED", "no")}, ""),
        ({}, ""),
    ],
)
def test_what_was_not_looked_at_is_counted(tmp_path: Path, outcomes: Any, says: str) -> None:
    """Gone or of unknown fate: counted. Refused, or never sent: not."""
    store = a_store(tmp_path)
    folder = JobFolder(store.archive(SNAPSHOT).files)
    folder.put_delete(Delete(1, "Case", ("a", "b"), "2026-11-02T08:00:00+00:00", outcomes))
    said = abandon(store, cast(Job, SimpleNamespace(snapshot=SNAPSHOT)), nobody)
    assert said.startswith(says) and bool(said) is bool(says)
