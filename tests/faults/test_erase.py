"""`sfnb erase` and `sfnb prune` as an admin runs them: against an org, killed, on hold, proven."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sfnb.erase import work as erasing
from sfnb.store.pruning.run import Prune
from sfnb.store.tables import open_store
from tests.command_line import CommandLine, Ran
from tests.conftest import RunningOrg
from tests.unit.store.erasing.byte_search import found_in

OBJECTS = "Account,Contact,Case"
SMALL = {"Account": 20, "Contact": 20, "Case": 30, "Task": 10}
WITH_FILES = {
    **{"Account": 20, "Contact": 20, "Case": 40, "CaseComment": 60, "EmailMessage": 15},
    **{"Task": 30, "Attachment": 20, "Note": 8, "CaseHistory": 20},
    **{"ContentDocument": 12, "ContentVersion": 14, "ContentDocumentLink": 24},
}


@dataclass
class Place:
    """An org that was backed up twice, and one contact who has a case with a file."""

    org: RunningOrg
    sfnb: CommandLine
    folder: Path
    contact: str

    @property
    def store(self) -> Any:
        return open_store(self.sfnb.home / "store").org(self.org.org_id)

    def erase(self, *arguments: object) -> Ran:
        ids = self.folder / "ids.txt"
        ids.write_text(self.contact[:15])
        return self.sfnb("erase", "x", "--object", "contact", "--ids", ids, "--json", *arguments)

    def record(self) -> dict[str, Any]:
        found = self.store.snapshots["latest"].record("Contact", self.contact)
        return dict(found[1]) if found else {}

    def values(self) -> list[str]:
        """What only this contact has: its own texts of some length."""
        latest = self.store.snapshots["latest"]
        rows = [row for name in OBJECTS.split(",") for row in latest.table(name).to_pylist()]
        (mine,) = [row for row in rows if row["Id"] == self.contact]
        others = json.dumps([row for row in rows if row is not mine], default=str)
        found = [v for v in mine.values() if isinstance(v, str) and len(v) > 7]
        return [v for v in found if json.dumps(v)[1:-1] not in others and v != self.contact]


@pytest.fixture
def place(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> Place:
    org = fresh_org(own_data=True, has_oddities=False, objects=SMALL)
    sfnb = CommandLine.with_org(tmp_path / "home", org)
    assert sfnb("backup", "x", "--objects", OBJECTS, "--json").code == 0
    changed = org.control("rows", {"do": "change", "object": "Contact", "rows": 3})
    assert sfnb("backup", "x", "--objects", OBJECTS, "--json").code == 0
    return Place(org, sfnb, tmp_path, str(changed["done"][0]["ids"][0]))


def test_an_erasure_leaves_nothing_and_says_what_it_did(place: Place) -> None:
    """The contract's keys, the search for bytes, the certificate, verify, the next backup."""
    values = place.values()
    assert values and len(found_in(place.sfnb.home, values)) >= 2
    planned = place.erase("--with-children", "--dry-run")
    assert planned.code == 0 and planned.json["records"] >= 1 and planned.json["job_id"] is None
    assert place.erase("--with-children").code == place.erase("--confirm", "y").code == 2
    before = place.org.mark()
    certificate = place.folder / "c.json"
    done = place.erase("--with-children", "--confirm", "x", "--certificate", certificate)
    assert done.code == 0, done.err
    assert place.org.mark() == before, "what is stored is erased without the org"
    assert (done.json["kind"], done.json["state"], done.json["refused"]) == (
        "erase",
        "completed",
        [],
    )
    for key in ("records", "files", "snapshots"):
        assert done.json[key] == planned.json[key]
    assert len(done.json["snapshots"]) == 2 and done.json["certificate"] == str(certificate)
    assert found_in(place.sfnb.home, values) == []
    told = json.loads(certificate.read_text())
    hashed = hashlib.sha256(place.contact.encode()).hexdigest()
    assert {"object": "Contact", "id_sha256": hashed} in told["records"]
    assert told["verified"] is True and told["org_id"] == place.org.org_id
    assert len(told["records"]) == done.json["records"] and place.contact not in json.dumps(told)
    assert place.sfnb("verify", "x", "--json").code == 0
    assert place.contact not in json.dumps(place.sfnb("jobs", "--json").json)
    kinds = place.sfnb("audit", "--kind", "erase", "--json").json
    assert [line["action"] for line in kinds] == ["started", "completed"]
    # The org still has it: the next backup brings it back, and all is proven.
    after = place.sfnb("backup", "x", "--objects", OBJECTS, "--sweep", "--json")
    assert after.code == 0, after.err
    assert place.sfnb("verify", "x", "--json").code == 0
    assert place.record()["Id"] == place.contact


def test_what_is_on_hold_is_refused_and_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3, nothing is half erased; a hold that comes when all is planned beats it, too."""
    ids = place.folder / "held.txt"
    ids.write_text(place.contact)
    hold = ("hold", "add", "x", "--object", "Contact", "--ids", ids, "--reason", "law", "--json")
    held = place.sfnb(*hold).json
    before = place.record()
    done = place.erase("--confirm", "x")
    assert done.code == 3 and done.json["records"] == 0 and done.json["certificate"] is None
    (refused,) = done.json["refused"]
    assert (refused["object"], refused["id"]) == ("Contact", place.contact)
    assert "law" in refused["reason"] and place.record() == before
    pruned = place.sfnb("prune", "x", "--keep-last", 1, "--yes", "--json")
    assert pruned.code == 0 and pruned.json["removed"] == [] and len(pruned.json["held"]) == 1
    assert place.sfnb("hold", "remove", "x", held["hold_id"], "--reason", "over").code == 0
    late: list[str] = []

    def add_then(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            late.extend([place.sfnb(*hold).json["hold_id"]] if not late else [])
            return real(*given, **more)

        return call

    with monkeypatch.context() as meanwhile:  # a hold comes when all is planned
        meanwhile.setattr(Prune, "run", add_then(Prune.run))
        pruned = place.sfnb("prune", "x", "--keep-last", 1, "--yes", "--json")
    assert pruned.code == 2 and "hold was added" in pruned.err and len(place.store.snapshots) == 2
    assert place.sfnb("hold", "remove", "x", late.pop(), "--reason", "over").code == 0
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(erasing, "erase", add_then(erasing.erase))
        refusing = place.erase("--confirm", "x")
    assert refusing.code == 1 and place.contact in refusing.err and place.record() == before
    assert place.sfnb("hold", "remove", "x", late.pop(), "--reason", "over").code == 0
    assert place.erase("--confirm", "x").code == 0 and place.record() == {}


def test_a_certificate_names_only_what_was_stored(place: Place) -> None:
    """
    An Id of another object is refused, for a hold, too: nothing would be protected or erased by it.
    Of an Id that nobody has stored there was nothing to erase, and no certificate says otherwise.
    """
    before, ids = place.record(), place.folder / "others.txt"
    ids.write_text(place.contact)
    commands = (
        ("erase", "x", "--confirm", "x"),
        ("erase", "x", "--dry-run"),
        ("hold", "add", "x", "--reason", "law"),
    )
    for words in commands:
        refused = place.sfnb(*words, "--object", "Account", "--ids", ids)
        assert refused.code == 2 and "those begin with 001" in refused.sentence
    assert place.record() == before and place.sfnb("hold", "list", "x", "--json").json == []
    assert {job["kind"] for job in place.sfnb("jobs", "--json").json} == {"backup"}
    unknown = f"{place.contact[:7]}ZZZZZZZZ"
    erase = ("erase", "x", "--object", "Contact", "--ids", ids, "--confirm", "x", "--json")
    ids.write_text(unknown)
    nothing = place.sfnb(*erase)
    assert (nothing.code, nothing.json["records"], nothing.json["not_stored"]) == (0, 0, 1)
    assert nothing.json["certificate"] is None
    ids.write_text(f"{unknown}\n{place.contact}")
    done = place.sfnb(*erase)
    assert (done.code, done.json["records"], done.json["not_stored"]) == (0, 1, 1)
    told = json.loads(Path(done.json["certificate"]).read_text())
    hashed = hashlib.sha256(place.contact.encode()).hexdigest()
    assert told["records"] == [{"object": "Contact", "id_sha256": hashed}]


def test_a_prune_is_confirmed_and_what_stays_is_whole(place: Place) -> None:
    """Exit codes and keys of the contract; the backup after it is incremental and proven."""
    assert place.sfnb("prune", "x", "--yes").code == 2
    assert place.sfnb("prune", "x", "--keep-last", 1).code == 2
    promised = place.sfnb("prune", "x", "--keep-last", 1, "--dry-run", "--json").json
    first, second = list(place.store.snapshots)
    rows = place.store.snapshots["latest"].table("Contact").sort_by("Id")
    done = place.sfnb("prune", "x", "--keep-last", 1, "--yes", "--json")
    assert done.code == 0, done.err
    for said in (promised, done.json):
        assert (said["kept"], said["removed"], said["held"]) == ([second], [first], [])
    size = sum(p.stat().st_size for p in Path(place.store.root).rglob("*") if p.is_file())
    assert done.json["bytes_after"] == size
    freed = done.json["bytes_before"] - done.json["bytes_after"]
    assert promised["bytes_before"] - promised["bytes_after"] == pytest.approx(freed, rel=0.05)
    assert place.store.snapshots["latest"].table("Contact").sort_by("Id").equals(rows)
    assert place.sfnb("verify", "x", "--json").code == 0
    place.org.control("rows", {"do": "change", "object": "Contact", "rows": 2})
    again = place.sfnb("backup", "x", "--objects", OBJECTS, "--json")
    assert again.code == 0 and again.json["objects"]["Contact"]["mode"] == "incremental"
    assert again.json["objects"]["Contact"]["changed"] == 2
    assert place.sfnb("verify", "x", "--json").code == 0
    settings = place.sfnb.home / "sfnb.toml"
    settings.write_text(settings.read_text() + "\n[keep]\nlast = 1\n")
    assert place.sfnb("prune", "x", "--yes", "--json").json["removed"] == [second]
    assert place.sfnb("audit", "--kind", "prune", "--json").json[0]["details"]["removed"] == [first]


@pytest.mark.parametrize(("step", "name"), [(13, "-"), (1000, "erasures/")])
def test_an_erasure_that_was_killed_is_resumed(place: Place, step: int, name: str) -> None:
    """
    Killed by the operating system after so many changes of the disk, or at a file of this name;
    `sfnb resume` ends it, and the certificate names what was erased.
    """
    values = place.values()
    script = (
        "import os, sys, sfnb.store.files as f\n"
        f"left, NAME = [{step}], {name!r}\n"
        "def dying(real):\n"
        "    def call(self, path, *a, **k):\n"
        "        left[0] -= 1\n"
        "        is_end = real.__name__ == 'delete' and str(path).startswith(NAME)\n"
        "        if left[0] < 0 or is_end: os.kill(os.getpid(), 9)\n"
        "        return real(self, path, *a, **k)\n"
        "    return call\n"
        "for n in ('open_new', 'delete', 'sync'): setattr(f.Files, n, dying(getattr(f.Files, n)))\n"
        "from sfnb.cli.main import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    ids = place.folder / "ids.txt"
    ids.write_text(place.contact)
    killed = place.sfnb.script(
        script, "erase", "x", "--object", "Contact", "--ids", ids, "--confirm", "x", "--json"
    )
    assert killed != 0
    (job,) = [j for j in place.sfnb("jobs", "--json").json if j["kind"] == "erase"]
    assert job["interrupted"] is True
    resumed = place.sfnb("resume", "--all", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json[0]["state"] == "completed"
    paper = json.loads(Path(resumed.json[0]["certificate"]).read_text(encoding="utf-8"))
    wanted = [
        {"object": "Contact", "id_sha256": hashlib.sha256(place.contact.encode()).hexdigest()}
    ]
    assert paper["records"] == wanted and paper["verified"] is True
    assert found_in(place.sfnb.home, values) == []
    assert place.sfnb("verify", "x", "--json").code == 0
    shutil.rmtree(place.sfnb.home)


def test_an_archived_record_is_erased_with_its_children_and_files(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path
) -> None:
    """From the archive, which is a store of its own; other cases stay there. No Id is left either."""
    org = fresh_org(own_data=True, has_oddities=False, objects=WITH_FILES)
    sfnb = CommandLine.with_org(tmp_path / "home", org)
    closed = ("--object", "Case", "--where", "Status = 'Closed'")
    archived = sfnb("archive", "x", *closed, "--yes", "--json")
    assert archived.code == 0, archived.err
    store = open_store(sfnb.home / "store").org(org.org_id)
    snapshot = store.snapshots[archived.json["snapshot"]]
    attachments = {a["ParentId"]: a["Id"] for a in snapshot.table("Attachment").to_pylist()}
    comments = {c["ParentId"]: c["Id"] for c in snapshot.table("CaseComment").to_pylist()}
    case = next(one for one in attachments if one in comments)
    gone = [one[:15] for one in (case, comments[case], attachments[case])]
    ids = tmp_path / "ids.txt"
    ids.write_text(case)
    asked = ("erase", "x", "--object", "Case", "--ids", ids, "--with-children", "--json")
    others = snapshot.table("Case").num_rows - 1
    assert len(found_in(sfnb.home, gone)) >= 3
    done = sfnb(*asked, "--confirm", "x")
    assert done.code == 0, done.err
    assert done.json["records"] > 2 and done.json["files"] >= 1
    assert archived.json["snapshot"] in done.json["snapshots"]
    assert found_in(sfnb.home, gone) == []
    assert snapshot.table("Case").num_rows == others
    assert sfnb("archive", "search", "x", "--id", case, "--json").json == []
    assert sfnb("verify", "x", "--json").code == 0
