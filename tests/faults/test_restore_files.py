"""Files come back whole, once, with their versions and links, whatever happens in between."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.installation import connect
from sfnb.org.writing.multipart import MultipartBody
from sfnb.restore.files.choosing import standing_of_files
from sfnb.restore.files.notes import FileNotes
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.present import PresentReader
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for
from tests.faults.restore_world import DATA, World

FILES = ("ContentDocument", "ContentVersion", "ContentDocumentLink", "Attachment")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An org with a document of two versions and two links, and an attachment; all backed up."""
    options = Options(
        size="tiny", competitors="off", minutes_per_second=0.0, bulk_job_s=0.0, header_lag_s=0.0,
        max_calls=1_000_000, objects={"ContentDocument": 5, "ContentVersion": 12, "Attachment": 5},
    )  # fmt: skip
    with DemoServer(options, tmp_path / "org") as server:
        org = RunningOrg(**server.ready(), server=server)
        with connect(
            "demo", settings=settings_for(org, tmp_path / "home"), clock=FakeClock()
        ) as mine:
            world = World(org, mine)
            summary = engine.run(mine, engine.backup(objects=("Account", *FILES), metadata=False))
            assert summary["state"] == "completed", summary["files"]["refused"]
            yield world


def state(world: World) -> list[Any]:
    """Titles, versions and bytes of all documents, where they are linked, and all attachments."""
    found: list[Any] = []
    for version in world.rows(
        "SELECT Id, ContentDocumentId, VersionNumber, Title, ContentSize, Checksum FROM ContentVersion"
    ):
        path = f"{DATA}/sobjects/ContentVersion/{version['Id']}/VersionData"
        document = version["ContentDocumentId"]
        soql = (
            f"SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'"
        )
        links = sorted(row["LinkedEntityId"] for row in world.rows(soql))
        digest = hashlib.sha256(world.org.get(path).content).hexdigest()
        found.append((version["Title"], version["VersionNumber"], digest, links))
    for one in world.rows("SELECT Id, Name, ParentId, BodyLength FROM Attachment"):
        path = f"{DATA}/sobjects/Attachment/{one['Id']}/Body"
        digest = hashlib.sha256(world.org.get(path).content).hexdigest()
        found.append((one["Name"], one["ParentId"], digest))
    return sorted(found, key=str)


def lose(world: World) -> dict[str, list[str]]:
    """A document with several versions and all that hangs on it, and two attachments, for good."""
    versions = world.rows(
        "SELECT Id, ContentDocumentId FROM ContentVersion WHERE ContentLocation = 'S'"
    )
    outside = {
        row["ContentDocumentId"]
        for row in world.rows(
            "SELECT ContentDocumentId FROM ContentVersion WHERE ContentLocation != 'S'"
        )
    }
    counts: dict[str, int] = {}
    for row in versions:
        if row["ContentDocumentId"] not in outside:
            counts[row["ContentDocumentId"]] = counts.get(row["ContentDocumentId"], 0) + 1
    document = max(counts, key=lambda one: counts[one])
    soql = f"SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'"
    gone = {
        "ContentDocumentLink": [row["Id"] for row in world.rows(soql)],
        "ContentVersion": [r["Id"] for r in versions if r["ContentDocumentId"] == document],
        "ContentDocument": [document],
        "Attachment": world.ids("Attachment", limit=2),
    }
    for name in ("ContentDocument", "Attachment"):
        if ids := gone[name]:
            world.org.control("rows", {"do": "hard_delete", "object": name, "ids": ids})
    return gone


def test_lost_files_come_back_with_versions_links_and_bytes(world: World) -> None:
    """
    Every byte, every version in order, every link once; the new Ids are in the id map. The plan has
    said how many, and what they cost.
    """
    before = state(world)
    gone = lose(world)
    assert state(world) != before
    plan = engine.plan(world.mine, engine.restore(files=True, objects=("Account", *FILES))).plan
    mark = world.org.mark()
    summary = world.restore(files=True, objects=("Account", *FILES))
    assert summary["state"] == "completed", summary["files"]["refused"]
    assert state(world) == before
    files = summary["files"]
    assert (files["documents"], files["attachments"]) == (1, 2)
    assert files["versions"] == len(gone["ContentVersion"])
    words = ("documents", "versions", "attachments", "undeleted", "bytes")
    assert {w: plan.files[w] for w in words} == {w: files[w] for w in words}
    assert plan.files["bytes"] > 0 < plan.files["calls"] <= world.org.mark() - mark
    again = world.restore(files=True, objects=("Account", *FILES))
    assert (again["files"]["documents"], again["files"]["attachments"]) == (0, 0)
    assert state(world) == before


def test_files_follow_a_record_that_an_earlier_restore_has_made_anew(world: World) -> None:
    """First the accounts without files, then the files: they hang on the new accounts."""
    parent = _made(world, "Account", Name="With a file")
    mine = _made(world, "Attachment", ParentId=parent, Name="f.txt", Body="aGk=")
    summary = engine.run(world.mine, engine.backup(objects=("Account", *FILES), metadata=False))
    assert summary["state"] == "completed"
    world.delete([parent], hard=True)
    assert not world.rows(f"SELECT Id FROM Attachment WHERE Id = '{mine}'", is_all=True)
    first = world.restore(objects=("Account",), ids=(parent,))
    assert first["restored"]["created"] == 1, first["restored"]
    (again,) = world.rows("SELECT Id FROM Account WHERE Name = 'With a file'")
    second = world.restore(files=True, objects=("Attachment",), ids=(mine,))
    assert second["files"]["attachments"] == 1, second["files"]
    assert world.rows(f"SELECT Name FROM Attachment WHERE ParentId = '{again['Id']}'")


def test_a_document_that_stayed_is_linked_to_the_record_that_is_made_anew(world: World) -> None:
    """What another record shows as well outlives its record: the new one shows it again, once."""
    gone, other = (_made(world, "Account", Name=name) for name in ("Shown here", "And here"))
    content = {"Title": "t", "PathOnClient": "t.txt", "VersionData": "aGk="}
    version = _made(world, "ContentVersion", **content, FirstPublishLocationId=gone)
    soql = f"SELECT ContentDocumentId FROM ContentVersion WHERE Id = '{version}'"
    document = str(world.rows(soql)[0]["ContentDocumentId"])
    links = "SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = "
    _made(world, "ContentDocumentLink", ContentDocumentId=document, LinkedEntityId=other)
    # An archive, too, has the links alone of documents that stay.
    objects = ("Account", "ContentDocument", "ContentDocumentLink")
    summary = engine.run(world.mine, engine.backup(objects=objects, metadata=False))
    assert summary["state"] == "completed"
    world.delete([gone], hard=True)
    assert gone not in {r["LinkedEntityId"] for r in world.rows(f"{links}'{document}'")}
    restored = world.restore(files=True, ids=(gone,))
    (again,) = world.rows("SELECT Id FROM Account WHERE Name = 'Shown here'")
    found = [r["LinkedEntityId"] for r in world.rows(f"{links}'{document}'")]
    assert found.count(again["Id"]) == 1 and other in found, restored["files"]
    assert restored["files"]["documents"] == 0 and restored["files"]["links"] == 1


def _made(world: World, name: str, **values: str) -> str:
    answer = world.org.send("POST", f"{DATA}/sobjects/{name}", json=values)
    assert answer.ok, answer.text
    return str(answer.json()["id"])


def test_what_was_refused_of_a_document_comes_back_from_the_rejects_file(world: World) -> None:
    """
    A document whose links or whose newest version were refused is there without them; the rejects
    file brings them back. An older version would become the newest: it is named.
    """
    before, gone = state(world), lose(world)
    world.org.fail(
        match="^POST .*/sobjects/ContentVersion", fault="error", code="STORAGE_LIMIT_EXCEEDED",
        status=400, times=1, nth=len(gone["ContentVersion"]),
    )  # fmt: skip
    world.org.fail(
        match="^POST .*/composite/sobjects", body="ContentDocumentLink", fault="error",
        code="INSUFFICIENT_ACCESS", times=1,
    )  # fmt: skip
    first = world.restore(files=True, objects=("Account", *FILES))
    assert {one["object"] for one in first["files"]["refused"]} == set(FILES) - {
        "Attachment", "ContentDocument", "Document"
    }  # fmt: skip
    world.org.control("faults", method="DELETE")
    refused = first["files"]["refused"]
    options = {"objects": ("Account", *FILES), "ids": tuple(one["id"] for one in refused)}
    plan = engine.plan(world.mine, engine.restore(files=True, **options)).plan
    assert (plan.files["versions"], plan.files["relinked"]) == (1, 1)
    again = world.restore(files=True, **options, from_rejects=first["rejects"])
    assert again["state"] == "completed", again["files"]
    assert state(world) == before


def test_an_older_version_is_not_added_after_a_newer_one(world: World) -> None:
    """Its document would show old bytes as its newest: it is refused, and named each time."""
    gone = lose(world)
    world.org.fail(
        match="^POST .*/sobjects/ContentVersion", fault="error", code="STORAGE_LIMIT_EXCEEDED",
        status=400, times=1,
    )  # fmt: skip
    first = world.restore(files=True, objects=("Account", *FILES))
    world.org.control("faults", method="DELETE")
    (refused,) = first["files"]["refused"]
    before = state(world)
    again = world.restore(files=True, objects=("Account", *FILES), ids=(refused["id"],))
    assert [one["code"] for one in again["files"]["refused"]] == ["NOT_MADE"]
    assert refused["id"] in gone["ContentVersion"] and state(world) == before


def test_files_that_the_org_does_not_undelete_are_named(world: World) -> None:
    """A call that is refused as a whole is a refusal of each of its files; the job goes on."""
    (row,) = world.rows("SELECT ContentDocumentId FROM ContentVersion LIMIT 1")
    document = row["ContentDocumentId"]
    world.org.control("rows", {"do": "delete", "object": "ContentDocument", "ids": [document]})
    world.org.control("rows", {"do": "change", "object": "Account", "rows": 1})
    world.org.fail(match="^POST .*/services/Soap/u/", fault="error", code="INSUFFICIENT_ACCESS")
    summary = world.restore(files=True, objects=("Account", *FILES))
    assert summary["state"] == "completed_with_errors", summary
    (refused,) = summary["files"]["refused"]
    assert (refused["id"], refused["code"]) == (document, "INSUFFICIENT_ACCESS")


def test_in_a_copy_of_the_org_an_old_id_is_no_file_that_is_there(world: World) -> None:
    """A full sandbox has the Ids of its org; its files hang on its own records, not on new ones."""
    ids = world.ids("Attachment", limit=3)
    folder = RestoreFolder(world.mine.store.files, "elsewhere")
    reader = PresentReader(world.mine.client, folder.files, folder.path)
    here = standing_of_files(reader, folder, "Attachment", ids)
    copy = standing_of_files(reader, folder, "Attachment", ids, is_other_org=True)
    assert here.there == set(ids) and not copy.there


@pytest.mark.parametrize("fault", ["cut", "half_body"])
def test_an_upload_whose_answer_is_lost_is_not_sent_twice(world: World, fault: str) -> None:
    """The org has the file, nobody heard: it is found, not doubled."""
    before = state(world)
    lose(world)
    for name in ("ContentVersion", "Attachment"):
        world.org.fail(fault=fault, match=f"^POST .*/sobjects/{name}", times=1)
    summary = world.restore(files=True, objects=("Account", *FILES))
    assert summary["state"] == "completed", summary["files"]["refused"]
    assert [rule["hit"] for rule in world.org.control("faults")["rules"]] == [1, 1]
    assert state(world) == before


def test_killed_at_each_note_no_file_is_doubled_or_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2 for files: dead before or after any note on disk, the resume makes each file once."""

    class Killed(BaseException):
        pass

    before = state(world)
    lose(world)
    job_id = engine.create(world.mine, engine.restore(files=True, objects=("Account", *FILES)))
    keep = FileNotes.keep
    for step in range(1, 40):
        count = 0

        def dying(self: FileNotes, old_id: str, note: Any, *, step: int = step) -> None:
            nonlocal count
            count += 1
            if count == 2 and step % 2:
                raise Killed
            keep(self, old_id, note)
            if count == 2:
                raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(FileNotes, "keep", dying)
            try:
                summary = engine.resume(world.mine, job_id)
                break
            except Killed:
                continue
    assert summary["state"] == "completed", summary["files"]["refused"]
    assert state(world) == before


def test_a_large_file_is_sent_in_pieces(tmp_path: Path) -> None:
    """Memory stays flat: a file of 1 GB that has no bytes on disk is read piece by piece."""
    path, size = tmp_path / "large", 1 << 30
    with path.open("wb") as file:
        file.truncate(size)
    body = MultipartBody(
        {"Title": "x"}, lambda: path.open("rb"), size, part="entity_content", field="VersionData", name='a"\r\n.bin'
    )  # fmt: skip
    for _ in range(2):  # as after a new login
        expected, sent = len(body), 0
        tracemalloc.start()
        while piece := body.read(1 << 16):
            sent += len(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sent == expected
        assert peak < 8 << 20


def test_files_of_the_chosen_objects_only(world: World) -> None:
    """``--files --objects Account``: documents that hang on accounts, and no other file."""
    before = state(world)
    lose(world)
    after = state(world)
    accounts = set(world.ids("Account", limit=2000))
    lost = [one for one in before if one not in after]
    of_accounts = [
        one
        for one in lost
        if accounts & set(one[3] if len(one) == 4 else [one[1]])  # links, or an attachment's parent
    ]
    world.restore(files=True, objects=("Account",))
    back = [one for one in state(world) if one not in after]
    assert back == of_accounts
    assert of_accounts != lost
    world.restore(files=True, objects=("Account", *FILES))
    assert state(world) == before


def test_an_upload_that_is_never_answered_is_refused_by_itself(world: World) -> None:
    """Nonsense instead of each answer, however often: that file is refused, and the job ends."""
    lose(world)
    world.org.fail(fault="status503", match="^POST .*/sobjects/ContentVersion")
    summary = world.restore(files=True, objects=("Account", *FILES))
    assert summary["state"] == "completed_with_errors"
    assert {one["code"] for one in summary["files"]["refused"]} == {"NO_ANSWER"}
    assert summary["files"]["attachments"] == 2
    assert "NO_ANSWER" in Path(summary["rejects"]).read_text(encoding="utf-8")
