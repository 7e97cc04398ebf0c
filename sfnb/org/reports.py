"""
The standard report "API Usage Last 7 Days": who made how many calls on which calendar day.

For orgs without an event log, or users who may not read it. Salesforce makes the report and
promises no columns, so they are recognized by type and label, and unknown ones are ignored. The
form of the answer is that of the Reports and Dashboards REST API guide (Execute Sync; Decode the
Fact Map).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from sfnb.errors import ObjectError
from sfnb.org.client import OrgClient
from sfnb.usage.store.values import UserDay

USAGE_REPORT = "API Usage Last 7 Days"
NEEDED = "It needs the permissions View Setup and Configuration, Manage Users and Modify All Data."
ABSENT = f'this user sees no report "{USAGE_REPORT}"; sfnb looks for it once a week.'
NOT_NAMED = "not named in the report"

_NUMBERS = ("int", "double", "long", "number", "currency")
_DAYS = ("date", "datetime")

Cells = dict[str, Any]
"""What is known of one line of the report, by the column's name: its label and its value."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns that matter: day, user (empty: none), and those that may hold calls."""

    day: str
    user: str
    calls: tuple[str, ...]


def fetch_user_days(org: OrgClient) -> list[UserDay]:
    """
    What the report says now.

    Cost: 2 API calls; 3 where the report is not among those viewed recently.

    Raises:
        ObjectError: the user does not see the report or may not run it, or its form is unknown.
        QuotaSignal: the gate is closed.
    """
    report_id = _fetch_report_id(org)
    path = f"analytics/reports/{quote(report_id, safe='')}"
    return parse_user_days(org.fetch_json("GET", path, params={"includeDetails": "true"}))


def _fetch_report_id(org: OrgClient) -> str:
    # The list holds the reports looked at recently; a query finds the others.
    for entry in _mappings(org.fetch_json("GET", "analytics/reports")):
        if entry.get("name") == USAGE_REPORT and isinstance(entry.get("id"), str):
            return str(entry["id"])
    soql = f"SELECT Id FROM Report WHERE Name = '{USAGE_REPORT}' LIMIT 1"  # noqa: S608 - a constant of ours
    try:
        answer = org.fetch_json("GET", "query", params={"q": soql})
    except ObjectError as err:
        if (
            err.code != "INVALID_TYPE"
        ):  # else reports cannot be queried, so the list was the last word
            raise
        answer = {}
    for record in _mappings(answer.get("records") if isinstance(answer, Mapping) else None):
        if isinstance(record.get("Id"), str):
            return str(record["Id"])
    raise ObjectError(ABSENT, code="NOT_FOUND")


def parse_user_days(body: object) -> list[UserDay]:
    """
    The lines of a report's answer, by day and user; pure. Tabular, summary or matrix report.

    Raises:
        ObjectError: it is no report, has no column of days or calls, or lacks some of its lines.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("factMap"), Mapping):
        raise ObjectError(f'"{USAGE_REPORT}": the answer is no report.')
    columns = columns_of(_infos(body))
    aggregates = _texts(_part(body, "reportMetadata").get("aggregates"))
    details = _texts(_part(body, "reportMetadata").get("detailColumns"))
    sums: Counter[tuple[date, str]] = Counter()
    is_whole = body.get("allData") is not False
    for key, cells in _leaves(body):
        fact = body["factMap"].get(key)
        if not isinstance(fact, Mapping):
            continue
        for line in _lines(fact, cells, columns, aggregates, details, is_whole=is_whole):
            day = _day(line.get(columns.day))
            calls = _calls(line, columns)
            if day is not None and calls is not None:
                sums[day, _text(line.get(columns.user)) or NOT_NAMED] += calls
    return [UserDay(day, user, calls) for (day, user), calls in sorted(sums.items())]


def columns_of(infos: Mapping[str, Mapping[str, Any]]) -> Columns:
    """
    Which columns matter.

    Raises:
        ObjectError: there is none of days, or none of calls.
    """
    kinds = {name: str(info.get("dataType") or "").lower() for name, info in infos.items()}
    words = {name: f"{name} {info.get('label') or ''}".lower() for name, info in infos.items()}
    days = [name for name in infos if kinds[name] in _DAYS]
    # "s!" is a sum; averages, maxima and the number of lines tell other things.
    numbers = [
        n
        for n in infos
        if (kinds[n] in _NUMBERS and n != "RowCount" and n[1:2] != "!") or n.startswith("s!")
    ]
    calls = sorted(
        (n for n in numbers if _is_of_calls(words[n])), key=lambda name: not name.startswith("s!")
    )
    users = [name for name in infos if "user" in words[name] and name not in (*days, *numbers)]
    users.sort(
        key=lambda name: (
            "username" not in words[name].replace(" ", ""),
            "id" in words[name].split(),
        )
    )
    if not days or not calls:
        missing = "days" if not days else "calls"
        known = ", ".join(sorted(infos)) or "none"
        raise ObjectError(
            f'"{USAGE_REPORT}": no column of {missing} is known here. Its columns: {known}.'
        )
    return Columns(days[0], users[0] if users else "", tuple(calls))


def _is_of_calls(words: str) -> bool:
    return any(word in words for word in ("call", "request", "usage", "count"))


def _lines(
    fact: Mapping[str, Any],
    cells: Cells,
    columns: Columns,
    aggregates: Sequence[str],
    details: Sequence[str],
    *,
    is_whole: bool,
) -> Iterator[Cells]:
    """
    The lines of one innermost cell: its sum where the groups name day and user, else its rows.
    """
    is_named = columns.day in cells and (not columns.user or columns.user in cells)
    sums = dict(zip(aggregates, _mappings(fact.get("aggregates")), strict=False))
    if is_named and any(_number(sums.get(name)) is not None for name in columns.calls):
        yield cells | sums
        return
    if not is_whole:
        # Salesforce sends the first 2,000 detail rows; a part of them would look like the whole.
        raise ObjectError(f'"{USAGE_REPORT}": it has more lines than Salesforce sends at once.')
    for row in _mappings(fact.get("rows")):
        yield cells | dict(zip(details, _mappings(row.get("dataCells")), strict=False))


def _leaves(body: Mapping[str, Any]) -> Iterator[tuple[str, Cells]]:
    """Keys of the fact map's innermost cells (``0_1!T``), with what the groups say of them."""
    down = _groups(body, "groupingsDown")
    for across_key, across in _groups(body, "groupingsAcross"):
        for down_key, cells in down:
            yield f"{down_key}!{across_key}", cells | across


def _groups(body: Mapping[str, Any], which: str) -> list[tuple[str, Cells]]:
    names = [
        str(level.get("name")) for level in _mappings(_part(body, "reportMetadata").get(which))
    ]
    found: list[tuple[str, Cells]] = []

    def walk(groups: object, level: int, cells: Cells) -> None:
        for group in _mappings(groups):
            here = cells | ({names[level]: group} if level < len(names) else {})
            if _mappings(group.get("groupings")) and level < len(names):
                walk(group["groupings"], level + 1, here)
            else:
                found.append((str(group.get("key")), here))

    walk(_part(body, which).get("groupings"), 0, {})
    return found or [("T", {})]


def _infos(body: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """All columns, by name, as the report describes them."""
    extended = _part(body, "reportExtendedMetadata")
    found: dict[str, Mapping[str, Any]] = {}
    for part in ("groupingColumnInfo", "detailColumnInfo", "aggregateColumnInfo"):
        found |= {
            str(name): info
            for name, info in _part(extended, part).items()
            if isinstance(info, Mapping)
        }
    return found


def _calls(line: Cells, columns: Columns) -> int | None:
    return next(
        (number for name in columns.calls if (number := _number(line.get(name))) is not None), None
    )


def _number(cell: object) -> int | None:
    value = cell.get("value") if isinstance(cell, Mapping) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value < 1e15 else None  # type: ignore[operator, arg-type]


def _day(cell: object) -> date | None:
    value = cell.get("value") if isinstance(cell, Mapping) else None
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None  # the line of what has no day


def _text(cell: object) -> str:
    if not isinstance(cell, Mapping):
        return ""
    # A user column's value may be an Id, its label the name.
    return next(
        (
            text
            for key in ("label", "value")
            if isinstance(text := cell.get(key), str) and text not in ("", "-")
        ),
        "",
    )


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = of.get(name)
    return part if isinstance(part, Mapping) else {}


def _mappings(values: object) -> list[Mapping[str, Any]]:
    return (
        [value for value in values if isinstance(value, Mapping)]
        if isinstance(values, list)
        else []
    )


def _texts(values: object) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list) else []
