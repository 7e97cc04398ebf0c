from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.errors import (
    LoginError,
    ObjectError,
    OrgUnavailable,
    QuotaSignal,
    ResultsGone,
    SfnbError,
    TransientError,
)
from sfnb.org.refusals import parse_error, refusal_of

QUERY = "GET /services/data/v66.0/query"
RESULTS = "GET /services/data/v66.0/jobs/query/7507Q00000JoB01QAF/results"
HTML = {"Content-Type": "text/html;charset=UTF-8"}


def errors(code: str, message: str = "no") -> bytes:
    return json.dumps([{"message": message, "errorCode": code}]).encode()


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "code"),
    [
        (400, errors("MALFORMED_QUERY"), {}, ObjectError, "MALFORMED_QUERY"),
        (400, errors("INVALIDENTITY"), {}, ObjectError, "INVALIDENTITY"),
        (400, errors("QUERY_TIMEOUT"), {}, TransientError, None),
        (400, errors("UNABLE_TO_LOCK_ROW"), {}, TransientError, None),
        (400, errors("INVALID_QUERY_LOCATOR"), {}, ResultsGone, "INVALID_QUERY_LOCATOR"),
        (401, errors("INVALID_AUTH_HEADER"), {}, LoginError, None),
        (401, b"<html>", HTML, OrgUnavailable, None),
        (403, errors("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."), {},
         TransientError, None),
        (403, errors("API_DISABLED_FOR_ORG"), {}, LoginError, None),
        (403, errors("API_CURRENTLY_DISABLED"), {}, OrgUnavailable, None),
        (403, errors("API_CURRENTLY_DISABLED", "API is disabled for this User"), {}, LoginError, None),
        (403, errors("INSUFFICIENT_ACCESS_OR_READONLY"), {}, ObjectError, "INSUFFICIENT_ACCESS_OR_READONLY"),
        (403, b"", {}, ObjectError, "FORBIDDEN"),
        (404, errors("NOT_FOUND"), {}, ObjectError, "NOT_FOUND"),
        (404, b"", {}, ObjectError, "NOT_FOUND"),
        (405, b"[]", {}, ObjectError, "METHOD_NOT_ALLOWED"),
        (406, b"", {}, TransientError, None),
        (410, b"", {}, ObjectError, "HTTP_410"),
        (414, b"<h1>Bad Message 414</h1>", HTML, ObjectError, "URI_TOO_LONG"),
        (431, b"<html>", HTML, ObjectError, "URI_TOO_LONG"),
        (420, b"<html>", HTML, OrgUnavailable, None),
        (429, b"", {}, TransientError, None),
        (500, errors("UNKNOWN_EXCEPTION"), {}, TransientError, None),
        (502, b"bad gateway", {}, OrgUnavailable, None),
        (503, errors("SERVER_UNAVAILABLE"), {}, OrgUnavailable, None),
        (200, b"<!DOCTYPE html><html>", {}, OrgUnavailable, None),
        (200, b"<html>", HTML, OrgUnavailable, None),
        (400, b'{"exceptionCode":"InvalidJob","exceptionMessage":"x"}', {}, ObjectError, "InvalidJob"),
        (400, b"<error><exceptionCode>InvalidBatch</exceptionCode></error>", {}, ObjectError, "InvalidBatch"),
    ],
)  # fmt: skip
def test_each_answer_becomes_the_error_its_catcher_needs(
    status: int, body: bytes, headers: dict[str, str], kind: type[SfnbError], code: str | None
) -> None:
    """What may pass is transient, what stays is the object's error with its code, the session's is the login's."""
    refusal = refusal_of(status, headers, body, what=QUERY)
    assert type(refusal) is kind
    if code is not None:
        assert isinstance(refusal, ObjectError)
        assert refusal.code == code
    assert "\n" not in str(refusal)


@pytest.mark.parametrize(
    ("status", "code", "message", "api"),
    [
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", "api"),
        (403, "REQUEST_LIMIT_EXCEEDED", "some new text", "api"),
        (400, "LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached", "bulk2"),
        (400, "LIMIT_EXCEEDED", "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded",
         "bulk2_mb"),
        (400, "ExceededQuota", "ApiBatchItems Limit exceeded", "bulk"),
    ],
)  # fmt: skip
def test_a_spent_budget_is_a_pause_not_an_error(
    status: int, code: str, message: str, api: str
) -> None:
    """P4: when the org itself refuses for its allowance, the job pauses on that budget."""
    refusal = refusal_of(
        status, {"Sforce-Limit-Info": "api-usage=15000/15000"}, errors(code, message), what=QUERY
    )
    assert isinstance(refusal, QuotaSignal)
    assert refusal.api == api
    assert (refusal.used, refusal.maximum) == ((15000, 15000) if api == "api" else (-1, -1))
    assert refusal.reason.startswith("the org itself refuses")


@pytest.mark.parametrize("status", [404, 409])
def test_expired_results_start_the_object_again(status: int) -> None:
    """Results that are gone, or of another API version, are not the object's failure."""
    assert type(refusal_of(status, {}, b"", what=RESULTS)) is ResultsGone


@pytest.mark.parametrize("status", [200, 201, 204, 304])
def test_good_answers_are_no_refusals(status: int) -> None:
    """Answers without an error pass, empty ones too."""
    assert refusal_of(status, {}, b"", what=QUERY) is None


def test_a_query_frame_is_told_in_one_line() -> None:
    """Salesforce's message with the query and a caret becomes the sentence under it."""
    frame = "\nSELECT Naem FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Naem' on entity 'Account'."
    assert parse_error(errors("INVALID_FIELD", frame)) == (
        "INVALID_FIELD",
        "No such column 'Naem' on entity 'Account'",
    )


def test_a_retry_after_is_kept() -> None:
    """When the edge says how long to wait, the wait is at least that."""
    refusal = refusal_of(503, {"Retry-After": "30"}, b"", what=QUERY)
    assert isinstance(refusal, TransientError)
    assert refusal.retry_after_s == 30


@given(
    st.integers(300, 599), st.binary(max_size=80) | st.from_type(type(None)).map(lambda _: b"null")
)
def test_no_body_breaks_the_translation(status: int, body: bytes) -> None:
    """Whatever an error answer holds, it becomes one of our errors."""
    refusal = refusal_of(status, {}, body, what=QUERY)
    assert isinstance(refusal, SfnbError | QuotaSignal) or status == 304


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["errorCode", "message", "error", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(JSON)
def test_no_json_breaks_the_reading_of_an_error(answer: Any) -> None:
    """Any JSON gives a code and a message, if only empty ones."""
    code, message = parse_error(json.dumps(answer).encode())
    assert isinstance(code, str)
    assert isinstance(message, str)


def test_tokens_never_get_into_a_message() -> None:
    """P7: a session id that the org quotes is masked."""
    told = errors(
        "X", "session 00D7Q00000DemoX!AQ4AQFakeSession.Value_1 and eyJhbGciOiJS.eyJpc3Mi.c2ln ended"
    )
    text = str(refusal_of(400, {}, told, what=QUERY))
    assert "AQFakeSession" not in text
    assert "eyJpc3Mi" not in text
