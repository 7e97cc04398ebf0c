"""
SOQL's date literals as half-open ranges of days, in UTC. The fiscal year is the calendar year.
"""

from __future__ import annotations

from datetime import date, timedelta

_UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR")
MAX_DATE = date(4000, 12, 31)
MIN_DATE = date(1700, 1, 1)


def add_months(day: date, months: int) -> date:
    """
    The first of the month that lies ``months`` from this one, kept within the years Salesforce
    knows.
    """
    whole = day.year * 12 + day.month - 1 + months
    year = min(max(whole // 12, MIN_DATE.year), MAX_DATE.year)
    return date(year, whole % 12 + 1, 1)


def _add_days(day: date, days: int) -> date:
    ordinal = min(max(day.toordinal() + days, MIN_DATE.toordinal()), MAX_DATE.toordinal())
    return date.fromordinal(ordinal)


def _start(unit: str, today: date) -> date:
    match unit.removeprefix("FISCAL_"):
        case "WEEK":  # weeks begin on Sunday, as in the United States' locale
            return today - timedelta(days=(today.weekday() + 1) % 7)
        case "MONTH":
            return today.replace(day=1)
        case "QUARTER":
            return date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
        case "YEAR":
            return date(today.year, 1, 1)
    return today


def _move(unit: str, start: date, count: int) -> date:
    match unit.removeprefix("FISCAL_"):
        case "DAY":
            return _add_days(start, count)
        case "WEEK":
            return _add_days(start, 7 * count)
        case "MONTH":
            return add_months(start, count)
        case "QUARTER":
            return add_months(start, 3 * count)
    return add_months(start, 12 * count)


def literal_range(  # noqa: PLR0911 - a table of literals
    name: str, count: int | None, today: date
) -> tuple[date, date] | None:
    """
    First day and day after the last one of ``TODAY``, ``LAST_N_DAYS:30`` and the like; None for
    other words.

    ``LAST_N_DAYS:n`` ends today, the longer ones before the current unit; ``NEXT_N_…`` begins after
    it.
    """
    if count is None:
        fixed = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}
        if name in fixed:
            day = _add_days(today, fixed[name])
            return day, _add_days(day, 1)
        if name == "LAST_90_DAYS":
            return _add_days(today, -90), _add_days(today, 1)
        if name == "NEXT_90_DAYS":
            return _add_days(today, 1), _add_days(today, 91)
        which, _, unit = name.partition("_")
        if which in ("LAST", "THIS", "NEXT") and unit in _UNITS[1:]:
            start = _move(unit, _start(unit, today), {"LAST": -1, "THIS": 0, "NEXT": 1}[which])
            return start, _move(unit, start, 1)
        return None
    for unit in _UNITS:
        start = _start(unit, today)
        if name == f"LAST_N_{unit}S":
            return _move(unit, start, -count), (_add_days(today, 1) if unit == "DAY" else start)
        if name == f"NEXT_N_{unit}S":
            return _move(unit, start, 1), _move(unit, start, count + 1)
        if name == f"N_{unit}S_AGO":
            return _move(unit, start, -count), _move(unit, start, 1 - count)
    return None
