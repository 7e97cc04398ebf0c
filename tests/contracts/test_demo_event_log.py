"""The demo org's EventLogFile: every call, ours and the other apps', a day later."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tests.conftest import RunningOrg

V = "/services/data/v66.0"


def log_files(org: RunningOrg, where: str) -> list[dict[str, Any]]:
    soql = f"SELECT Id, EventType, LogDate, LogFileLength, Interval, Sequence, CreatedDate, LogFile FROM EventLogFile {where}"  # noqa: E501
    return list(org.get(f"{V}/query?q={quote(soql)}").json()["records"])


def rows(org: RunningOrg, file: dict[str, Any]) -> list[dict[str, str]]:
    answer = org.get(file["LogFile"])
    assert answer.headers["Content-Type"] == "text/csv"
    assert len(answer.content) == file["LogFileLength"]
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def test_history_is_there_and_adds_up(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    Eight days of daily files exist from the start, and a day's rows are the calls that the quota
    counted.
    """
    org = fresh_org(
        competitors="on", max_calls=3000, start_at=datetime(2026, 11, 11, 12, tzinfo=UTC)
    )
    files = log_files(
        org, "WHERE EventType = 'ApiTotalUsage' AND Interval = 'Daily' ORDER BY LogDate"
    )
    assert [file["LogDate"][:10] for file in files] == [
        f"2026-11-{day:02d}" for day in range(3, 11)
    ]
    assert files[0]["CreatedDate"] == "2026-11-04T09:14:02.000+0000"
    assert org.server is not None
    last = files[-1]
    calls = rows(org, last)
    assert len(calls) == org.server.org.other_apps.used(
        "api", datetime(2026, 11, 10, 23, 59, tzinfo=UTC).timestamp()
    )
    assert {row["CONNECTED_APP_NAME"] for row in calls} == {
        "Marketing Sync", "ERP Connector", "Warehouse Loader", "Support Desk", "Nightly Import",
    }  # fmt: skip
    assert all(
        row["COUNTS_AGAINST_API_LIMIT"] == "1" and len(row["USER_ID"]) == 15 for row in calls
    )
    assert [row["TIMESTAMP"] for row in calls] == sorted(row["TIMESTAMP"] for row in calls)
    assert len({row["REQUEST_ID"] for row in calls}) == len(calls)


def test_our_own_calls_show_the_next_day(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    What we sent today is in tomorrow's file, with client name, resource and status, and not before.
    """
    org = fresh_org(start_at=datetime(2026, 11, 11, 12, tzinfo=UTC))
    headers = {
        "Sforce-Call-Options": "client=sfnb/1.0",
        "X-SFDC-REQUEST-ID": "abc0000000000000000001",
    }
    org.get(f"{V}/sobjects/Account/describe", headers=headers)
    org.get(f"{V}/nothing", headers=headers)
    assert log_files(org, "WHERE EventType = 'ApiTotalUsage'") == []
    org.control("clock", {"advance_minutes": 22 * 60})
    (daily,) = log_files(org, "WHERE Interval = 'Daily'")
    found = rows(org, daily)
    assert len(found) >= 2
    assert (found[0]["API_FAMILY"], found[0]["CLIENT_NAME"], found[0]["REQUEST_ID"]) == (
        "REST", "sfnb/1.0", "abc0000000000000000001",
    )  # fmt: skip
    assert (found[0]["API_RESOURCE"], found[0]["ENTITY_NAME"], found[0]["STATUS_CODE"]) == (
        "/v66.0/sobjects/Account/describe", "Account", "200",
    )  # fmt: skip
    assert re.fullmatch(r"\d{14}\.\d{3}", found[0]["TIMESTAMP"])
    assert Counter(row["USER_NAME"] for row in found) == {org.username: len(found)}
    hourly = log_files(org, "WHERE Interval = 'Hourly' ORDER BY LogDate")
    assert sum(len(rows(org, file)) for file in hourly) == len(found)


def test_no_event_log_when_switched_off(fresh_org: Callable[..., RunningOrg]) -> None:
    """An org without the log has no files at all."""
    org = fresh_org(has_event_log=False, own_data=True, competitors="on")
    assert log_files(org, "") == []
