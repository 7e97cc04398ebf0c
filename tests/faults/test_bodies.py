"""Bodies of files: fetched once, proven, resumed, held or missing and nothing between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.store.bodies.listing import list_bodies, write_body
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector

FILES = ["Attachment", "ContentVersion"]
COUNT = 26
"""Bodies of a tiny demo org in these objects."""


def bodies_asked(org: RunningOrg, after: int = 0) -> int:
    """How many calls for a body the org has received."""
    calls = org.ledger(after=after, calls=True)["calls"]
    return sum("/Body" in c["target"] or "/VersionData" in c["target"] for c in calls)


def assert_all_held(org: RunningOrg, connection: Connection, snapshot: str) -> None:
    """Each body of the snapshot has the bytes that the org has."""
    found = connection.snapshots[snapshot]
    listed = list(list_bodies(found))
    assert len(listed) == COUNT and {b.state for b in listed} == {"held"}
    root = Path(connection.store.root)
    for one in listed[::5]:
        body = one.body
        url = f"/services/data/v66.0/sobjects/{body.object_name}/{body.id}/{body.field}"
        true = org.get(url).content
        assert hashlib.sha256(true).hexdigest() == one.sha256
        assert (root / "bodies" / one.sha256[:2] / one.sha256).read_bytes() == true
        assert len(true) == one.size


def test_a_body_is_fetched_once(
    fresh_org: Callable[..., RunningOrg], connected: Connector, tmp_path: Path
) -> None:
    """All bodies are held after the first backup; the second one asks for none, since nothing changed."""
    org = fresh_org()
    mine = connected(org)
    summary = engine.run(mine, backup(objects=FILES))
    assert summary["state"] == "completed", summary
    listed = list(list_bodies(mine.snapshots[summary["snapshot"]]))
    sizes = sum(one.size or 0 for one in listed)
    assert {k: summary["files"][k] for k in ("known", "fetched", "bytes", "missing")} == {
        "known": COUNT,
        "fetched": COUNT,
        "bytes": sizes,
        "missing": 0,
    }
    assert_all_held(org, mine, summary["snapshot"])
    mark = org.mark()
    again = engine.run(mine, backup(objects=FILES))
    assert bodies_asked(org, mark) == 0
    assert again["files"]["known"] == COUNT and again["files"]["fetched"] == 0
    assert_all_held(org, mine, again["snapshot"])
    one = next(b for b in listed if b.body.object_name == "Attachment")
    write_body(mine.snapshots["latest"], one.body.id, tmp_path / "out.bin")
    assert hashlib.sha256((tmp_path / "out.bin").read_bytes()).hexdigest() == one.sha256
