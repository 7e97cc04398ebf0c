"""Salesforce's report "API Usage Last 7 Days" in the event log's place: its forms, its frames, its difference."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.errors import ObjectError
from sfnb.memory import open_state
from sfnb.org.reports import parse_user_days
from sfnb.report import html_report
from sfnb.usage import review_of
from sfnb.usage.store.values import ReportRead, UserDay
from tests.unit.usage.histories import END, NOW, history

ORG = "00D000000000001AAA"
MONDAY, TUESDAY = date(2026, 11, 2), date(2026, 11, 3)
ANN_AND_BOB = [
    UserDay(MONDAY, "ann@a.test", 5),
    UserDay(MONDAY, "bob@a.test", 7),
    UserDay(TUESDAY, "ann@a.test", 1),
]


def cell(value: Any, label: str = "") -> dict[str, Any]:
    return {"label": label or str(value), "value": value}


def row(*values: Any) -> dict[str, Any]:
    return {"dataCells": [cell(value) for value in values]}


def group(key: str, value: str, *groups: dict[str, Any]) -> dict[str, Any]:
    return {"key": key, "value": value, "label": value, "groupings": list(groups)}


def fact(calls: int, *rows: dict[str, Any]) -> dict[str, Any]:
    return {"aggregates": [cell(1), cell(calls)], "rows": list(rows)}


INFO = {
    "detailColumnInfo": {
        "CLIENT": {"label": "Client", "dataType": "string"},
        "USER_ID": {"label": "User ID", "dataType": "string"},
        "USERNAME": {"label": "Username", "dataType": "string"},
        "CALL_DATE": {"label": "Date", "dataType": "date"},
        "TOTAL": {"label": "Total Requests", "dataType": "int"},
        "AGE": {"label": "Age", "dataType": "double"},
    },
    "aggregateColumnInfo": {
        "RowCount": {"label": "Record Count", "dataType": "int"},
        "s!TOTAL": {"label": "Sum of Total Requests", "dataType": "int"},
    },
}

TABULAR = {
    "factMap": {
        "T!T": fact(
            13,
            row("x", "005", "ann@a.test", "2026-11-02", 3, 1.5),
            row("y", "005", "ann@a.test", "2026-11-02T00:00:00Z", 2, 0.5),
            row("x", "006", "bob@a.test", "2026-11-02", 7, None),
            row("x", "006", "bob@a.test", None, 99, None),
            row("x", "005", "ann@a.test", "2026-11-03", 1, None),
        )
    },
    "reportMetadata": {
        "aggregates": ["RowCount", "s!TOTAL"],
        "detailColumns": ["CLIENT", "USER_ID", "USERNAME", "CALL_DATE", "TOTAL", "AGE"],
    },
    "reportExtendedMetadata": INFO,
}

SUMMARY = {
    "allData": False,  # the sums are whole even where details are cut off
    "factMap": {
        "T!T": fact(13),
        "0!T": fact(6),
        "0_0!T": fact(5),
        "0_1!T": fact(1),
        "1!T": fact(7),
        "1_0!T": fact(7),
    },
    "groupingsDown": {
        "groupings": [
            group("0", "ann@a.test", group("0_0", "2026-11-02"), group("0_1", "2026-11-03")),
            group("1", "bob@a.test", group("1_0", "2026-11-02")),
        ]
    },
    "reportMetadata": {
        "aggregates": ["RowCount", "s!TOTAL"],
        "groupingsDown": [{"name": "USERNAME"}, {"name": "CALL_DATE"}],
    },
    "reportExtendedMetadata": INFO,
}

MATRIX = {
    "factMap": {"0!0": fact(5), "0!1": fact(1), "1!0": fact(7), "T!T": fact(13)},
    "groupingsDown": {"groupings": [group("0", "ann@a.test"), group("1", "bob@a.test")]},
    "groupingsAcross": {"groupings": [group("0", "2026-11-02"), group("1", "2026-11-03")]},
    "reportMetadata": {
        "aggregates": ["RowCount", "s!TOTAL"],
        "groupingsDown": [{"name": "USERNAME"}],
        "groupingsAcross": [{"name": "CALL_DATE"}],
    },
    "reportExtendedMetadata": INFO,
}

BY_USER_WITH_DETAILS = {
    "factMap": {
        "0!T": fact(6, row("2026-11-02", 5), row("2026-11-03", 1)),
        "1!T": fact(7, row("2026-11-02", 7)),
    },
    "groupingsDown": {"groupings": [group("0", "ann@a.test"), group("1", "bob@a.test")]},
    "reportMetadata": {
        "aggregates": ["RowCount", "s!TOTAL"],
        "detailColumns": ["CALL_DATE", "TOTAL"],
        "groupingsDown": [{"name": "USERNAME"}],
    },
    "reportExtendedMetadata": INFO,
}


@pytest.mark.parametrize("body", [TABULAR, SUMMARY, MATRIX, BY_USER_WITH_DETAILS])
def test_each_form_of_report_tells_the_same(body: dict[str, Any]) -> None:
    """Tabular, summary and matrix reports give the same lines; sums above the innermost are not counted twice."""
    assert parse_user_days(body) == ANN_AND_BOB


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([], "no report"),
        ({"factMap": {}}, "no column of days"),
        (
            TABULAR | {"reportExtendedMetadata": {"detailColumnInfo": {"D": {"dataType": "date"}}}},
            "no column of calls",
        ),
        (TABULAR | {"allData": False}, "more lines than Salesforce sends"),
    ],
)
def test_another_report_is_refused_in_a_sentence(body: object, told: str) -> None:
    """What is no usage report, or only a part of one, is refused in words, never taken for the whole."""
    with pytest.raises(ObjectError, match=told):
        parse_user_days(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from([TABULAR, SUMMARY, MATRIX]),
    st.sampled_from(sorted(TABULAR | SUMMARY | MATRIX)),
    JSON,
)
def test_a_strange_part_is_no_crash(body: dict[str, Any], name: str, part: Any) -> None:
    """Whatever stands in any part of the answer, it is lines of calls of at least 0, or one sentence."""
    try:
        found = parse_user_days(body | {name: part})
    except ObjectError:
        return
    assert all(line.calls >= 0 for line in found)


def test_a_later_report_replaces_its_days(tmp_path: Path) -> None:
    """A day's figures are those of the last report that told it; a failed reading loses nothing; old days are gone."""
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as state:
        book = state.user_days
        noon = datetime(2026, 11, 3, 12, tzinfo=UTC)
        book.put(ORG, ANN_AND_BOB, noon)
        book.put(ORG, [UserDay(TUESDAY, "bob@a.test", 4)], noon + timedelta(hours=1))
        book.note_problem(ORG, noon + timedelta(days=1), "No.")
        assert book.days(ORG, MONDAY) == [
            UserDay(MONDAY, "ann@a.test", 5, is_whole=True),
            UserDay(MONDAY, "bob@a.test", 7, is_whole=True),
            UserDay(TUESDAY, "bob@a.test", 4),
        ]
        assert book.last_read(ORG) == ReportRead(
            noon + timedelta(days=1), noon + timedelta(hours=1), "No."
        )
        book.put(ORG, [], noon + timedelta(days=401))
        assert book.days(ORG, MONDAY) == []
        assert book.days("another", MONDAY) == []


def test_the_difference_to_the_counter_is_shown() -> None:
    """A whole day's calls stand beside the counter's with their difference; a day not wholly known has none."""
    hourly = [(minutes, 240 + minutes % 7, 1000) for minutes in range(0, 5 * 1440, 60)]
    review = review_of(
        history(
            hourly,
            user_days=[
                UserDay(date(2026, 11, 7), "<b>ann</b>", 200, is_whole=True),
                UserDay(date(2026, 11, 7), "bob", 20, is_whole=True),
                UserDay(date(2026, 11, 9), "bob", 3),
            ],
            report_read=ReportRead(NOW, NOW),
        ),
        UTC,
    )
    saturday, today = review.reported.itertuples(index=False)
    assert (saturday.report, saturday.hours) == (220, 24)
    assert saturday.difference == saturday.counter - 220
    assert saturday.difference_pct == pytest.approx(100 * saturday.difference / saturday.counter)
    assert review.reported["difference"].isna().tolist() == [False, True]
    assert today.report == 3
    assert list(review.users["name"]) == ["<b>ann</b>", "bob"]
    said = next(notice.detail for notice in review.notices if notice.code == "usage_report")
    assert f"a difference of {saturday.difference:,}" in said
    page = html_report([review])
    assert "<b>ann</b>" not in page
    assert "&lt;b&gt;ann&lt;/b&gt;" in page


def test_the_event_log_comes_first() -> None:
    """Where the event log names callers, users are its, and the usage report is not mentioned."""
    review = review_of(
        history(
            [(30, 100, 1000), (5, 120, 1000)],
            log=[(60, 9, 4)],
            covered=[("Hourly", END // 60 - 1)],
            user_days=[UserDay(date(2026, 11, 9), "ann", 3)],
            report_read=ReportRead(NOW, NOW),
        ),
        UTC,
    )
    assert not review.has_reported_users
    assert "ann" not in set(review.users["name"])
    assert not [notice for notice in review.notices if notice.code == "usage_report"]
