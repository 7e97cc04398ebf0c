"""The org's own history: event log files of orgs with and without hourly ones, and a report that is not there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sfnb.clock import FakeClock
from sfnb.errors import ObjectError
from sfnb.memory import State
from sfnb.org.client import OrgClient
from sfnb.org.events import fetch_event_files
from sfnb.usage.collect import collect
from tests.unit.org.scripted import DATA, LIMITS, Answer, Asked, ScriptedOrg

OK = {"Sforce-Limit-Info": "api-usage=11/1000"}
FILE = {
    "Id": "0AT000000000001AAA",
    "LogDate": "2026-11-01T00:00:00.000+0000",
    "LogFileLength": 12.0,
    "CreatedDate": "2026-11-02T03:00:00.000+0000",
}


@pytest.fixture(autouse=True)
def limits(scripted: ScriptedOrg) -> None:
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=OK))


def refused(code: str, message: str = "x") -> Answer:
    return Answer(400, [{"errorCode": code, "message": message}], OK)


def test_an_org_without_hourly_logs_has_a_log(
    org: OrgClient, scripted: ScriptedOrg, clock: FakeClock
) -> None:
    """EventLogFile without the field Interval is read without it; its files are daily ones."""

    def answer(asked: Asked) -> Answer:
        if "Interval" in asked.path:
            return refused("INVALID_FIELD", "No such column 'Interval' on entity 'EventLogFile'")
        return Answer(body={"totalSize": 1, "done": True, "records": [FILE]}, headers=OK)

    scripted.decide(f"{DATA}/query", answer)
    (file,) = fetch_event_files(org, clock.now())
    assert (file.interval, file.sequence, file.bytes) == ("Daily", 0, 12)


@pytest.mark.parametrize("code", ["INSUFFICIENT_ACCESS", "INVALID_TYPE"])
def test_other_refusals_of_the_log_stay(
    org: OrgClient, scripted: ScriptedOrg, clock: FakeClock, code: str
) -> None:
    """A missing permission or object is not tried in another way."""
    scripted.script(f"{DATA}/query", refused(code))
    with pytest.raises(ObjectError):
        fetch_event_files(org, clock.now())
    assert scripted.paths().count(f"{DATA}/query") == 1


@pytest.mark.parametrize(
    "body",
    [
        [FILE],
        {"done": True},
        {"done": False, "records": []},
        {"records": [{**FILE, "Id": "../x"}]},
        {"records": [{**FILE, "LogDate": "yesterday"}]},
        {"records": [{**FILE, "CreatedDate": None}]},
    ],
)
def test_a_list_of_files_that_is_none_is_refused(
    org: OrgClient, scripted: ScriptedOrg, clock: FakeClock, body: object
) -> None:
    """An answer of another form is an error of ours, never an empty log."""
    scripted.script(f"{DATA}/query", Answer(body=body, headers=OK))
    with pytest.raises(ObjectError):
        fetch_event_files(org, clock.now())


def test_a_list_that_never_ends_is_refused(
    org: OrgClient, scripted: ScriptedOrg, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that names itself as the next one does not keep us for ever."""
    monkeypatch.setattr("sfnb.org.events.MAX_PAGES", 5)
    page = {"done": False, "records": [], "nextRecordsUrl": f"{DATA}/query/01g"}
    for path in (f"{DATA}/query", f"{DATA}/query/01g"):
        scripted.script(path, Answer(body=page, headers=OK))
    with pytest.raises(ObjectError, match="does not end"):
        fetch_event_files(org, clock.now())


def test_a_report_that_is_not_there_is_looked_for_once_a_week(
    org: OrgClient, scripted: ScriptedOrg, state: State, clock: FakeClock
) -> None:
    """Each look costs two calls, and the report says that and why."""
    scripted.script(f"{DATA}/query", Answer(body={"done": True, "records": []}, headers=OK))
    scripted.script(f"{DATA}/analytics/reports", Answer(body=[], headers=OK))
    looks = []
    for _ in range(15):
        collect(org, state, clock)
        looks.append(scripted.paths().count(f"{DATA}/analytics/reports"))
        clock.advance(timedelta(days=1).total_seconds())
    assert looks == [1] * 7 + [2] * 7 + [3]
    assert "once a week" in state.user_days.last_read(org.org_id).problem
