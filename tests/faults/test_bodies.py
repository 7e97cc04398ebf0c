"""Bodies of files: fetched once, proven, resumed, held or missing and nothing between."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.errors import CallerError, StoreError
from sfnb.jobs import events
from sfnb.store.bodies.content import Contents
from sfnb.store.bodies.listing import list_bodies, list_latest, write_body
from sfnb.store.bodies.writing_out import write_bodies
from sfnb.store.verify import verify
from sfnb_demo.data import content
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector

FILES = ["Attachment", "ContentVersion"]
COUNT = 25
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


def write(mine: Connection, record_id: str, target: Path, field: str | None = None) -> None:
    write_body(mine.store.files, list_latest(mine.snapshots), record_id, target, field)


def files_of(summary: dict[str, Any]) -> dict[str, int]:
    return {k: summary["files"][k] for k in ("known", "fetched", "missing")}


def test_a_body_is_fetched_once(
    fresh_org: Callable[..., RunningOrg], connected: Connector, tmp_path: Path
) -> None:
    """
    All bodies are held after the first backup; the next asks for none. Of a file that is kept
    outside nobody asks, and one of no bytes is held without a call.
    """
    org = fresh_org()
    mine = connected(org)
    summary = engine.run(mine, backup(objects=FILES))
    assert summary["state"] == "completed", summary
    listed = list(list_bodies(mine.snapshots[summary["snapshot"]]))
    asked = [one for one in listed if one.size]
    assert len(asked) == COUNT - 1, "one file has no bytes"
    assert files_of(summary) == {"known": COUNT, "fetched": COUNT - 1, "missing": 0}
    assert summary["files"]["bytes"] == sum(one.size or 0 for one in listed)
    assert bodies_asked(org) == COUNT - 1
    assert_all_held(org, mine, summary["snapshot"])
    mark = org.mark()
    again = engine.run(mine, backup(objects=FILES))
    assert bodies_asked(org, mark) == 0
    assert files_of(again) == {"known": COUNT, "fetched": 0, "missing": 0}
    assert_all_held(org, mine, again["snapshot"])
    engine.run(mine, backup(objects=["Vote"]))
    assert not list(list_bodies(mine.snapshots["latest"])), "it has other objects"
    assert len(list(list_latest(mine.snapshots))) == COUNT
    one = asked[0]
    write(mine, one.body.id, tmp_path / "out.bin")
    assert hashlib.sha256((tmp_path / "out.bin").read_bytes()).hexdigest() == one.sha256


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "html", "status": 200},
        {"fault": "status503"},
        {"fault": "half_body"},
        {"fault": "rewrite", "replace": [["^.", "!"]]},
        {"fault": "rewrite", "replace": [["$", "one byte more"]]},
        {"fault": "error", "code": "NOT_FOUND", "status": 404, "message": "gone"},
        {"fault": "redirect", "to": "https://strangers.example{target}"},
    ],
    ids=lambda fault: f"{fault['fault']}-{fault.get('status', '')}{fault.get('replace', '')}",
)
def test_what_is_not_the_file_is_never_taken_for_it(
    fresh_org: Callable[..., RunningOrg], connected: Connector, fault: dict[str, Any]
) -> None:
    """A wrong body is missing, the job ends with errors, and the next backup fetches that one alone."""
    org = fresh_org()
    mine = connected(org, clock=FakeClock())
    record_id = org.get("/services/data/v66.0/query?q=SELECT Id FROM ContentVersion LIMIT 1").json()
    record_id = record_id["records"][0]["Id"]
    org.fail(match=f"{record_id}/VersionData", **fault)
    summary = engine.run(mine, backup(objects=FILES))
    assert summary["state"] == "completed_with_errors", summary
    assert files_of(summary) == {"known": COUNT, "fetched": COUNT - 2, "missing": 1}
    listed = {b.body.id: b for b in list_bodies(mine.snapshots[summary["snapshot"]])}
    assert listed[record_id].state == "missing" and listed[record_id].reason
    assert sum(b.state == "missing" for b in listed.values()) == 1
    org.control("faults", method="DELETE")
    mark = org.mark()
    again = engine.run(mine, backup(objects=FILES))
    assert again["state"] == "completed" and bodies_asked(org, mark) == 1
    assert_all_held(org, mine, again["snapshot"])


def test_a_paused_list_goes_on_where_it_stopped(
    fresh_org: Callable[..., RunningOrg], connected: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2, P4: bodies that came before a pause are not asked for again, whoever resumes the job."""
    monkeypatch.setattr("sfnb.backup.bodies.reading.COMMIT_BODIES", 2)
    org = fresh_org(max_calls=40)
    mine = connected(org)
    engine.set_limit(mine, 50)
    summary = engine.run(mine, backup(objects=FILES), on_pause="exit")
    assert summary["state"] == "paused" and bodies_asked(org) > 4
    org.control("clock", {"advance_minutes": 25 * 60})
    engine.set_limit(mine, 100)
    summary = engine.resume(connected(org), summary["job_id"], on_pause="exit")
    assert summary["state"] == "completed" and bodies_asked(org) == COUNT - 1
    assert files_of(summary) == {"known": COUNT, "fetched": COUNT - 1, "missing": 0}
    assert_all_held(org, mine, summary["snapshot"])


def test_a_run_asks_for_no_more_bodies_than_its_budget(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """The budget of one backup is kept; the others are missing, and the next backup goes on."""
    org = fresh_org()
    mine = connected(org)
    mine.settings = replace(mine.settings, file_calls=10)
    summary = engine.run(mine, backup(objects=FILES))
    assert summary["state"] == "completed_with_errors" and bodies_asked(org) == 10
    assert files_of(summary) == {"known": COUNT, "fetched": 10, "missing": COUNT - 11}
    mine.settings = replace(mine.settings, file_calls=100)
    assert engine.run(mine, backup(objects=FILES))["state"] == "completed"
    assert bodies_asked(org) == COUNT - 1


def test_without_files_no_body_is_asked_for(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """`--no-files`: the snapshot says so, and no call goes to a body."""
    org = fresh_org()
    mine = connected(org)
    summary = engine.run(mine, backup(objects=FILES, files=False))
    assert summary["state"] == "completed" and bodies_asked(org) == 0
    assert "--no-files" in mine.snapshots["latest"].manifest.notes[0]
    assert {b.state for b in list_bodies(mine.snapshots["latest"])} == {"missing"}


def test_verify_finds_what_happened_to_a_body_and_the_next_backup_heals_it(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """A body that is gone, cut or changed is damage; gone and cut ones are fetched again."""
    org = fresh_org()
    mine = connected(org)
    engine.run(mine, backup(objects=FILES))
    assert verify(mine.store) == []
    root = Path(mine.store.root)
    (index,) = (root / "bodies" / "index").glob("*.json")
    written = index.read_bytes()
    for changed_to, message in (
        (b"", "is damaged"),
        (written + b"\n", "has changed since the seal"),
        (written + b"\n", "is spelled otherwise"),
        (None, "an index of bodies is missing"),
    ):
        index.unlink() if changed_to is None else index.write_bytes(changed_to)
        assert any(message in f.message for f in verify(mine.store) if f.path.endswith(index.name))
    index.write_bytes(written)
    assert verify(mine.store) == []
    gone, cut, changed = [b for b in list_bodies(mine.snapshots["latest"]) if b.size][:3]
    paths = {b.sha256: root / "bodies" / b.sha256[:2] / b.sha256 for b in (gone, cut, changed)}
    paths[gone.sha256].unlink()
    paths[cut.sha256].write_bytes(paths[cut.sha256].read_bytes()[:-1])
    bytes_ = paths[changed.sha256].read_bytes()
    paths[changed.sha256].write_bytes(bytes([bytes_[0] ^ 1]) + bytes_[1:])
    found = {Path(f.path).name: f.kind for f in verify(mine.store)}
    assert found == {gone.sha256: "missing", cut.sha256: "damaged", changed.sha256: "digest"}
    states = {b.sha256: b.state for b in list_bodies(mine.snapshots["latest"])}
    assert gone.sha256 not in states and list(states.values()).count("missing") == 1
    with pytest.raises(StoreError, match="damaged"):
        write(mine, changed.body.id, root.parent / "out")
    Contents(mine.store.files).set_aside(changed.sha256)  # what `sfnb verify` does with it
    mark = org.mark()
    engine.run(mine, backup(objects=FILES))
    assert bodies_asked(org, mark) == 3
    assert {f.kind for f in verify(mine.store)} == {"orphan"}
    assert_all_held(org, mine, "latest")


def test_images_in_rich_text_are_kept_once(
    fresh_org: Callable[..., RunningOrg], connected: Connector, tmp_path: Path
) -> None:
    """
    An image pasted into a text is fetched once, also when the text around it changes; each image of
    a record can be written out.
    """
    org = fresh_org(own_data=True)
    mine = connected(org)
    path = "/services/data/v66.0/query?q=SELECT Id FROM Project__c LIMIT 1"
    record_id = org.get(path).json()["records"][0]["Id"]
    images = ["0EM7Q000000AbCd", "0EM7Q000000AbCe"]
    shown = "".join(
        f'<img src="https://x.example/servlet/rtaImage?eid={record_id}&amp;feoid=00N&amp;refid={i}">'
        for i in images
    )

    def put(text: str) -> None:
        where = f"/services/data/v66.0/sobjects/Project__c/{record_id}"
        assert org.send("PATCH", where, json={"Rich_Notes__c": text}).ok

    put(f"<p>{shown}{shown}</p>")
    first = engine.run(mine, backup(objects=["Project__c"]))
    assert files_of(first) == {"known": 2, "fetched": 2, "missing": 0}
    put(f"<p>changed {shown}</p>")
    second = engine.run(mine, backup(objects=["Project__c"]))
    assert files_of(second) == {"known": 2, "fetched": 0, "missing": 0}
    found = mine.snapshots["latest"]
    assert {b.body.field for b in list_bodies(found)} == {f"Rich_Notes__c/{i}" for i in images}
    with pytest.raises(CallerError, match="--field"):
        write(mine, record_id, tmp_path / "out")
    write(mine, record_id, tmp_path / "out", f"Rich_Notes__c/{images[0]}")
    assert (tmp_path / "out").read_bytes() == content.body(images[0], 700)


def test_files_of_one_title_are_all_written_out(
    fresh_org: Callable[..., RunningOrg], connected: Connector, tmp_path: Path
) -> None:
    """As many files on the disk as bodies in the store, whatever they are called."""
    org = fresh_org(own_data=True)
    mine = connected(org)
    query = "/services/data/v66.0/query?q=SELECT Id FROM Attachment"
    records = [r["Id"] for r in org.get(query).json()["records"]]
    for number, record_id in enumerate(records):
        name = ("Offer.pdf", "offer.PDF", "..\\..\\Offer.pdf")[number % 3]
        where = f"/services/data/v66.0/sobjects/Attachment/{record_id}"
        assert org.send("PATCH", where, json={"Name": name}).ok
    engine.run(mine, backup(objects=FILES))
    found = mine.snapshots["latest"]
    held = [b for b in list_bodies(found) if b.state == "held"]
    done = [(b, p) for b, p in write_bodies(found.files, list_bodies(found), tmp_path / "out") if p]
    assert len(done) == len(held) > len(records) > 2
    assert len([p for p in (tmp_path / "out").rglob("*") if p.is_file()]) == len(held)
    for one, path in done:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == one.sha256
        assert path.parent.parent == tmp_path / "out"
    with pytest.raises(CallerError, match="not empty"):
        list(write_bodies(found.files, held, tmp_path / "out"))


def test_a_record_that_changes_while_its_body_is_fetched_is_noticed(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """A body without a checksum counts only if its record is still the one that was read."""
    org = fresh_org(own_data=True)
    mine = connected(org)
    path = "/services/data/v66.0/query?q=SELECT Id FROM Attachment LIMIT 1"
    record_id = org.get(path).json()["records"][0]["Id"]

    def change(event: events.Event) -> None:
        is_read = isinstance(event, events.ObjectProgress) and event.object_name == "Attachment"
        if is_read and event.state == "complete":
            org.control("clock", {"advance_minutes": 1})
            where = f"/services/data/v66.0/sobjects/Attachment/{record_id}"
            assert org.send("PATCH", where, json={"Description": "another"}).ok

    summary = engine.run(mine, backup(objects=["Attachment"]), emit=change)
    assert summary["state"] == "completed_with_errors" and summary["files"]["missing"] == 1
    assert "changed while" in summary["files"]["reasons"][0]
    states = {b.body.id: b.state for b in list_bodies(mine.snapshots["latest"])}
    assert states.pop(record_id) == "missing" and set(states.values()) == {"held"}
    mark = org.mark()
    again = engine.run(mine, backup(objects=["Attachment"]))
    assert again["state"] == "completed" and bodies_asked(org, mark) == 1


READ = """
import sys
from sfnb.store.bodies.listing import list_bodies
from sfnb.store.tables import open_store
bodies = list(list_bodies(open_store(sys.argv[1]).org(sys.argv[2]).snapshots["latest"]))
print(len(bodies), sorted({"pandas", "duckdb"} & set(sys.modules)))
"""


def test_looking_for_bodies_loads_no_pandas(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """A backup lists the bodies of its records in little memory, moments included."""
    org = fresh_org()
    mine = connected(org)
    engine.run(mine, backup(objects=FILES, files=False))
    root = Path(mine.store.root)
    command = [sys.executable, "-c", READ, str(root.parent), root.name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split(" ", 1) == [str(COUNT), "[]\n"]


def test_the_plan_prices_bodies_and_metadata(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """What the plan says of them is what they cost: in full at first, next to nothing after that."""
    org = fresh_org()
    mine = connected(org)
    objects = [*FILES, "Vote"]
    first = engine.plan(mine, backup(objects=objects)).plan
    assert first.file_calls == COUNT - 1, "one is empty: nobody asks for it, and the org tells so"
    done = engine.run(mine, backup(objects=objects, metadata=True))
    assert done["files"]["calls"] in range(COUNT - 1, COUNT + 2)
    then = engine.plan(mine, backup(objects=objects, metadata=True)).plan
    again = engine.run(mine, backup(objects=objects, metadata=True))
    assert then.file_calls == 0 and then.metadata_calls == again["metadata"]["calls"]
    assert again["metadata"]["calls"] < done["metadata"]["calls"], "nothing is retrieved again"
    later = engine.plan(mine, backup(objects=objects, metadata=True)).plan
    assert later.metadata_calls == again["metadata"]["calls"]
    without = engine.plan(mine, backup(objects=objects, files=False)).plan
    assert (without.file_calls, without.metadata_calls) == (0, 0)
    full = engine.plan(mine, backup(objects=objects, full=True)).plan
    assert full.file_calls == 0, "all of them are held"
