"""Metadata: what was asked for is there or is named, whatever the org's retrieves do."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.errors import CallerError, LoginError
from sfnb.store.metadata.canonical import canonical
from sfnb.store.metadata.diff import diff_of
from sfnb.store.metadata.record import MetadataRecord
from sfnb.store.metadata.view import contents, metadata_of, write_metadata
from sfnb.store.verify import verify
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector

ONE = ["Vote"]
"""The rows do not matter here."""


PROFILES = ("profiles/Admin.profile", "profiles/Standard.profile")
"""Their elements come in the order in which things were asked for."""


def same_form(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: canonical(path, content) for path, content in files.items()}


def run(mine: Connection) -> dict[str, Any]:
    return engine.run(mine, backup(objects=ONE, metadata=True, files=False))


def taken(mine: Connection, snapshot: str = "latest") -> tuple[MetadataRecord, dict[str, bytes]]:
    """The record of a snapshot's metadata, and its files."""
    found = mine.snapshots[snapshot]
    record = metadata_of(mine.snapshots, found)
    return record, dict(contents(found, record))


def truth(org: RunningOrg) -> dict[str, bytes]:
    """Every file that the org has, profiles with all that they can speak of."""
    assert org.server is not None
    metadata = org.server.org.metadata
    wanted = [(c.kind, [c.wanted_as or c.full_name]) for c in metadata.components.values()]
    job = metadata.start(wanted, "66.0")
    while (result := metadata.check(job, with_zip=False)) is None:
        pass
    with zipfile.ZipFile(io.BytesIO(result.archive)) as archive:
        found = {n.removeprefix("unpackaged/"): archive.read(n) for n in archive.namelist()}
    del found["package.xml"]
    return found


@pytest.fixture
def org(fresh_org: Callable[..., RunningOrg]) -> RunningOrg:
    return fresh_org()


@pytest.fixture
def mine(org: RunningOrg, connected: Connector) -> Connection:
    return connected(org, clock=FakeClock())


def test_all_metadata_is_in_the_snapshot_and_can_be_written_out(
    org: RunningOrg, mine: Connection, tmp_path: Path
) -> None:
    """
    Standard objects by name, folders, value sets that no list has, packaged components under the
    name that retrieve knows: byte for byte what the org has.
    """
    mark = org.mark()
    summary = run(mine)
    assert summary["state"] == "completed", summary
    looks = [c for c in org.ledger(after=mark, calls=True)["calls"] if "/limits" in c["target"]]
    assert len(looks) <= 3, "an answer without a header is no reason to look at the limits"
    record, files = taken(mine)
    expected = truth(org)
    assert same_form(files) == same_form(expected)
    assert {p: c for p, c in files.items() if p not in PROFILES} == {
        p: c for p, c in expected.items() if p not in PROFILES
    }
    assert summary["metadata"]["components"] == record.count and summary["metadata"]["calls"] > 5
    assert "Account" in record.components["CustomObject"]
    assert (
        "Sales" in record.components["Document"]
        and "Industry" in record.components["StandardValueSet"]
    )
    assert "Account-pkg__Packaged Layout" in record.components["Layout"]
    count = write_metadata(mine.snapshots["latest"], record, tmp_path / "out")
    assert count == len(expected) + 1
    for path, content in files.items():
        assert (tmp_path / "out" / path).read_bytes() == content
    with pytest.raises(CallerError, match="cannot be made"):
        write_metadata(mine.snapshots["latest"], record, tmp_path / "out" / "package.xml" / "x")
    assert verify(mine.store) == []
    pack = next(Path(mine.store.root, "metadata").iterdir())
    held = pack.read_bytes()
    pack.write_bytes(held[:200] + bytes([held[200] ^ 1]) + held[201:])
    assert {f.kind for f in verify(mine.store)} == {"digest"}
    pack.unlink()
    assert {f.kind for f in verify(mine.store)} == {"missing"}
    assert "<members>Account</members>" in (tmp_path / "out" / "package.xml").read_text()


def test_unchanged_metadata_costs_its_lists_alone_and_no_bytes(
    org: RunningOrg, mine: Connection
) -> None:
    """The second backup asks for lists only; its metadata is that of the first."""
    first = run(mine)
    packs = sorted(Path(mine.store.root, "metadata").iterdir())
    second = run(mine)
    assert second["state"] == "completed" and second["metadata"]["unchanged"]
    assert second["metadata"]["components"] == first["metadata"]["components"]
    assert sorted(Path(mine.store.root, "metadata").iterdir()) == packs
    assert taken(mine, second["snapshot"])[1] == taken(mine, first["snapshot"])[1]


def test_a_change_is_found_and_only_its_bytes_are_stored(org: RunningOrg, mine: Connection) -> None:
    """A new date in the lists brings a retrieve; a date that did not move, the weekly one."""
    first = run(mine)
    change = {"type": "ApexClass", "name": "Invoices1", "body": "public class Invoices1 { }"}
    org.control("metadata", {"put": [change | {"at": "2026-11-01T00:00:00.000Z"}]})
    second = run(mine)
    assert not second["metadata"]["unchanged"]
    assert taken(mine)[1]["classes/Invoices1.cls"] == b"public class Invoices1 { }"
    new = [p for p in Path(mine.store.root, "metadata").iterdir() if second["snapshot"] in p.name]
    with zipfile.ZipFile(new[0]) as pack:
        assert len(new) == 1 and len(pack.namelist()) == 1
    found = diff_of(mine.snapshots, first["snapshot"], second["snapshot"])
    assert [(c.name, c.change, c.paths) for c in found.changes] == [
        ("Invoices1", "changed", ("classes/Invoices1.cls",))
    ]
    org.control("metadata", {"put": [change | {"body": "// silent"}]})
    assert run(mine)["metadata"]["unchanged"], "the lists say nothing of it"
    mine.clock.wait(8 * 86_400)
    assert not run(mine)["metadata"]["unchanged"]
    assert taken(mine)[1]["classes/Invoices1.cls"] == b"// silent"


@pytest.mark.parametrize(
    "trouble",
    [
        {"max_files": 20},
        {"broken_types": {"Flow": 1}},
        {"lost_results": 2},
        {"polls": 9},
    ],
    ids=lambda trouble: next(iter(trouble)),
)
def test_a_retrieve_that_fails_as_a_whole_loses_nothing(
    org: RunningOrg, mine: Connection, trouble: dict[str, Any]
) -> None:
    """Too large: halved, and profiles joined from the pieces. Broken or lost: asked for again."""
    expected = truth(org)
    org.control("metadata", trouble)
    summary = run(mine)
    assert summary["state"] == "completed", summary
    assert same_form(taken(mine)[1]) == same_form(expected)


def test_a_broken_type_is_named_and_the_others_are_kept(org: RunningOrg, mine: Connection) -> None:
    """One type that always fails is found by halving; one whose list fails is named, too."""
    expected = truth(org)
    org.control("metadata", {"broken_types": {"Flow": 10_000}, "unlisted_types": ["Workflow"]})
    summary = run(mine)
    assert summary["state"] == "completed_with_errors"
    record, files = taken(mine)
    assert {(m.type, m.name) for m in record.missing} == {
        *(("Flow", name) for name in ("Reminder", "Reminder-1", "Reminder-2", "Reminder-3")),
        ("Workflow", "*"),
    }
    lost = {p for p in expected if p.startswith(("flows/", "workflows/"))}
    assert same_form(files) == same_form({p: c for p, c in expected.items() if p not in lost})
    assert summary["metadata"]["missing"] == 5
    org.control("metadata", {"broken_types": {"Flow": 0}})
    assert run(mine)["metadata"]["missing"] == 1, "what was missing is asked for the next time"


def test_a_user_without_the_metadata_api_ends_with_errors_and_a_server_without_it_does_not(
    org: RunningOrg, mine: Connection
) -> None:
    """A permission that is missing is somebody's to give; where there is no such API nobody can."""
    org.control("metadata", {"refused": True})
    summary = run(mine)
    assert summary["state"] == "completed_with_errors"
    assert "ModifyMetadata" in summary["warnings"][-1]["message"]
    org.control("metadata", {"refused": False})
    org.fail(match="/Soap/m/", fault="error", status=404, code="NOT_FOUND", message="no such thing")
    summary = run(mine)
    assert summary["state"] == "completed" and summary["metadata"]["components"] == 0


def test_every_version_of_a_flow_is_there_and_says_whether_it_runs(
    org: RunningOrg, mine: Connection
) -> None:
    """
    A list has one entry for a flow, whose plain name brings the version that runs: the drafts and
    the old ones are asked for by their numbers. Activating another one is a change.
    """
    expected = truth(org)
    summary = run(mine)
    assert summary["state"] == "completed", summary
    record, files = taken(mine)
    flows = {p: c for p, c in expected.items() if p.startswith("flows/")}
    assert len(flows) == 4 and {p: files[p] for p in files if p.startswith("flows/")} == flows
    assert sorted(record.components["Flow"]) == [
        "Reminder",
        *(f"Reminder-{number}" for number in (1, 2, 3)),
    ]
    assert b"<status>Active<" in files["flows/Reminder.flow"]
    assert b"<status>Draft<" in files["flows/Reminder-3.flow"]
    assert run(mine)["metadata"]["unchanged"]
    for number, status in ((2, "Obsolete"), (3, "Active")):
        body = expected[f"flows/Reminder-{number}.flow"].decode()
        was = {2: "Active", 3: "Draft"}[number]
        body = body.replace(f">{was}<", f">{status}<")
        org.control(
            "metadata", {"put": [{"type": "Flow", "name": f"Reminder-{number}", "body": body}]}
        )
    assert not run(mine)["metadata"]["unchanged"], "no date has moved, and another version runs"
    assert b"<status>Active<" in taken(mine)[1]["flows/Reminder-3.flow"]


def test_versions_of_flows_that_cannot_be_listed_are_said(
    org: RunningOrg, mine: Connection
) -> None:
    """A user without the Tooling API has the version that runs, and the snapshot says so."""
    org.fail(match="/tooling/query", fault="error", status=403, code="INSUFFICIENT_ACCESS")
    assert run(mine)["state"] == "completed"
    record, files = taken(mine)
    assert list(record.components["Flow"]) == ["Reminder"] and files["flows/Reminder.flow"]
    assert any("versions of flows" in note for note in record.notes), record.notes


def test_an_org_of_an_older_release_is_asked_in_a_version_that_it_knows(
    org: RunningOrg, mine: Connection
) -> None:
    """
    The org has moved to an older release: the version used so far is none of its own. The backup
    takes the newest that both know, and says so in the snapshot.
    """
    assert org.server is not None and run(mine)["state"] == "completed"
    org.server.org.options.last_version = 65
    summary = run(mine)
    assert summary["state"] == "completed", summary
    assert mine.client.api_version == "65.0"
    org.control("metadata", {"put": [{"type": "ApexPage", "name": "Start", "body": "new"}]})
    mine.clock.wait(8 * 86_400)
    run(mine)
    assert taken(mine)[0].api_version == "65.0"


def test_success_with_nothing_in_it_is_no_metadata(org: RunningOrg, mine: Connection) -> None:
    """
    A Metadata API that is older than the version it is asked in answers with success and nothing:
    that is named, and what the last snapshot has stays. Nothing looks deleted.
    """
    first = run(mine)
    org.control("metadata", {"newest_version": 65})
    mine.clock.wait(8 * 86_400)
    summary = run(mine)
    assert summary["state"] == "completed_with_errors"
    assert "has no metadata in API version 66.0" in summary["metadata"]["reasons"][0]
    assert taken(mine)[1] == taken(mine, first["snapshot"])[1]
    assert not diff_of(mine.snapshots, first["snapshot"], summary["snapshot"]).changes
    org.control("metadata", {"newest_version": 66})
    assert run(mine)["state"] == "completed"


def test_what_a_new_release_drops_is_not_taken_for_deleted(
    org: RunningOrg, mine: Connection
) -> None:
    """The API version belongs to the snapshot; a comparison of two versions says so."""
    assert org.server is not None
    org.server.org.options.last_version = 65
    versions = {"RemoteSiteSetting": [31, 65], "CustomApplication": [66, 99]}
    org.control("metadata", {"kind_versions": versions})
    mine.client.address.take_newer_version()
    first = run(mine)
    org.server.org.options.last_version = 66
    mine.client.address.take_newer_version()
    mine.clock.wait(8 * 86_400)
    second = run(mine)
    assert [taken(mine, s["snapshot"])[0].api_version for s in (first, second)] == ["65.0", "66.0"]
    assert "RemoteSiteSetting" in taken(mine, first["snapshot"])[0].components
    found = diff_of(mine.snapshots, first["snapshot"], second["snapshot"])
    assert found.changes == ()
    assert "API version 65.0 then, 66.0 now" in found.notes[0]
    assert "CustomApplication, RemoteSiteSetting" in found.notes[0]


def test_an_archive_in_a_static_resource_is_bytes_like_any_others(
    org: RunningOrg, mine: Connection, tmp_path: Path
) -> None:
    """What says zip and is none, and what is one and says nothing of it, stay as they came."""
    expected = truth(org)
    assert run(mine)["state"] == "completed"
    record, _ = taken(mine)
    write_metadata(mine.snapshots["latest"], record, tmp_path / "far" / "down" / "out")
    for name in ("Pictures", "Bundle"):
        path = f"staticresources/{name}.resource"
        held = (tmp_path / "far" / "down" / "out" / path).read_bytes()
        assert held == expected[path] and held.startswith(b"PK\x03\x04")
    assert zipfile.is_zipfile(io.BytesIO(expected["staticresources/Bundle.resource"]))
    assert not list(tmp_path.rglob("outside.txt")) and not list(tmp_path.rglob("style.css"))


def test_a_session_that_ends_is_renewed(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """A SOAP fault is how the Metadata API says that the session has ended."""
    org = fresh_org()
    mine = connected(org, clock=FakeClock())
    org.fail(match="/Soap/m/", nth=3, times=1, fault="expire_session")
    with pytest.raises(LoginError):
        run(mine)  # a token cannot be renewed; a password could


def test_a_night_in_which_nobody_changed_the_set_up_costs_no_call_for_metadata(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """
    The trail of set-up changes is among the records that a backup reads anyway: where it is silent,
    nothing is listed, for a week; a new row, a changed document, or another reading of the trail
    meanwhile brings the lists.
    """
    org = fresh_org(features=["audit-trail"], own_data=True)
    mine = connected(org, clock=FakeClock())
    both = ["SetupAuditTrail", "Document"]
    assert org.server is not None
    others = [name for name in org.server.org.database.catalog.objects if name not in both]

    def calls(*also: str) -> int:
        wish = backup(exclude=[*others, *also], metadata=True, files=False)
        summary = engine.run(mine, wish)
        assert summary["state"] == "completed"
        return int(summary["metadata"]["calls"])

    assert calls() > 10
    assert calls() == 0 and taken(mine)[1] == taken(mine, min(mine.snapshots))[1]
    for name in both:
        org.control("rows", {"do": "insert", "object": name, "rows": 1})
        org.control("clock", {"advance_minutes": 5})
        assert calls() > 5, name
    org.control("rows", {"do": "insert", "object": "SetupAuditTrail", "rows": 1})
    engine.run(mine, backup(objects=both, metadata=False, files=False))
    assert calls() > 5, "the trail has been read since"
    assert calls("Document") > 5, "whether a document has changed is not known"
    mine.clock.wait(8 * 86_400)
    assert calls() > 10
