from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.org.limits import parse_limit_header, parse_limits

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("api-usage=10018/100000", (10018, 100000)),
        ("api-usage=10018/100000; per-app-api-usage=17/250(appName=Acme Backup)", (10018, 100000)),
        ("api-usage=10018/100000; api-bursts=1/750", (10018, 100000)),
        ("per-app-api-usage=17/250(appName=x); api-usage=5/15000", (5, 15000)),
        ("  API-Usage = 7 / 9 ;", (7, 9)),
        ("api-usage=101200/100000", (101200, 100000)),
        ("api-usage=5/100, api-usage=5/100", (5, 100)),
        # An app may be called anything.
        ("per-app-api-usage=1/2(appName=a; api-usage=1/9999999); api-usage=5/100", (5, 100)),
        ("per-app-api-usage=1/2(appName=a (b; api-usage=1/99) c); api-usage=5/100", (5, 100)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("api-usage=5/100, api-usage=6/100", None),
        ("api-usage=5/", None),
        ("api-usage=-5/100", None),
        ("api-usage=5.5/100", None),
        ("api-usage=5/100 of 7", None),
        ("api-usage=5/100(", None),
        ("api-usage=٥/١٠٠", None),
        ("x-api-usage=5/100", None),
        ("garbage", None),
        ("", None),
        (None, None),
    ],
)
def test_header_is_read_in_all_its_forms(
    text: str | None, expected: tuple[int, int] | None
) -> None:
    """P1: the header gives used and max in any order and company; what is unclear gives nothing."""
    assert parse_limit_header(text) == expected


PARTS = st.lists(
    st.sampled_from(
        [
            "api-bursts=1/750",
            "per-app-api-usage=17/250(appName=Acme; api-usage=1/2)",
            "x=y",
            "",
            "per-app-api-usage=9/9(appName=a=b)",
        ]
    ),
    max_size=4,
)
SPACE = st.sampled_from(["", " ", "  "])


@given(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), PARTS, PARTS, SPACE, st.booleans())
def test_a_clear_header_is_never_misread(
    told: tuple[int, int], before: list[str], after: list[str], space: str, shout: bool
) -> None:
    """P1: whatever stands around it, a clear figure is read as it is."""
    own = f"{space}api-usage{space}={space}{told[0]}{space}/{space}{told[1]}{space}"
    text = ";".join([*before, own.upper() if shout else own, *after])
    assert parse_limit_header(text) == told


@given(st.text(alphabet="api-usage=/0123456789;,()N :xA", max_size=60))
def test_noise_never_gives_a_wrong_number(text: str) -> None:
    """P1: a figure that is read stands in the header, outside of parentheses, as the only one of its kind."""
    found = parse_limit_header(text)
    if found is not None:
        figures = re.findall(r"(?<![\w-])api-usage\s*=\s*(\d+)\s*/\s*(\d+)", text, re.IGNORECASE)
        assert found in [(int(used), int(most)) for used, most in figures]


def read(body: Any) -> dict[str, tuple[int, int]]:
    readings = parse_limits(body, sent_at=NOW, read_at=NOW)
    assert all(reading.source == "limits" for reading in readings.values())
    return {api: (reading.used, reading.maximum) for api, reading in readings.items()}


def test_limits_give_all_four_budgets() -> None:
    """Sub-objects of apps, negative Remaining and the old name of the batches are read right."""
    assert read(
        {
            "DailyApiRequests": {"Max": 100, "Remaining": -12, "App": {"Max": 0, "Remaining": 0}},
            "DailyBulkApiRequests": {"Max": 15000, "Remaining": 14000},
            "DailyBulkV2QueryJobs": {"Max": 10000, "Remaining": 10000},
            "DailyBulkV2QueryFileStorageMB": {"Max": 976562, "Remaining": 976000},
        }
    ) == {"api": (112, 100), "bulk": (1000, 15000), "bulk2": (0, 10000), "bulk2_mb": (562, 976562)}


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"DailyApiRequests": 5},
        {"DailyApiRequests": {"Max": 100}},
        {"DailyApiRequests": {"Max": "1e2", "Remaining": 5}},
        {"DailyApiRequests": {"Max": 100, "Remaining": True}},
        {"DailyApiRequests": {"Max": -1, "Remaining": -5}},
        {"DailyApiRequests": {"Max": 100, "Remaining": 101}},
    ],
)
def test_unclear_limits_give_no_reading(body: Any) -> None:
    """P1: what /limits does not say clearly is unknown, not zero."""
    assert read(body) == {}
