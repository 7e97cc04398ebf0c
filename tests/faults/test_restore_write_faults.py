"""Every fault of the demo org at every kind of write: each row is there once, or named as refused."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.errors import SfnbError
from sfnb.installation import connect
from sfnb.settings import OrgConfig
from tests.faults.conftest import settings_for
from tests.faults.restore_world import DATA, World, read
from tests.faults.write_faults import KINDS, Kind, Rule
from tests.restore_campaign.campaign import demo_org, id_map, truth
from tests.restore_campaign.records import Key, Truth, compare

IS_WHOLE = os.environ.get("SFNB_CAMPAIGN") == "full"
TIMES = 2
UNKNOWN = ("OUTCOME_UNKNOWN", "NO_ANSWER")
"""Of such a row nobody knows whether it is there."""
ROWS = ("Account", "Contact", "Project__c", "Milestone__c", "Invoice_Line__c")
FILES = ("ContentDocument", "ContentVersion", "ContentDocumentLink", "Attachment")
CASES = [(kind, fault) for kind, one in KINDS.items() for fault in one.faults]
SHORT = [
    ("undelete", "cut"),
    ("insert", "late_answer"),
    ("insert", "no_ids"),
    ("update", "locked"),
    ("bulk close", "cut"),
    ("bulk results", "first_missing"),
    ("version", "cut"),
    ("version", "replay"),
    ("link", "half_body"),
]
"""What CI tries of the table; all of it: ``SFNB_CAMPAIGN=full``."""


@dataclass
class Place:
    """A world that the cases of one kind share: what one has damaged, it has restored."""

    world: World
    hits: int = 0

    def make_files(self) -> None:
        """A document with two versions and two links, and an attachment."""
        first, second = self.world.ids("Account", limit=2)
        version = {
            "Title": "Table", "PathOnClient": "t.txt", "VersionData": text("one"),
            "FirstPublishLocationId": first,
        }  # fmt: skip
        made = self._made("ContentVersion", version)
        soql = f"SELECT ContentDocumentId FROM ContentVersion WHERE Id = '{made}'"
        (row,) = self.world.rows(soql)
        document = row["ContentDocumentId"]
        more = {"VersionData": text("two"), "ContentDocumentId": document}
        self._made("ContentVersion", {"Title": "Table", "PathOnClient": "t.txt", **more})
        link = {"ContentDocumentId": document, "LinkedEntityId": second, "ShareType": "V"}
        self._made("ContentDocumentLink", link)
        self._made("Attachment", {"ParentId": first, "Name": "Table", "Body": text("three")})

    def _made(self, name: str, values: dict[str, Any]) -> str:
        answer = self.world.org.send("POST", f"{DATA}/sobjects/{name}", json=values)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def backup(self) -> tuple[Truth, list[Any]]:
        """What there is, backed up."""
        self.world.org.control("clock", {"advance_minutes": 30})
        chosen = (*ROWS, *FILES)
        summary = engine.run(self.world.mine, engine.backup(objects=chosen, metadata=False))
        assert summary["state"] == "completed", summary
        found = self.truth(), self.files()
        self.world.org.control("clock", {"advance_minutes": 60})
        return found

    def truth(self) -> Truth:
        return truth(self.world.org, ROWS)

    def files(self) -> list[Any]:
        """What the files of this test hold, where they are linked."""
        found: list[Any] = []
        for row in self.world.rows(
            "SELECT Id, ContentDocumentId, VersionNumber FROM ContentVersion WHERE Title = 'Table'"
        ):
            document = row["ContentDocumentId"]
            soql = f"SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'"
            links = sorted(link["LinkedEntityId"] for link in self.world.rows(soql))
            body = self._body("ContentVersion", row["Id"], "VersionData")
            found.append(("version", row["VersionNumber"], body, links))
        for row in self.world.rows("SELECT Id, ParentId FROM Attachment WHERE Name = 'Table'"):
            found.append(
                ("attachment", row["ParentId"], self._body("Attachment", row["Id"], "Body"))
            )
        return sorted(found, key=str)

    def _body(self, name: str, record_id: str, field_name: str) -> str:
        answer = self.world.org.get(f"{DATA}/sobjects/{name}/{record_id}/{field_name}")
        return hashlib.sha256(answer.content).hexdigest()

    def damage(self, kind: Kind) -> None:
        for do, name in kind.damage:
            self.world.org.control("rows", {"do": do, "object": name, "rows": 5})
        if kind.has_files:
            documents = "SELECT ContentDocumentId FROM ContentVersion WHERE Title = 'Table'"
            gone = {
                "ContentDocument": {r["ContentDocumentId"] for r in self.world.rows(documents)},
                "Attachment": set(self.world.ids("Attachment", limit=9, where="Name = 'Table'")),
            }
            for name, ids in gone.items():
                entry = {"do": "hard_delete", "object": name, "ids": sorted(ids)}
                self.world.org.control("rows", entry)
            assert self.files() == []

    def clear_faults(self) -> int:
        """How many calls have met a fault so far, now that it is over."""
        org = self.world.org
        self.hits += sum(rule["hit"] for rule in org.control("faults")["rules"])
        org.control("faults", method="DELETE")
        return self.hits

    def restore(self, **options: Any) -> dict[str, Any]:
        """
        The outcome of a restore, however often it pauses or fails on the way: the fault is over
        then, as whoever resumes a job has seen to it.
        """
        mine = self.world.mine
        job_id = engine.create(mine, engine.restore(objects=(*ROWS, *FILES), **options))
        for _ in range(5):
            with suppress(SfnbError):
                engine.run_job(mine, job_id, on_pause="exit")
            job = mine.state.jobs.get(job_id)
            if job.state.startswith("completed") or "restored" in job.outcome:
                return dict(job.outcome)
            self.clear_faults()
            engine.control(mine).resume(job_id, org_id=mine.org_id)
        raise AssertionError(f"the restore does not end: {mine.state.jobs.get(job_id)}")


def text(words: str) -> str:
    return base64.b64encode(words.encode()).decode()


class Places:
    """A place for each kind; one in which a case has failed is not used again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Place] = {}
        self.stack = ExitStack()

    def of(self, kind: str) -> Place:
        if kind not in self._known:
            number = len(list(self._folder.iterdir()))
            self._known[kind] = self._new(self._folder / str(number))
        return self._known[kind]

    def forget(self, kind: str) -> None:
        self._known.pop(kind, None)

    def _new(self, folder: Path) -> Place:
        org = self.stack.enter_context(demo_org(folder / "org"))
        settings = settings_for(org, folder / "home")
        secret = folder / "home" / "client"
        secret.write_text(org.client_secret)
        # A session that ends is renewed.
        config = OrgConfig(
            name="demo",
            login="client",
            instance_url=org.url,
            client_id=org.client_id,
            secrets={"client_secret": f"file:{secret}"},
            org_id=org.org_id,
            header_lag_s=0,
        )
        settings = replace(settings, orgs={"demo": config})
        mine = self.stack.enter_context(connect("demo", settings=settings, clock=FakeClock()))
        place = Place(World(org, mine))
        place.make_files()
        return place


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    found = Places(tmp_path_factory.mktemp("places"))
    with found.stack:
        yield found


@pytest.mark.campaign
@pytest.mark.parametrize(("kind", "fault"), CASES if IS_WHOLE else SHORT)
def test_a_fault_at_a_write(
    places: Places, monkeypatch: pytest.MonkeyPatch, kind: str, fault: str
) -> None:
    """
    A fault twice at one kind of write. Each row is there once, as it was, or it is in the rejects
    file; sent again from there, all are there once.
    """
    place, one = places.of(kind), KINDS[kind]
    if one.is_bulk:
        monkeypatch.setattr("sfnb.restore.waves.BULK_CALLS", 0)
        monkeypatch.setattr("sfnb.restore.wave_run.FEW_ROWS", 0)
    try:
        is_whole = tried(place, one, one.faults[fault])
    except BaseException:
        places.forget(kind)
        raise
    if not is_whole:
        places.forget(kind)


def tried(place: Place, kind: Kind, rule: Rule) -> bool:
    """Whether all is as it was; not, where a row may be there that nobody knows of."""
    org = place.world.org
    before, files = place.backup()
    place.damage(kind)
    place.hits = 0
    org.fail(**rule, match=kind.match, times=TIMES, **({"body": kind.body} if kind.body else {}))
    outcome = place.restore(files=kind.has_files)
    assert place.clear_faults(), "no call met the fault"
    refused = rejects(outcome)
    unknown = [key for key, why in refused.items() if why.startswith(UNKNOWN)]
    found = compare(before, place.truth(), id_map(outcome), refused=refused)
    assert (found.lost, found.changed) == ([], [])
    assert len(found.doubled) <= len(unknown), found.doubled
    assert sum(outcome["restored"].values()) >= sum(outcome["plan"].values())
    assert_files(place.files(), files, is_some_refused=bool(refused))
    if unknown:
        return False
    ids = id_map(outcome)
    if refused:
        again = place.restore(
            files=kind.has_files,
            ids=tuple(old_id for _, old_id in refused),
            from_rejects=outcome["rejects"],
        )
        assert not rejects(again), rejects(again)
        ids |= id_map(again)
    found = compare(before, place.truth(), ids)
    assert (found.lost, found.changed, found.doubled) == ([], [], [])
    assert_files(place.files(), files, is_some_refused=False)
    return True


def assert_files(there: list[Any], wanted: list[Any], *, is_some_refused: bool) -> None:
    left = Counter(map(str, wanted))
    left.subtract(map(str, there))
    if not is_some_refused:
        assert not +left, "a file is missing, and nobody says so"
        assert not -left, "a file is there twice, or is not as it was"
    kinds = Counter(one[:2] for one in wanted)
    kinds.subtract(one[:2] for one in there)
    assert not -kinds, "a file is there twice"


def rejects(outcome: dict[str, Any]) -> dict[Key, str]:
    """By object and Id, why a row was refused."""
    lines = csv.DictReader(io.StringIO(read(outcome["rejects"])))
    return {(row["sfnb_object"], row["sfnb_id"]): row["sfnb_message"] for row in lines}
