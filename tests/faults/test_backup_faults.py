"""
An org that misbehaves while it is backed up: the snapshot is the undisturbed one, or says what is
missing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.errors import LoginError, StoreError
from sfnb.installation import connect
from sfnb.jobs import events
from sfnb.model import ObjectState
from sfnb.settings import OrgConfig, Settings
from sfnb.store.verify import verify
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector, SharedClock

OBJECTS = [
    "Account",
    "Contact",
    "Case",
    "Lead",
    "Opportunity",
    "ContentDocument",
    "ContentDocumentLink",
]
BIG = "Contact"
"""Large enough for Bulk, in several result pages; the others ride in composite calls."""

PAGE_ROWS = 5_000
CALLS = {
    "composite": "^POST .*/composite$",
    "create": "^POST .*/jobs/query$",
    "poll": r"^GET .*/jobs/query/\w+$",
    "results": "^GET .*/results",
    "limits": "^GET .*/limits$",
}
REPORTED = {
    "code": "INSUFFICIENT_ACCESS",
    "message": "insufficient access rights on cross-reference id",
    "status": 403,
}


@pytest.fixture(scope="module")
def big_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    """
    One org for all tests here: 12,000 contacts, nobody else spends, time passes only when it is
    pushed.
    """
    options = Options(
        size="tiny",
        objects={BIG: 12_000},
        competitors="off",
        minutes_per_second=0.0,
        bulk_job_s=0.0,
        header_lag_s=0.0,  # its clock stands still: an old number would stay old for ever
        max_calls=1_000_000,
    )
    with DemoServer(options, tmp_path_factory.mktemp("big-org")) as server:
        yield RunningOrg(**server.ready(), server=server)


@pytest.fixture
def org(big_org: RunningOrg) -> Iterator[RunningOrg]:
    """The org without what the last test did to it."""
    yield big_org
    big_org.control("faults", method="DELETE")
    big_org.control("quota", {"limit_header": "short", "max": {"api": 1_000_000}})
    big_org.control("clock", {"advance_minutes": 25 * 60})


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bulk results come in several pages, two of them under way at a time."""
    monkeypatch.setattr("sfnb.backup.plan.BULK_PAGE_ROWS", PAGE_ROWS)


@pytest.fixture(scope="module")
def undisturbed(
    big_org: RunningOrg, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pa.Table]:
    """What an org that behaves gives, by object and Id."""
    settings = password_settings(big_org, tmp_path_factory.mktemp("whole"))
    with connect("demo", settings=settings, clock=SharedClock(big_org)) as whole:
        summary = engine.run(whole, backup(objects=OBJECTS))
        assert summary["state"] == "completed"
        return tables(whole, summary)


def tables(there: Connection, summary: dict[str, Any]) -> dict[str, pa.Table]:
    snapshot = there.snapshots[summary["snapshot"]]
    return {name: snapshot.table(name).sort_by("Id") for name in OBJECTS}


def password_settings(org: RunningOrg, home: Path, *, store: Path | None = None) -> Settings:
    """An installation that can log in again by itself."""
    home.mkdir(parents=True, exist_ok=True)
    secret = home / "password"
    secret.write_text(org.password + org.security_token)
    config = OrgConfig(
        name="demo",
        login="password",
        domain=org.url,
        username=org.username,
        secrets={"password": f"file:{secret}"},
        header_lag_s=0,
    )
    return Settings(
        home=home,
        state_url=f"sqlite:///{(home / 'state.db').as_posix()}",
        store_root=str(store or home / "store"),
        orgs={"demo": config},
    )


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[Callable[..., Connection]]:
    """Connects one installation to the org, as often as it is called."""
    with ExitStack() as stack:

        def start(org: RunningOrg, *, store: Path | None = None) -> Connection:
            settings = password_settings(org, tmp_path / "home", store=store)
            return stack.enter_context(connect("demo", settings=settings, clock=SharedClock(org)))

        yield start


def check(
    there: Connection,
    org: RunningOrg,
    summary: dict[str, Any],
    whole: dict[str, pa.Table],
    *,
    since: int,
) -> None:
    """
    Complete, equal to the undisturbed snapshot, each record once, and the org counted the calls
    that we did.
    """
    assert summary["state"] == "completed", summary
    manifest = there.snapshots[summary["snapshot"]].manifest
    assert manifest.state == "complete"
    for name, expected in whole.items():
        found = there.snapshots[summary["snapshot"]].table(name).sort_by("Id")
        assert found.equals(expected), (
            f"{name}: {found.num_rows} rows where {expected.num_rows} are"
        )
        assert manifest.objects[name].rows == expected.num_rows
    assert [finding for finding in verify(there.store) if finding.is_damage] == []
    ledger = org.ledger(after=since)
    # A call refused for its session is on our books, to be safe; the org lets it go.
    assert summary["calls"]["api"] - ledger["by_status"].get("401", 0) == ledger["spent"]["api"]


def hits(org: RunningOrg) -> list[int]:
    return [rule["hit"] for rule in org.control("faults")["rules"]]


def calls_to(org: RunningOrg, since: int, kind: str) -> int:
    listed = org.ledger(after=since, calls=True)["calls"]
    return sum(
        bool(re.search(CALLS[kind], f"{call['method']} {call['target'].partition('?')[0]}"))
        for call in listed
    )


# ------------------------------------------------------------------------------------------------
# what passes by itself


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "status503"},
        {"fault": "html"},
        {"fault": "html", "status": 200},
        {"fault": "cut"},
        {"fault": "half_body"},
        {"fault": "empty406"},
        {"fault": "concurrent_limit"},
        {
            "fault": "error",
            "code": "QUERY_TIMEOUT",
            "message": "Your query request was running for too long.",
        },
        {
            "fault": "error",
            "code": "UNKNOWN_EXCEPTION",
            "message": "An unexpected error occurred.",
            "status": 500,
        },
    ],
    ids=lambda fault: "-".join(
        str(v) for k, v in fault.items() if k in ("fault", "status", "code")
    ),
)
def test_what_fails_once_or_twice_is_tried_again(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table], fault: dict[str, Any]
) -> None:
    """
    P2: each kind of call fails twice, in the middle; the snapshot is whole and the retries are
    counted.
    """
    there = connected(org)
    org.control("faults", [{**fault, "match": match, "times": 2} for match in CALLS.values()])
    mark = org.mark()
    summary = engine.run(there, backup(objects=OBJECTS))
    assert hits(org) == [2] * len(CALLS)
    check(there, org, summary, undisturbed, since=mark)


def test_calls_that_fail_at_random_are_tried_again(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table]
) -> None:
    """P2: a third of all calls goes wrong in one way or another."""
    there = connected(org)
    kinds = ("status503", "cut", "half_body", "html", "concurrent_limit")
    org.control(
        "faults", [{"fault": kind, "probability": 0.08, "seed": n} for n, kind in enumerate(kinds)]
    )
    mark = org.mark()
    check(there, org, engine.run(there, backup(objects=OBJECTS)), undisturbed, since=mark)
    assert sum(hits(org)) >= 3


@pytest.mark.parametrize("damage", ["truncated_csv", "half_body", "cut"])
def test_a_result_page_that_breaks_off_is_read_again(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table], damage: str
) -> None:
    """P2: of each result page the first two answers are cut; no row of them is kept."""
    there = connected(org)
    org.control(
        "faults", [{"fault": damage, "match": "/results", "nth": n, "times": 1} for n in (1, 2, 3)]
    )
    mark = org.mark()
    check(there, org, engine.run(there, backup(objects=OBJECTS)), undisturbed, since=mark)
    assert hits(org) == [1, 1, 1]


def test_an_org_that_says_nothing_is_asked_again(
    org: RunningOrg,
    connected: Connector,
    undisturbed: dict[str, pa.Table],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    P2: an answer that does not come within the time is given up, counted, and asked for again.
    """
    # Long enough for a busy machine to answer what is not stalled.
    monkeypatch.setattr("sfnb.org.transport.READ_TIMEOUT_S", 1.0)
    monkeypatch.setattr("sfnb.org.bulk2.RESULTS_TIMEOUT_S", 1.0)
    there = connected(org)
    kinds = ("composite", "results")
    org.control(
        "faults",
        [{"fault": "stall", "seconds": 1.5, "match": CALLS[kind], "times": 1} for kind in kinds],
    )
    mark = org.mark()
    summary = engine.run(there, backup(objects=OBJECTS))
    tick = threading.Event()
    for _ in range(200):
        # The org books a stalled call when it ends, which may be after the job.
        if org.ledger(after=mark)["received"] >= summary["calls"]["api"]:
            break
        tick.wait(0.05)
    check(there, org, summary, undisturbed, since=mark)
    assert hits(org) == [1, 1]


@pytest.mark.parametrize("kind", ["composite", "create", "poll", "results", "limits"])
def test_a_session_that_ends_amid_the_backup_is_renewed(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table], kind: str
) -> None:
    """P2: the backup logs in again, once, and goes on."""
    there = connected(org)
    org.fail(fault="expire_session", match=CALLS[kind], times=1)
    mark = org.mark()
    summary = engine.run(there, backup(objects=OBJECTS))
    assert hits(org) == [1]
    check(there, org, summary, undisturbed, since=mark)


def test_a_dead_token_fails_the_job_until_there_is_a_new_one(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table], tmp_path: Path
) -> None:
    """
    An access token cannot be renewed: one sentence says so, and with a new one the job goes on
    where it was.
    """
    other = connected(org)
    token = tmp_path / "token"
    token.write_text(other.client.open_session.token)
    config = OrgConfig(
        name="demo",
        login="token",
        instance_url=org.url,
        secrets={"token": f"file:{token}"},
        header_lag_s=0,
    )
    settings = replace(other.settings, orgs={"demo": config})
    with connect("demo", settings=settings, clock=SharedClock(org)) as there:
        org.fail(fault="expire_session", match=CALLS["results"], times=1)
        with pytest.raises(LoginError, match="Get a new one"):
            engine.run(there, backup(objects=OBJECTS))
        job = there.state.jobs.find()[-1]
        assert job.state == "failed" and "Get a new one" in (job.error or "")
        token.write_text(connected(org).client.open_session.token)
        summary = engine.resume(there, job.job_id)
        assert summary["state"] == "completed" and summary["snapshot"] == job.snapshot
        assert tables(there, summary)[BIG].equals(undisturbed[BIG])


# -----------------------------------------------------------------------------------------------------------
# Bulk jobs


def test_a_failed_bulk_job_is_read_by_another_road(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table]
) -> None:
    """P2: where the org gives up on a Bulk job, the object is read in pages."""
    there = connected(org)
    org.fail(fault="bulk_job_failed", match=CALLS["create"], message="Query too complicated")
    mark = org.mark()
    check(there, org, engine.run(there, backup(objects=OBJECTS)), undisturbed, since=mark)
    assert hits(org) == [1]


@pytest.mark.parametrize("page", [1, 2, 3])
def test_results_that_are_gone_start_the_object_again(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table], page: int
) -> None:
    """
    P2: results that expire while they are read, whichever page it is: the object is read again from
    its start.
    """
    there = connected(org)
    org.fail(fault="bulk_results_expired", match=CALLS["results"], nth=page, times=1)
    mark = org.mark()
    check(there, org, engine.run(there, backup(objects=OBJECTS)), undisturbed, since=mark)
    assert calls_to(org, mark, "create") == 2


def test_two_pages_gone_at_once_start_the_object_once(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table]
) -> None:
    """
    P2: pages under way at the same time fail together; that is one reason to start again, not two.
    """
    there = connected(org)
    org.fail(fault="bulk_results_expired", match="/results.*locator=", times=2)
    mark = org.mark()
    check(there, org, engine.run(there, backup(objects=OBJECTS)), undisturbed, since=mark)


def test_results_that_are_always_gone_are_given_up(org: RunningOrg, connected: Connector) -> None:
    """An object that cannot be had is recorded; the others are complete."""
    there = connected(org)
    org.fail(fault="bulk_results_expired", match=CALLS["results"])
    mark = org.mark()
    summary = engine.run(there, backup(objects=OBJECTS))
    assert summary["state"] == "completed_with_errors"
    assert (
        "Started again 2 times" in summary["objects"][BIG]["message"]
        and summary["objects"][BIG]["rows"] == 0
    )
    assert {e["state"] for n, e in summary["objects"].items() if n != BIG} == {"complete"}
    assert calls_to(org, mark, "create") <= 4


@pytest.mark.parametrize("is_expired", [False, True], ids=["kept", "expired"])
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_bulk_job_outlives_a_pause(
    org: RunningOrg,
    connected: Connector,
    undisturbed: dict[str, pa.Table],
    page: int,
    is_expired: bool,
) -> None:
    """
    P2: resumed in another process, the same Bulk job is read on if its results exist, else the
    object anew.
    """
    there = connected(org)
    spent = {
        "code": "REQUEST_LIMIT_EXCEEDED",
        "message": "TotalRequests Limit exceeded.",
        "status": 403,
    }
    org.fail(fault="error", match=CALLS["results"], nth=page, times=1, **spent)
    mark = org.mark()
    paused = engine.run(there, backup(objects=OBJECTS), on_pause="exit")
    assert paused["state"] == "paused" and paused["objects"][BIG]["state"] != "complete"
    if is_expired:
        org.fail(fault="bulk_results_expired", match=CALLS["results"], times=1)
    again = connected(org)
    summary = engine.resume(again, paused["job_id"])
    assert summary["snapshot"] == paused["snapshot"]
    check(again, org, summary, undisturbed, since=mark)
    assert calls_to(org, mark, "create") == (2 if is_expired else 1)


# -------------------------------------------------------------------------------------------------------------
# budgets


def test_an_org_that_refuses_for_its_limit_pauses_the_job(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table]
) -> None:
    """
    P4: REQUEST_LIMIT_EXCEEDED, which only others can have caused, is a pause with the org's words
    as its reason.
    """
    there = connected(org)
    spent = {
        "code": "REQUEST_LIMIT_EXCEEDED",
        "message": "TotalRequests Limit exceeded.",
        "status": 403,
    }
    org.fail(fault="error", match=CALLS["composite"], nth=2, times=1, **spent)
    mark = org.mark()
    summary = engine.run(there, backup(objects=OBJECTS))
    assert [pause["api"] for pause in summary["pauses"]] == ["api"]
    assert "TotalRequests" in summary["pauses"][0]["reason"]
    check(there, org, summary, undisturbed, since=mark)


@pytest.mark.parametrize("form", ["gone", "extended", "garbled"])
def test_without_a_plain_limit_header_nothing_passes_the_threshold(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table], form: str
) -> None:
    """
    P1: whatever the header looks like for the whole run, by the org's own ledger no call went over
    the threshold.
    """
    org.control("quota", {"limit_header": form, "max": {"api": 1000}, "spend": {"api": 494}})
    there = connected(org)
    mark = org.mark()
    summary = engine.run(there, backup(objects=OBJECTS))
    assert summary["pauses"], "there was room for a few calls only"
    ledger = org.ledger(after=mark, threshold=500)
    assert ledger["over_threshold"] == 0 and ledger["by_status"].keys() == {"200"}
    check(there, org, summary, undisturbed, since=mark)


def test_limits_that_may_not_be_read_pause_the_job(org: RunningOrg, connected: Connector) -> None:
    """
    P1: a gauge that cannot be read means pause, never "no limit"; the reason names the permission.
    """
    org.control("quota", {"limit_header": "gone"})
    org.fail(
        fault="error",
        match=CALLS["limits"],
        code="INSUFFICIENT_ACCESS",
        message="no access",
        status=403,
    )
    there = connected(org)
    mark = org.mark()
    summary = engine.run(there, backup(objects=OBJECTS), on_pause="exit")
    assert summary["state"] == "paused"
    assert "View Setup and Configuration" in summary["pauses"][-1]["reason"]
    counted = [call for call in org.ledger(after=mark, calls=True)["calls"] if call["spent"]]
    assert counted and all(call["target"].endswith("/limits") for call in counted)


def test_limits_that_may_not_be_read_keep_the_job_from_bulk(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table]
) -> None:
    """P1: the header tells of calls, only `/limits` tells of Bulk jobs: so Bulk is not used."""
    org.fail(
        fault="error",
        match=CALLS["limits"],
        code="INSUFFICIENT_ACCESS",
        message="no access",
        status=403,
    )
    there = connected(org)
    mark = org.mark()
    check(there, org, engine.run(there, backup(objects=OBJECTS)), undisturbed, since=mark)
    assert calls_to(org, mark, "create") == 0


# ------------------------------------------------------------------------------------------------------
# what stays bad


def test_an_object_that_may_not_be_read_is_recorded_and_the_others_complete(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table]
) -> None:
    """
    One object refused: `completed_with_errors`, its message in manifest and JSON, every other
    object whole.
    """
    there = connected(org)
    org.fail(fault="error", inside=True, match="FROM(%20|\\+)Case\\b", **REPORTED)
    seen: list[events.Event] = []
    summary = engine.run(there, backup(objects=OBJECTS), emit=seen.append)
    assert summary["state"] == "completed_with_errors"
    assert [event.object_name for event in seen if isinstance(event, events.ObjectFailed)] == [
        "Case"
    ]
    manifest = there.snapshots[summary["snapshot"]].manifest
    for message in (summary["objects"]["Case"]["message"], manifest.objects["Case"].message):
        assert message and "insufficient access rights" in message and "View All Data" in message
        assert "Case" in message and "/services/" not in message
    assert manifest.objects["Case"].state is ObjectState.UNTOUCHED and manifest.state != "complete"
    for name in set(OBJECTS) - {"Case"}:
        assert manifest.objects[name].state is ObjectState.COMPLETE
        assert (
            there.snapshots[summary["snapshot"]].table(name).sort_by("Id").equals(undisturbed[name])
        )


def test_an_object_that_bulk_refuses_is_read_in_pages(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table]
) -> None:
    """Some objects are not for Bulk: the refusal of a job is a reason to take the other reader."""
    there = connected(org)
    refusal = {
        "code": "INVALIDENTITY",
        "message": "Entity 'Contact' is not supported by the Bulk API.",
        "status": 400,
    }
    org.fail(fault="error", match=CALLS["create"], **refusal)
    summary = engine.run(there, backup(objects=OBJECTS))
    assert summary["state"] == "completed" and tables(there, summary)[BIG].equals(undisturbed[BIG])


def test_an_object_refused_on_every_road_says_why(org: RunningOrg, connected: Connector) -> None:
    """
    The big object is refused by Bulk and by query: the message is the org's last word, and nothing
    loops.
    """
    there = connected(org)
    org.fail(fault="error", match=CALLS["create"], **REPORTED)
    for is_inside in (True, False):  # it may ride in a composite call, or alone
        org.fail(
            fault="error", inside=is_inside, match="/queryAll.*FROM(%20|\\+)Contact\\b", **REPORTED
        )
    mark = org.mark()
    summary = engine.run(there, backup(objects=OBJECTS))
    assert summary["state"] == "completed_with_errors"
    assert "View All Data" in summary["objects"][BIG]["message"]
    assert calls_to(org, mark, "create") == 1


def test_an_object_that_cannot_be_described_is_recorded(
    org: RunningOrg, connected: Connector
) -> None:
    """A describe that is refused leaves that object out, with the reason, and the job goes on."""
    there = connected(org)
    org.fail(fault="error", inside=True, match="sobjects/Case/describe", **REPORTED)
    summary = engine.run(there, backup())
    assert summary["state"] == "completed_with_errors"
    assert "insufficient access rights" in summary["objects"]["Case"]["message"]
    manifest = there.snapshots[summary["snapshot"]].manifest
    others = {
        n: e["state"]
        for n, e in summary["objects"].items()
        if n != "Case" and n not in manifest.left_out
    }
    assert len(others) > 40 and set(others.values()) == {"complete"}


def test_an_org_that_stays_away_pauses_the_job(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table]
) -> None:
    """
    P4: 503 without end is a pause, not a failure; when the org is back, `resume` finishes the same
    snapshot.
    """
    there = connected(org)
    org.fail(fault="status503", nth=5)
    mark = org.mark()
    paused = engine.run(there, backup(objects=OBJECTS), on_pause="exit")
    reason = paused["pauses"][-1]["reason"]
    assert paused["state"] == "paused" and reason.startswith("org unavailable: ")
    assert paused["error"] is None
    org.control("faults", method="DELETE")
    again = connected(org)
    summary = engine.resume(again, paused["job_id"])
    assert summary["snapshot"] == paused["snapshot"]
    check(again, org, summary, undisturbed, since=mark)


@pytest.mark.parametrize("fault", ["html", "cut"])
def test_an_org_that_tells_nothing_any_more_pauses_the_job(
    org: RunningOrg, connected: Connector, undisturbed: dict[str, pa.Table], fault: str
) -> None:
    """
    P1: web pages or cut connections without end leave the gauge unknown: the job pauses, and can be
    resumed.
    """
    there = connected(org)
    org.fail(fault=fault, nth=5)
    mark = org.mark()
    paused = engine.run(there, backup(objects=OBJECTS), on_pause="exit")
    assert paused["state"] == "paused"
    assert paused["pauses"][-1]["reason"].startswith("org unavailable: ")
    org.control("faults", method="DELETE")
    again = connected(org)
    summary = engine.resume(again, paused["job_id"])
    assert summary["snapshot"] == paused["snapshot"]
    check(again, org, summary, undisturbed, since=mark)


# ------------------------------------------------------------------------------------------------------------
# the disk


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder on a file system of two megabytes, where this user may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    if (
        sys.platform != "linux"
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("making a small file system needs Linux and root")
    request.addfinalizer(lambda: subprocess.run(["umount", "--lazy", str(folder)], check=True))
    return folder


def test_a_full_disk_fails_the_job_which_can_be_resumed(
    org: RunningOrg, connected: Connector, small_disk: Path, undisturbed: dict[str, pa.Table]
) -> None:
    """
    P2: the disk is full: one sentence, what is stored stays good, and with room the job goes on.
    """
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 1_500_000)
    there = connected(org, store=small_disk / "store")
    with pytest.raises(StoreError, match=r"(?i)no space|full"):
        engine.run(there, backup(objects=OBJECTS))
    job = there.state.jobs.find()[-1]
    assert job.state == "failed" and job.snapshot
    assert [finding for finding in verify(there.store) if finding.is_damage] == []
    filler.unlink()
    summary = engine.resume(there, job.job_id)
    assert summary["state"] == "completed" and summary["snapshot"] == job.snapshot
    assert all(found.equals(undisturbed[name]) for name, found in tables(there, summary).items())


def test_children_of_parents_in_the_recycle_bin_are_read(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """P9: an object that is read by its parents has the rows of deleted parents, too."""
    org = fresh_org(own_data=True)
    query = "/services/data/v60.0/query"
    soql = "SELECT Id FROM ContentDocument LIMIT 1"
    document = org.get(query, params={"q": soql}).json()["records"][0]["Id"]
    of_it = f"SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'"
    links = {row["Id"] for row in org.get(query, params={"q": of_it}).json()["records"]}
    assert links
    org.control("rows", {"do": "delete", "object": "ContentDocument", "ids": [document]})
    there = connected(org)
    request = backup(objects=["ContentDocument", "ContentDocumentLink"], full=True)
    summary = engine.run(there, request)
    assert summary["state"] == "completed"
    rows = there.snapshots[summary["snapshot"]].rows("ContentDocumentLink")
    found = {
        i for b in (*rows.batches(["Id"]), *rows.recycle_bin(["Id"])) for i in b[0].to_pylist()
    }
    assert links <= found
