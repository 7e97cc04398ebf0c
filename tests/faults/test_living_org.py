"""A backup of an org that others write to while it is read: complete means proven, and nothing is lost (P9)."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.jobs import events
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector
from tests.faults.test_incremental import BORN, life, pass_minutes, stored, truth

WRITTEN = ["Account", "Contact", "Lead", "Task", "Campaign", "Idea"]
BY_PARENT = ["IdeaComment", "ContentDocument", "ContentDocumentLink"]
DEEDS = ["insert", "insert", "change", "delete", "hard_delete", "undelete"]


def all_ids(there: Connection, snapshot: str, name: str) -> set[str]:
    """Alive or in the recycle bin."""
    rows = there.snapshots[snapshot].rows(name)
    batches = (*rows.batches(["Id"]), *rows.recycle_bin(["Id"]))
    return {one for batch in batches for one in batch.column(0).to_pylist()}


@pytest.mark.parametrize("seed", [1])
def test_rows_that_come_and_go_meanwhile_lose_no_others(
    fresh_org: Callable[..., RunningOrg], connected: Connector, seed: int
) -> None:
    """
    P9: with columns split and pages of 250, each record that was there all the time is stored; the
    next backup has the org as it is.
    """
    org = fresh_org(
        start_at=BORN,
        objects={"Contact": 3300, "Task": 2500},
        wide_page_rows=250,
        max_calls=100_000,
    )
    pick = random.Random(seed)  # noqa: S311
    there = connected(org)

    def write(event: events.Event) -> None:
        if isinstance(event, events.ObjectProgress):
            life(org, pick.choice(DEEDS), pick.choice(WRITTEN), rows=pick.randint(1, 6))
            pass_minutes(org, pick.choice([0, 0.2, 2]))

    before = {name: truth(org, name).keys() for name in WRITTEN}
    org.fail(object="Contact", fields_over=12, fault="error", code="QUERY_TOO_COMPLICATED")
    request = backup(objects=[*WRITTEN, *BY_PARENT], files=False, metadata=False)
    first = engine.run(there, request, emit=write)
    org.control("faults", method="DELETE")
    assert first["state"] == "completed", first["objects"]
    for name in WRITTEN:
        always = before[name] & truth(org, name).keys()
        assert always <= all_ids(there, first["snapshot"], name), name
    pass_minutes(org, 30)
    second = engine.run(there, request)
    assert second["state"] == "completed"
    for name in WRITTEN:
        assert stored(there, second["snapshot"], name) == truth(org, name), name
