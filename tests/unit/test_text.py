"""How moments, spans, numbers and tables read."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb import text
from sfnb.errors import CallerError

AT = datetime(2026, 11, 3, 13, 5, 9, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_moment_reads_the_same_everywhere() -> None:
    """Day and month by name, in the viewer's zone, never in the machine's language."""
    assert text.moment(AT, BERLIN) == "Tue 3 Nov, 14:05"
    assert text.zoned_moment(AT, BERLIN) == "Tue 3 Nov, 14:05 CET"
    assert text.dated_moment(AT, BERLIN) == "3 Nov 2026, 14:05"
    assert text.day_second(AT, BERLIN) == "Tue 3 Nov, 14:05:09"
    assert (text.moment(None), text.zoned_moment(None)) == ("never", "never")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 s"), (59.4, "59 s"), (60, "1 min"), (3599, "1 h"), (11_400, "3 h 10 min"),
        (7200, "2 h"), (3 * 86_400, "3 days"),
    ],
)  # fmt: skip
def test_a_span_has_the_unit_that_people_use(seconds: float, said: str) -> None:
    """Seconds below a minute, then minutes, hours, days."""
    assert text.span(seconds) == said


def test_numbers_have_thousands_signs_and_nouns_their_number() -> None:
    """One row, two rows; what nobody knows is a question mark, never -1."""
    assert text.count(1_234_567) == "1,234,567"
    assert (text.count(1, "row"), text.count(2000, "row")) == ("1 row", "2,000 rows")
    assert (text.count(0, "query", "queries"), text.count(-1)) == ("0 queries", "?")
    assert (text.percent(887, 1000), text.percent(3, 0)) == ("88.7 %", "?")


def test_columns_of_a_table_stand_below_each_other() -> None:
    """Also where letters take two places on a terminal, and numbers stand at the right."""
    shown = text.table(("name", "rows"), [("取引先", 12), ("Account", 1_000)], right=(1,))
    assert shown.splitlines() == ["name     rows", "取引先     12", "Account  1000"]


@pytest.mark.parametrize(
    "typed",
    ["0", "101", "-5", "1e3", "fifty", "", "  ", "50.5", "٥٠", "5 0", "5_0", "+5", "0x10", "6 %%"],
)
def test_what_is_not_a_percentage_is_refused(typed: str) -> None:
    """Nothing is guessed, and the sentence says what to enter."""
    with pytest.raises(CallerError, match="Enter a whole number from 1 to 100"):
        text.parse_percent(typed)


@given(st.integers(1, 100))
def test_percentages_are_read(percent: int) -> None:
    """1 to 100 is understood, with a percent sign and blanks or without."""
    typed = (str(percent), f" {percent} %", f"{percent}%")
    assert [text.parse_percent(one) for one in typed] == [percent] * 3
