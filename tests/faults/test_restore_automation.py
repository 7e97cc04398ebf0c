"""Automation off for a restore and on again: exactly as it was, whatever dies, whoever changes what."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sfnb.connection import Connection
from sfnb.restore.automation import triggers
from sfnb.restore.automation.journal import AutomationJournal
from sfnb.restore.automation.listing import fetch_automation
from sfnb.restore.automation.switching import switch_off, switch_on, switching_calls
from sfnb.store.files import Files
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector, SharedClock

V = "/services/data/v66.0"
OBJECTS = ("Account", "Contact", "Opportunity", "Lead", "Case", "Project__c")
PATH = "restores/job/automation.json"
RULES = {"Email_or_phone": True, "Account_region": True, "ContactTrigger": True}
SWITCHED = {
    *("Amount_not_negative", "Email_or_phone", "AccountTrigger", "ContactTrigger"),
    *("Account_region", "Deal_won"),
}
"""What is active on these objects, belongs to no package and can be switched."""


@pytest.fixture(scope="module")
def shared_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    """One org for all tests here; each puts back what it has changed."""
    options = Options(
        size="tiny",
        competitors="off",
        minutes_per_second=0.0,
        header_lag_s=0.0,
        max_calls=1_000_000,
    )
    with DemoServer(options, tmp_path_factory.mktemp("automation")) as server:
        yield RunningOrg(**server.ready(), server=server)


@pytest.fixture
def org(shared_org: RunningOrg) -> Iterator[RunningOrg]:
    shared_org.control("writes", {"rules": RULES})
    yield shared_org
    shared_org.control("faults", method="DELETE")
    shared_org.control("metadata", {"polls": 1})
    assert shared_org.server is not None
    setup = shared_org.server.org.setup
    setup._texts.clear()
    setup._active |= {"Account_region": 2, "Deal_won": 1}
    shared_org.control("writes", {"rules": RULES | {"Amount_not_negative": True}})


@pytest.fixture
def connection(org: RunningOrg, connected: Connector) -> Connection:
    return connected(org, clock=SharedClock(org))


def states(org: RunningOrg) -> dict[str, Any]:
    """How each thing stands, as the org's own Tooling API shows it: what runs, which version, which text."""
    assert org.server is not None
    setup = org.server.org.setup
    found: dict[str, Any] = {}
    for name in ("ValidationRule", "ApexTrigger", "FlowDefinition"):
        for row in setup.rows(name) or ():
            key = row.get("ValidationName") or row.get("Name") or row["DeveloperName"]
            found[key] = (row["Metadata"], row.get("Status"), row.get("Body"))
    return found


def is_on(org: RunningOrg, name: str) -> bool:
    metadata, status, _ = states(org)[name]
    return bool(
        status == "Active"
        if status
        else metadata.get("active") or metadata.get("activeVersionNumber")
    )


def journal_in(folder: Path) -> AutomationJournal:
    return AutomationJournal.of(Files(str(folder)), PATH)


def no_wait(_seconds: float) -> None:
    """The demo org's deployments end by being looked at."""


def tooling(org: RunningOrg, kind: str, where: str, metadata: dict[str, Any]) -> None:
    """Somebody else switches something."""
    found = org.get(f"{V}/tooling/query?q={quote(f'SELECT Id FROM {kind} WHERE {where}')}").json()
    record_id = found["records"][0]["Id"]
    path = f"{V}/tooling/sobjects/{kind}/{record_id}"
    whole = org.get(path).json()["Metadata"] | metadata
    assert org.send("PATCH", path, json={"Metadata": whole}).status_code == 204


def test_the_list_names_what_is_active_on_the_objects(
    org: RunningOrg, connection: Connection
) -> None:
    """Triggers, validation rules, flows, processes, workflow, duplicate and assignment rules: 3 calls."""
    client = connection.client
    client.limits()
    mark = org.mark()
    found = fetch_automation(client, OBJECTS)
    assert len(org.ledger(after=mark, calls=True)["calls"]) == 3
    listed = {(i.kind, i.object_name, i.name): i.is_active for i in found.items}
    assert listed["trigger", "Contact", "ContactTrigger"] is True
    assert listed["trigger", "Contact", "pkg__SyncTrigger"] is True
    assert listed["validation_rule", "Project__c", "Subproject_needs_parent"] is False
    assert listed["validation_rule", "Account", "pkg__Industry_known"] is True
    assert listed["flow", "Account", "Account_region"] is True
    assert listed["flow", "Opportunity", "Deal_won"] is True
    assert listed["workflow_rule", "Account", "Greet"] is True
    assert listed["duplicate_rule", "Lead", "Same_lead"] is True
    assert listed["assignment_rule", "Case", "Case_to_queue"] is False
    assert (found.unread, found.is_production) == ((), True)
    assert not fetch_automation(client, ["Product2"]).items


def test_a_list_that_is_refused_hides_its_kind_only_and_is_named(
    org: RunningOrg, connection: Connection
) -> None:
    """An org that filters otherwise is read without a filter; one that refuses says so in the plan."""
    org.fail(
        inside=True,
        fault="error",
        match="FROM%20FlowDefinitionView%20WHERE",
        code="INVALID_FIELD",
        status=400,
        times=1,
    )
    found = fetch_automation(connection.client, OBJECTS)
    assert {i.name for i in found.items if i.kind == "flow"} >= {"Account_region", "Deal_won"}
    assert not found.unread
    org.fail(
        inside=True,
        fault="error",
        match="FROM%20DuplicateRule",
        code="INVALID_TYPE",
        status=400,
        times=2,
    )
    found = fetch_automation(connection.client, OBJECTS)
    assert not [i for i in found.items if i.kind == "duplicate_rule"]
    assert {i.kind for i in found.items} >= {"flow", "trigger", "validation_rule"}
    assert [rule["hit"] for rule in org.control("faults")["rules"]] == [1, 2]
    assert len(found.unread) == 1
    assert "duplicate rules could not be listed" in found.unread[0]
    # A server without the Tooling API: what the data API lists is there, the rest is named.
    org.fail(fault="error", match="tooling/composite", code="NOT_FOUND", status=404, times=1)
    found = fetch_automation(connection.client, OBJECTS)
    assert {i.kind for i in found.items} >= {"flow", "duplicate_rule"}
    assert len(found.unread) == 1 and "triggers, validation rules" in found.unread[0]


def test_off_and_on_again_leaves_the_org_as_it_was(
    org: RunningOrg, connection: Connection, tmp_path: Path
) -> None:
    """What is active is off in between, inactive stays inactive, packages are named, calls are as planned."""
    client, before = connection.client, states(org)
    found = fetch_automation(client, OBJECTS)
    mark = org.mark()
    journal = journal_in(tmp_path)
    switch_off(client, journal, found, no_wait)
    assert {name for name in before if is_on(org, name)} == {"SyncTrigger", "Industry_known"}
    assert {e.item.name for e in journal.open_entries} == SWITCHED
    fixed = journal.notes()
    assert len(fixed) == 2
    assert any("pkg__SyncTrigger" in note and "package" in note for note in fixed)
    assert any("pkg__Industry_known" in note and "stays on" in note for note in fixed)
    assert switch_on(client, journal_in(tmp_path), no_wait) == []
    assert states(org) == before
    assert not journal_in(tmp_path).is_open
    calls = [
        c
        for c in org.ledger(after=mark, calls=True)["calls"]
        if not c["target"].endswith("/limits")
    ]
    assert len(calls) <= switching_calls(found)
    assert switch_on(client, journal_in(tmp_path), no_wait) == [], (
        "a second time finds nothing to do"
    )


class Killed(BaseException):
    """The process is gone at this place."""


def dying_at(
    step: int, monkeypatch: pytest.MonkeyPatch, connection: Connection
) -> Callable[[], int]:
    """Die at the k-th place: before or after each call that is sent, before or after each journal's write."""
    count = 0

    def place() -> None:
        nonlocal count
        count += 1
        if count == step:
            raise Killed

    send, save = connection.client.session.request, AutomationJournal.save

    def sent(*args: Any, **options: Any) -> Any:
        place()
        answer = send(*args, **options)
        place()
        return answer

    def saved(journal: AutomationJournal) -> None:
        place()
        save(journal)
        place()

    monkeypatch.setattr(connection.client.session, "request", sent)
    monkeypatch.setattr(AutomationJournal, "save", saved)
    return lambda: count


def test_killed_at_each_place_everything_comes_back_on(
    org: RunningOrg, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    P2 for automation: dead before or after any call or note of switching off or on, a resume leaves the org
    exactly as it was.
    """
    client, before = connection.client, states(org)
    found = fetch_automation(client, OBJECTS)
    died = 0
    for step in range(1, 200):
        folder = tmp_path / str(step)
        with monkeypatch.context() as patched:
            dying_at(step, patched, connection)
            try:
                journal = journal_in(folder)
                switch_off(client, journal, found, no_wait)
                switch_on(client, journal, no_wait)
                is_whole = True
            except Killed:
                is_whole = False
        died += not is_whole
        assert switch_on(client, journal_in(folder), no_wait) == [], f"step {step}"
        assert states(org) == before, f"step {step}"
        if is_whole:
            break
    assert died >= 40, "every place was tried"


def test_killed_while_it_was_off_and_killed_again(
    org: RunningOrg, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resume that dies itself, at each place, is resumed by the next."""
    client, before = connection.client, states(org)
    switch_off(client, journal_in(tmp_path), fetch_automation(client, OBJECTS), no_wait)
    for step in range(1, 100):
        with monkeypatch.context() as patched:
            dying_at(step, patched, connection)
            try:
                assert switch_on(client, journal_in(tmp_path), no_wait) == []
                break
            except Killed:
                continue
    assert states(org) == before


def test_a_deployment_in_flight_at_the_kill_is_waited_for(
    org: RunningOrg, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before its Id was known, a slow deployment takes effect later: a resume waits for its end first."""
    client, before = connection.client, states(org)
    found = fetch_automation(client, ["Contact"])
    org.control("metadata", {"polls": 3})

    def lost(*args: Any, **options: Any) -> str:
        start_deploy(*args, **options)
        raise Killed

    start_deploy = triggers.start_deploy
    with monkeypatch.context() as patched:
        patched.setattr(triggers, "start_deploy", lost)
        with pytest.raises(Killed):
            switch_off(client, journal_in(tmp_path), found, no_wait)
    assert is_on(org, "ContactTrigger"), "the deployment has not taken effect yet"
    assert switch_on(client, journal_in(tmp_path), no_wait) == []
    for _ in range(5):
        org.get(f"{V}/tooling/query?q={quote('SELECT Id FROM DeployRequest')}")
    assert states(org) == before


def test_what_others_changed_meanwhile_stays_and_is_named(
    org: RunningOrg, connection: Connection, tmp_path: Path
) -> None:
    """A version somebody activated, a text somebody changed: kept; both are on, and the notes say so."""
    client = connection.client
    switch_off(client, journal_in(tmp_path), fetch_automation(client, OBJECTS), no_wait)
    tooling(org, "FlowDefinition", "DeveloperName = 'Account_region'", {"activeVersionNumber": 3})
    tooling(
        org, "ValidationRule", "ValidationName = 'Email_or_phone'", {"errorMessage": "New text."}
    )
    tooling(org, "ValidationRule", "ValidationName = 'Amount_not_negative'", {"active": True})
    journal = journal_in(tmp_path)
    assert switch_on(client, journal, no_wait) == []
    now = states(org)
    assert now["Account_region"][0]["activeVersionNumber"] == 3
    rule = now["Email_or_phone"][0]
    assert (rule["active"], rule["errorMessage"]) == (True, "New text.")
    assert is_on(org, "Amount_not_negative")
    notes = " / ".join(journal_in(tmp_path).notes())
    assert "somebody has activated version 3 meanwhile (version 2 ran before)" in notes
    assert "Email_or_phone on Contact: somebody has changed it meanwhile" in notes


def test_an_answer_that_is_lost_is_looked_up(
    org: RunningOrg, connection: Connection, tmp_path: Path
) -> None:
    """The connection breaks after the org has switched: nothing is left off, nothing is sent blindly."""
    client, before = connection.client, states(org)
    found = fetch_automation(client, ["Opportunity"])
    org.fail(fault="half_body", match="^POST .*/tooling/composite", nth=2, times=1)
    switch_off(client, journal_in(tmp_path), found, no_wait)
    assert not is_on(org, "Amount_not_negative")
    org.fail(fault="half_body", match="^POST .*/tooling/composite", nth=2, times=1)
    assert switch_on(client, journal_in(tmp_path), no_wait) == []
    assert states(org) == before


def test_what_the_org_does_not_switch_on_again_is_named(
    org: RunningOrg, connection: Connection, tmp_path: Path
) -> None:
    """A refusal at the end is no secret: the thing is named, its journal stays open, a resume tries again."""
    client, before = connection.client, states(org)
    switch_off(client, journal_in(tmp_path), fetch_automation(client, ["Opportunity"]), no_wait)
    org.fail(
        inside=True,
        fault="error",
        match="^PATCH .*/ValidationRule",
        code="INSUFFICIENT_ACCESS",
        status=403,
        times=2,
    )
    said = switch_on(client, journal_in(tmp_path), no_wait)
    assert len(said) == 1
    assert "Amount_not_negative on Opportunity is still off" in said[0]
    assert journal_in(tmp_path).is_open
    assert switch_on(client, journal_in(tmp_path), no_wait) == []
    assert states(org) == before


WORKER = """
import json, os, sys
from sfnb.installation import connect
from sfnb.settings import OrgConfig, Settings
from sfnb.restore.automation.journal import AutomationJournal
from sfnb.restore.automation.listing import fetch_automation
from sfnb.restore.automation.switching import switch_off, switch_on
from sfnb.store.files import Files
from pathlib import Path

home, url, org_id, step = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
config = OrgConfig(name="demo", login="token", instance_url=url,
                   secrets={"token": f"file:{home / 'token'}"}, org_id=org_id, header_lag_s=0)
settings = Settings(home=home, state_url=f"sqlite:///{(home / 'state.db').as_posix()}",
                    store_root=str(home / "store"), orgs={"demo": config})
count, save = 0, AutomationJournal.save
def saved(journal):
    global count
    count += 1
    save(journal)
    if count == step:
        os._exit(9)
AutomationJournal.save = saved
connection = connect("demo", settings=settings)
journal = AutomationJournal.of(Files(str(home)), "restores/job/automation.json")
switch_off(connection.client, journal, fetch_automation(connection.client, ["Contact", "Account"]), lambda s: None)
switch_on(connection.client, journal, lambda s: None)
connection.close()
"""


@pytest.mark.parametrize("step", [2, 3, 5, 8])
def test_a_process_that_is_really_gone(
    org: RunningOrg, connection: Connection, tmp_path: Path, step: int
) -> None:
    """The same in a process of its own that ends at once after a note on disk: no code of ours tidies up."""
    before = states(org)
    home = tmp_path / "other"
    home.mkdir()
    (home / "token").write_text(org.access_token)
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(home), org.url, org.org_id, str(step)],
        timeout=120, check=False, capture_output=True, env=os.environ | {"PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 9, done.stderr.decode()
    assert switch_on(connection.client, journal_in(home), no_wait) == []
    assert states(org) == before
