"""One seed: an org, and archives of some of its cases one after another, each killed at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sfnb.org.client import OrgClient
from sfnb.store.files import Files
from sfnb.store.tables import open_store
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.command_line import CommandLine, Ran
from tests.conftest import RunningOrg
from tests.dying import dies_at

OBJECTS = {
    "Case": "Id, Subject, Status, Description, Priority",
    "CaseComment": "Id, ParentId, CommentBody",
    "EmailMessage": "Id, ParentId, Subject, TextBody",
    "Attachment": "Id, ParentId, Name, BodyLength",
    "Note": "Id, ParentId, Title",
    "ContentVersion": "Id, ContentDocumentId, Title, PathOnClient, Checksum",
}
FILES = "ContentVersion"
CHILDREN = tuple(name for name in OBJECTS if name not in ("Case", FILES))
FAULTS = ("cut", "status503", "html", "half_body")
DELETES = r"^DELETE .*/composite/sobjects"
AT_ONCE = 8
MOST_KILLS = 3

Row = dict[str, Any]
Truth = dict[str, dict[str, Row]]


class Killed(BaseException):
    """The process ends here, with whatever is on disk."""


@dataclass
class Outcome:
    """What one seed has shown."""

    seed: int
    faults: int = 0
    kills: int = 0
    real_kills: int = 0
    lost: int = 0
    doubled: int = 0
    kept: int = 0
    gone: int = 0
    files: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.findings)

    @property
    def line(self) -> str:
        return (
            f"seed {self.seed}: {self.faults} faults, {self.kills} kills "
            f"({self.real_kills} of them SIGKILL), "
            f"{self.lost} lost, {self.doubled} doubled"
        )


@dataclass
class Place:
    """The org, and the shell that archives it."""

    org: RunningOrg
    shell: CommandLine
    outcome: Outcome
    real_share: float = 0.0

    def dies(self, at: int, *arguments: str, is_real: bool) -> Ran | None:
        """One command that is killed at a step; what it said where it ended before that."""
        if is_real:
            ran = dies_at(at, self.shell.environ, *arguments)
            if ran is not None:
                return ran
            self.outcome.real_kills += 1
        else:
            with dying(at):
                try:
                    return self.shell(*arguments)
                except Killed:
                    pass
        self.outcome.kills += 1
        return None

    def rows(self, name: str, where: str) -> dict[str, Row]:
        """Living records by Id."""
        soql = f"SELECT {OBJECTS[name]} FROM {name} WHERE {where}"
        answer = self.org.get("/services/data/v66.0/query", params={"q": soql})
        assert answer.ok, answer.text
        found = answer.json()
        assert found["done"], "the campaign reads one page"
        return {
            r["Id"]: {k: v for k, v in r.items() if k != "attributes"} for r in found["records"]
        }

    def trees(self, cases: list[str]) -> Truth:
        """These cases and what hangs on them, as they are now."""
        listed = ",".join(f"'{one}'" for one in cases)
        found = {name: self.rows(name, f"ParentId IN ({listed})") for name in CHILDREN}
        documents = self.documents(cases)
        among = ",".join(f"'{one}'" for one in documents)
        files = self.rows(FILES, f"ContentDocumentId IN ({among})") if documents else {}
        return {"Case": self.rows("Case", f"Id IN ({listed})"), **found, FILES: files}

    def documents(self, cases: list[str]) -> list[str]:
        """The documents that are linked to these cases."""
        listed = ",".join(f"'{one}'" for one in cases)
        links = (
            f"SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId IN ({listed})"
        )
        answer = self.org.get("/services/data/v66.0/query", params={"q": links})
        assert answer.ok, answer.text
        return sorted({r["ContentDocumentId"] for r in answer.json()["records"]})

    def left_of(self, before: Truth) -> Truth:
        """What the org still has of the cases and of their files, whose links may be gone."""
        listed = ",".join(f"'{one}'" for one in before[FILES])
        files = self.rows(FILES, f"Id IN ({listed})") if listed else {}
        return {**self.trees(list(before["Case"])), FILES: files}


@contextmanager
def dying(at: int) -> Iterator[list[int]]:
    """
    Ends the process at the ``at``-th step within: a step is a call to the org or a file of the
    store, before or after it is done.
    """
    steps = [0]

    def step() -> None:
        steps[0] += 1
        if steps[0] == at:
            raise Killed

    request, open_new = OrgClient.request, Files.open_new

    def dying_request(self: OrgClient, *arguments: Any, **options: Any) -> Any:
        step()
        answer = request(self, *arguments, **options)
        step()
        return answer

    @contextmanager
    def dying_open(self: Files, path: str) -> Iterator[Any]:
        step()
        with open_new(self, path) as sink:
            yield sink
        step()

    with (
        patch.object(OrgClient, "request", dying_request),
        patch.object(Files, "open_new", dying_open),
    ):
        yield steps


def run_seed(seed: int, points: int, folder: Path, real_share: float = 0.0) -> Outcome:
    """
    Archives until so many kills have happened, or no case is left.

    Args:
        real_share: of the kills, how many end a process of its own by the operating system.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, guards nothing
    outcome = Outcome(seed)
    cases = 40 + points * AT_ONCE // 2
    options: dict[str, Any] = {
        "size": "tiny", "competitors": "off", "minutes_per_second": 0.0, "bulk_job_s": 0.0,
        "header_lag_s": 0.0, "max_calls": 1_000_000, "has_oddities": False,
        "objects": {
            "Account": 30, "Contact": 30, "Case": cases, "CaseComment": cases, "EmailMessage": cases // 2,
            "Attachment": cases // 3, "Note": cases // 4, "Task": cases // 3, "ContentDocument": cases,
            "ContentVersion": cases + 4, "ContentDocumentLink": cases,
        },
    }  # fmt: skip
    (folder / "org").mkdir(parents=True)
    with DemoServer(Options(**options), folder / "org") as server:
        org = RunningOrg(**server.ready(), server=server)
        shell = CommandLine.with_org(folder / "home", org, "demo")
        settings = folder / "home" / "sfnb.toml"
        settings.write_text("lost_answer_s = 0\n" + settings.read_text("utf-8"), "utf-8")
        place = Place(org, shell, outcome, real_share)
        # As Salesforce has it, documents can be deleted (Object Reference, ContentDocument).
        org.control("schema", {"do": "flags", "object": "ContentDocument", "deletable": True})
        left = sorted(place.rows("Case", "Id != null"))
        chance.shuffle(left)
        while outcome.kills < points and left:
            some, left = left[:AT_ONCE], left[AT_ONCE:]
            one_archive(place, some, chance)
    return outcome


def one_archive(place: Place, cases: list[str], chance: random.Random) -> None:
    """One archive from its first kill to its end."""
    before = place.trees(cases)
    listed = ",".join(f"'{one}'" for one in cases)
    arguments: tuple[str, ...] = (
        *("archive", "demo", "--object", "Case", "--where", f"Id IN ({listed})", "--yes", "--json"),
        *(("--hard",) if chance.random() < 0.4 else ()),
    )
    held: set[str] = set()
    if chance.random() < 0.5:
        place.org.fail(match=DELETES, times=chance.randint(1, 2), fault=chance.choice(FAULTS))
        place.outcome.faults += 1
    job = ""
    for _ in range(chance.randint(1, MOST_KILLS)):
        at = chance.randint(1, 110)
        is_real = chance.random() < place.real_share
        ran = place.dies(at, *arguments, is_real=is_real)
        check(place, before, f"killed at step {at}")
        if ran is not None:
            break
        jobs = [j for j in place.shell("jobs", "--json").json if j["kind"] == "archive"]
        job = next((j["job_id"] for j in reversed(jobs) if j["state"] == "running"), "")
        if job:
            arguments = ("resume", job, "--json")
        meddle(place, before, held, chance)
    else:
        ran = place.shell(*arguments)
    place.org.control("faults", method="DELETE")
    assert ran is not None
    if ran.code not in (0, 3):
        place.outcome.findings.append(f"{arguments}: exit {ran.code}: {ran.err[-500:]}")
        return
    check(place, before, "at the end")
    at_end(place, before, held, ran.json)


def meddle(place: Place, before: Truth, held: set[str], chance: random.Random) -> None:
    """Somebody changes a record while the archive is dead, or puts one on hold."""
    now = place.left_of(before)
    name = chance.choice(tuple(n for n in OBJECTS if now[n]) or ("",))
    if not name:
        return
    record = chance.choice(sorted(now[name]))
    if chance.random() < 0.4:
        place.org.control("clock", {"advance_minutes": 1})
        text = {"Case": "Subject", "CaseComment": "CommentBody", "EmailMessage": "Subject"}
        where = text.get(name, "Name" if name == "Attachment" else "Title")
        place.org.control(
            "rows",
            {"do": "change", "object": name, "ids": [record], "field": where, "value": "new!"},
        )
        # What is read from now on has to have it; what was read before may not go any more.
        before[name][record][where] = "new!"
    elif chance.random() < 0.5:
        file = place.shell.home / "ids"
        file.write_text(record, "utf-8")
        ran = place.shell(
            *(
                "hold",
                "add",
                "demo",
                "--object",
                name,
                "--ids",
                file,
                "--reason",
                "a case",
                "--json",
            )
        )
        assert ran.code == 0, ran.err
        held.add(record)


def stored(place: Place, name: str, record_id: str) -> Row | None:
    """The record in whatever archive has it complete."""
    store = open_store(place.shell.home / "store").org(place.org.org_id)
    for one in reversed(store.archives):
        snapshot = store.snapshots[one]
        if not snapshot.is_sealed or name not in snapshot.objects:
            continue
        found = snapshot.record(name, record_id)
        if found is not None:
            return dict(found[1])
    return None


def check(place: Place, before: Truth, where: str) -> None:
    """P5: what is gone from the org is whole in the store, as the org had it."""
    now = place.left_of(before)
    for name, rows in before.items():
        for record_id, row in rows.items():
            if record_id in now[name]:
                continue
            kept = stored(place, name, record_id)
            wrong = kept is None or [
                f for f, v in row.items() if (kept.get(f) or None) != (v or None)
            ]
            if wrong:
                place.outcome.lost += 1
                place.outcome.findings.append(f"{where}: {name} {record_id} went: {wrong}")


def at_end(place: Place, before: Truth, held: set[str], said: dict[str, Any]) -> None:
    """Holds are kept, trees are whole, and the outcome says what the org has done."""
    now, outcome = place.left_of(before), place.outcome
    kept = {one["id"] for one in said["kept"]}
    for name, rows in before.items():
        gone = rows.keys() - now[name].keys()
        outcome.gone += len(gone)
        outcome.files += len(gone) if name == FILES else 0
        if gone & held:
            outcome.findings.append(f"{name}: on hold and gone: {gone & held}")
        if said["deleted"].get(name, 0) != len(gone):
            outcome.findings.append(
                f"{name}: {len(gone)} are gone, the outcome says {said['deleted'].get(name, 0)}"
            )
    for case in now["Case"]:
        outcome.kept += 1
        if case not in kept:
            outcome.findings.append(f"Case {case} stays and nobody says why")
        for name in CHILDREN:
            lost = [
                i for i, r in before[name].items() if r["ParentId"] == case and i not in now[name]
            ]
            if lost:
                outcome.findings.append(f"Case {case} stays without {name} {lost}")
