from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.org.prices import price_of

HOST = "https://acme.my.salesforce.com"
DATA = f"{HOST}/services/data/v66.0"


@pytest.mark.parametrize(
    ("method", "url", "body", "price"),
    [
        ("GET", f"{DATA}/query?q=SELECT", None, {"api": 1}),
        ("GET", f"{DATA}/limits", None, {"api": 1}),
        ("GET", f"{DATA}/", None, {"api": 1}),
        ("GET", f"{DATA}/sobjects/Account/describe", None, {"api": 1}),
        ("POST", f"{DATA}/composite", b"{}", {"api": 1}),
        ("POST", f"{DATA}/composite/graph", b"{}", {"api": 1}),
        ("POST", f"{DATA}/composite/tree/Account", b"{}", {"api": 1}),
        ("POST", f"{DATA}/composite/sobjects", b"{}", {"api": 1}),
        ("POST", f"{DATA}/composite/batch", json.dumps({"batchRequests": [{}] * 7}), {"api": 7}),
        ("POST", f"{DATA}/composite/batch/", b"not json", {"api": 25}),
        ("POST", f"{DATA}/composite/batch", b'{"batchRequests":[]}', {"api": 1}),
        ("post", f"{DATA}/jobs/query", b"{}", {"api": 1, "bulk2": 1}),
        ("GET", f"{DATA}/jobs/query", None, {"api": 1}),
        ("GET", f"{DATA}/jobs/query/7507Q00000JoB01QAF", None, {"api": 1}),
        ("GET", f"{DATA}/jobs/query/7507Q00000JoB01QAF/results?locator=x", None, {"api": 1}),
        ("PATCH", f"{DATA}/jobs/query/7507Q00000JoB01QAF", b"{}", {"api": 1}),
        ("POST", f"{DATA}/jobs/ingest", b"{}", {"api": 1}),
        ("POST", f"{DATA}/jobs/ingest", b"--boundary\r\n", {"api": 1, "bulk": 1}),
        (
            "PUT",
            f"{DATA}/jobs/ingest/7507Q00000JoB01QAF/batches",
            b"a\n" * 25_000,
            {"api": 1, "bulk": 3},
        ),
        ("POST", f"{HOST}/services/async/66.0/job", b"<jobInfo/>", {"api": 1}),
        (
            "POST",
            f"{HOST}/services/async/66.0/job/7507Q00000JoB01QAF/batch",
            b"SELECT",
            {"api": 1, "bulk": 1},
        ),
        ("POST", f"{HOST}/services/Soap/u/64.0", b"<e><n1:login xmlns:n1='u'><n1:username>", {}),
        ("POST", f"{HOST}/services/Soap/u/59.0", "<env:Body><login xmlns='u'>", {}),
        ("POST", f"{HOST}/services/Soap/u/59.0", b"<urn:query><urn:loginName>", {"api": 1}),
        ("POST", f"{HOST}/services/oauth2/token", b"", {}),
        ("GET", f"{HOST}/services/oauth2/userinfo", None, {}),
        ("GET", f"{HOST}/id/00D/005", None, {}),
        ("GET", f"{HOST}/services/data", None, {}),
        ("GET", f"{HOST}/services/data/", None, {}),
        ("GET", f"{HOST}/services/apexrest/x", None, {"api": 1}),
        ("GET", f"{HOST}/anything/new", None, {"api": 1}),
    ],
)
def test_each_call_has_its_price(method: str, url: str, body: Any, price: dict[str, int]) -> None:
    """P1: calls are priced as Salesforce counts them, and unknown ones are not free."""
    assert price_of(method, url, body) == price


def test_result_pages_draw_megabytes_when_told() -> None:
    """A result page draws on the MB budget by what the caller expects, other calls do not."""
    url = f"{DATA}/jobs/query/7507Q00000JoB01QAF/results?maxRecords=5"
    assert price_of("GET", url, None, expected_mb=12) == {"api": 1, "bulk2_mb": 12}
    assert price_of("GET", f"{DATA}/query?q=x", None, expected_mb=12) == {"api": 1}


@given(st.integers(0, 60_000), st.booleans())
def test_an_upload_is_never_priced_too_low(rows: int, has_last_line_end: bool) -> None:
    """P1: an upload of n rows costs at least its batches of 10,000."""
    body = b"\n".join([b"Id"] + [b"x"] * rows) + (b"\n" if has_last_line_end else b"")
    price = price_of("PUT", f"{DATA}/jobs/ingest/750/batches", body)
    assert price["bulk"] >= max(-(-rows // 10_000), 1)


def test_a_streamed_upload_costs_the_most() -> None:
    """P1: rows that cannot be counted before they are sent are taken for as many as Salesforce accepts."""
    assert price_of("PUT", f"{DATA}/jobs/ingest/750/batches", iter([b"x"]))["bulk"] == 790
