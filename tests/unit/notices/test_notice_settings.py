"""What `[notices]` may say, and what that means at an hour."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sfnb.notice_settings import parse_notices


@pytest.mark.parametrize(
    ("quiet", "hour", "is_quiet"),
    [("22:00-07:00", 23, True), ("22:00-07:00", 6, True), ("22:00-07:00", 7, False),
     ("22:00-07:00", 21, False), ("12:00-13:00", 12, True), ("12:00-13:00", 13, False)],
)  # fmt: skip
def test_quiet_hours_are_those_of_the_wall_clock(quiet: str, hour: int, is_quiet: bool) -> None:
    """A night that goes past midnight is one, in the time zone that is named."""
    parsed = parse_notices({"quiet": quiet, "tz": "Asia/Tokyo"})
    assert parsed.is_quiet(datetime(2026, 11, 3, (hour - 9) % 24, tzinfo=UTC)) == is_quiet


def test_a_summary_is_due_once_a_day() -> None:
    """The newest time of day that is past, in the time zone that is named."""
    parsed = parse_notices({"summary_at": "07:00", "tz": "Europe/Paris"})
    due = [parsed.summary_day(datetime(2026, 11, 3, hour, tzinfo=UTC)) for hour in (5, 6, 23)]
    assert [f"{at:%d %H:%M}" for at in due if at] == ["02 07:00", "03 07:00", "03 07:00"]


@pytest.mark.parametrize(
    "table",
    [
        {"url": "slack://token/in/the/settings"}, {"url": 1}, {"kinds": ["birthdays"]}, {"kinds": "all"},
        {"urgent": ["all"]}, {"urgent": "failed"},
        {"quiet": "22-7"}, {"quiet": "25:00-07:00"}, {"summary_at": "7"}, {"tz": "Mars"},
        {"warn_pct": [0]}, {"warn_pct": ["80"]}, {"warn_pct": 80}, {"colour": "red"},
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_without_its_value(table: dict[str, Any]) -> None:
    """The setting's name and what is expected; an address that was written here is not repeated."""
    with pytest.raises(ValueError, match=r"notices") as refused:
        parse_notices(table)
    name, says = refused.value.args
    assert name in table and name in says and "slack" not in says
