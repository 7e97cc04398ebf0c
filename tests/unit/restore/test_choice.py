"""Which records a restore is about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sfnb.restore.choice import choose
from sfnb.restore.request import RestoreRequest
from tests.store_samples import a_snapshot, a_store, record_id


@pytest.mark.parametrize(
    ("scope", "request_", "said"),
    [
        ("", RestoreRequest("00D", "s"), []),
        ("account", RestoreRequest("00D", "s"), ["partial_snapshot"]),
        ("account", RestoreRequest("00D", "s", objects=("Account",)), []),
        ("account", RestoreRequest("00D", "s", ids=(record_id(1),)), []),
    ],
)
def test_a_backup_of_some_objects_says_that_it_has_no_others(
    tmp_path: Path, scope: str, request_: RestoreRequest, said: list[str]
) -> None:
    """Who restores the latest snapshot after a disaster must not believe that it was of the whole org."""
    store = a_store(tmp_path)
    manifest = replace(store.snapshots[a_snapshot(store)].manifest, scope=scope)
    choice = choose(manifest, {"001": "Account"}, request_)
    assert [warning.code for warning in choice.warnings] == said
