"""
The standard report "API Usage Last 7 Days": calls by user and calendar day, today and the six days
before.

Its answer has the form of a summary report (Reports and Dashboards REST API guide, Execute Sync and
Decode the Fact Map). It exists with and without the event log, for users who may see the whole
org's administration. Others do not find it in the list and may not run it. It costs one call.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sfnb_demo.data import ids
from sfnb_demo.data.schema import User
from sfnb_demo.errors import ApiError
from sfnb_demo.server.other_apps import APPS
from sfnb_demo.server.wire import Request, Response, json_answer, route

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

NAME = "API Usage Last 7 Days"
DAYS = 7
REPORT_ID = ids.make_id("00O", ids.FIRST + 7)
FOLDER_ID = ids.make_id("00l", ids.FIRST + 7)
USER, DAY, CALLS = "USERNAME", "API_CALL_DATE", "API_CALLS"


def list_reports(org: DemoOrg, request: Request) -> Response:
    """The reports that the user may see."""
    return json_answer([_entry(request)] if _is_permitted(org, request) else [])


def run_report(org: DemoOrg, request: Request) -> Response:
    """The report's current figures, by GET or POST. Filters in a POST are ignored."""
    if ids.normal(request.args["report_id"]) != REPORT_ID:
        raise ApiError("NOT_FOUND", "The data you’re trying to access is unavailable.", 404)
    if not _is_permitted(org, request):
        raise ApiError(
            "INSUFFICIENT_ACCESS",
            "You don’t have sufficient privileges to perform this operation.",
            403,
        )
    has_details = request.params.get("includeDetails", "").lower() == "true"
    return json_answer(_answer(request, calls_by_user_and_day(org), has_details=has_details))


def calls_by_user_and_day(org: DemoOrg) -> dict[User, Counter[str]]:
    """
    Counted calls, the log's and the other apps', by user and UTC day (ISO); users without calls are
    left out.
    """
    now = org.clock.now()
    today = datetime(now.year, now.month, now.day, tzinfo=UTC)
    users = org.sessions.organization.users
    by_id = {user.user_id: user for user in users}
    found: dict[User, Counter[str]] = {}
    for back in reversed(range(DAYS)):
        start = today - timedelta(days=back)
        start_s, name = start.timestamp(), f"{start:%Y-%m-%d}"
        minutes = min(int((now.timestamp() - start_s) // 60) + 1, 1440)
        for index, app in enumerate(APPS):
            calls = int(org.other_apps.calls(index, int(start_s // 86_400))[:minutes].sum())
            if calls:
                found.setdefault(users[app.user % len(users)], Counter())[name] += calls
        for call in org.calls.between(start_s, start_s + 86_400):
            if call.user_id and call.spent.get("api"):
                found.setdefault(by_id[call.user_id], Counter())[name] += call.spent["api"]
    return found


def _is_permitted(org: DemoOrg, request: Request) -> bool:
    """
    Needs View Setup and Configuration, Manage Users and Modify All Data: here the administrator's
    profile.
    """
    return request.user.user.profile_id == org.sessions.admin.profile_id


def _entry(request: Request) -> dict[str, str]:
    url = f"{request.data_url}/analytics/reports/{REPORT_ID}"
    return {
        "id": REPORT_ID,
        "name": NAME,
        "url": url,
        "describeUrl": f"{url}/describe",
        "instancesUrl": f"{url}/instances",
    }


def _answer(
    request: Request, calls: dict[User, Counter[str]], *, has_details: bool
) -> dict[str, Any]:
    users = sorted(calls, key=lambda user: user.username)
    facts: dict[str, Any] = {"T!T": _fact(sum(calls[user].total() for user in users))}
    down = []
    for number, user in enumerate(users):
        facts[f"{number}!T"] = _fact(calls[user].total())
        days = []
        for place, (day, count) in enumerate(sorted(calls[user].items())):
            key = f"{number}_{place}"
            at = datetime.fromisoformat(day)
            days.append(
                {
                    "groupings": [],
                    "key": key,
                    "label": f"{at.month}/{at.day}/{at.year}",
                    "value": day,
                }
            )
            facts[f"{key}!T"] = _fact(count, rows=[count] if has_details else [])
        down.append(
            {"groupings": days, "key": str(number), "label": user.username, "value": user.username}
        )
    entry = _entry(request)
    return {
        "allData": True,
        "attributes": {
            "describeUrl": entry["describeUrl"],
            "instancesUrl": entry["instancesUrl"],
            "reportId": REPORT_ID,
            "reportName": NAME,
            "type": "Report",
        },
        "factMap": facts,
        "groupingsAcross": {"groupings": []},
        "groupingsDown": {"groupings": down},
        "hasDetailRows": has_details,
        "reportExtendedMetadata": {
            "aggregateColumnInfo": {
                f"s!{CALLS}": _column("Sum of API Calls", "int"),
                "RowCount": _column("Record Count", "int"),
            },
            "detailColumnInfo": {CALLS: _column("API Calls", "int")},
            "groupingColumnInfo": {
                USER: _column("Username", "string") | {"groupingLevel": 0},
                DAY: _column("Date", "date") | {"groupingLevel": 1},
            },
        },
        "reportMetadata": {
            "aggregates": [f"s!{CALLS}", "RowCount"],
            "detailColumns": [CALLS],
            "developerName": "API_Usage_Last_7_Days",
            "folderId": FOLDER_ID,
            "groupingsAcross": [],
            "groupingsDown": [
                {
                    "dateGranularity": "None",
                    "name": USER,
                    "sortAggregate": None,
                    "sortOrder": "Asc",
                },
                {"dateGranularity": "Day", "name": DAY, "sortAggregate": None, "sortOrder": "Asc"},
            ],
            "id": REPORT_ID,
            "name": NAME,
            "reportFilters": [],
            "reportFormat": "SUMMARY",
        },
    }


def _fact(calls: int, rows: list[int] | None = None) -> dict[str, Any]:
    aggregates = [{"label": f"{calls:,}", "value": calls}, {"label": "1", "value": 1}]
    cells = [{"dataCells": [{"label": f"{count:,}", "value": count}]} for count in rows or []]
    return {"aggregates": aggregates, "rows": cells}


def _column(label: str, kind: str) -> dict[str, Any]:
    return {"dataType": kind, "label": label}


ROUTES = [
    route("GET", "/services/data/v{version}/analytics/reports", list_reports),
    route("GET", "/services/data/v{version}/analytics/reports/{report_id}", run_report),
    route("POST", "/services/data/v{version}/analytics/reports/{report_id}", run_report),
]
