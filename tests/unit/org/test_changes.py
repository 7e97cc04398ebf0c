"""Change lists: windows in whole minutes, answers that are not believed, and what they cost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.errors import ObjectError, QuotaSignal
from sfnb.org.changes import (
    MINUTE,
    REACH,
    SINGLE_CALLS,
    ChangeList,
    ChangeQuery,
    ChangeReader,
    change_path,
    parse_changes,
    window_since,
)
from sfnb.org.client import OrgClient
from tests.unit.org.scripted import DATA, LIMITS, Answer, Asked, ScriptedOrg

NOW = datetime(2026, 11, 26, 12, 34, 56, 700_000, tzinfo=UTC)
OK = {"Sforce-Limit-Info": "api-usage=12/1000"}
ID = "0017Q00000AcMe1QAF"
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.fixture(autouse=True)
def limits(scripted: ScriptedOrg) -> None:
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=OK))


def query(name: str = "Account", resource: str = "updated", *, hours: float = 5) -> ChangeQuery:
    assert resource in ("updated", "deleted")
    return ChangeQuery(name, resource, window_since(NOW - timedelta(hours=hours), NOW, resource))  # type: ignore[arg-type]


@given(MOMENTS, MOMENTS, st.sampled_from(["updated", "deleted"]))
def test_a_window_has_whole_minutes_and_stays_within_what_the_org_keeps(
    since: datetime, now: datetime, resource: str
) -> None:
    """It holds the moment asked for, or says that it does not; it is never empty or in the future."""
    window = window_since(since, now, resource)  # type: ignore[arg-type]
    for edge in (window.start, window.end):
        assert (edge.second, edge.microsecond) == (0, 0)
    assert window.end - window.start >= MINUTE
    assert now < window.end <= now + MINUTE
    assert window.start > now - REACH[resource]  # type: ignore[index]
    assert window.is_clamped or window.start <= since


def test_a_list_is_asked_for_by_its_encoded_edges() -> None:
    """The + of the time zone would arrive as a space."""
    assert change_path(query()) == (
        "sobjects/Account/updated/?start=2026-11-26T07%3A34%3A00%2B00%3A00"
        "&end=2026-11-26T12%3A35%3A00%2B00%3A00"
    )


def test_an_answer_is_believed_within_its_window_only() -> None:
    """A list covers no more than was asked for; one that starts late is not whole; nonsense is none."""
    answer = {"ids": [ID, ID[:15], ID], "latestDateCovered": "2027-11-01T00:00:00.000+0000"}
    found = parse_changes(answer, query())
    assert found == ChangeList((ID,), query().window.end, is_whole=True)
    late = {
        "deletedRecords": [{"id": ID, "deletedDate": "2026-11-26T09:00:00.000+0000"}],
        "earliestDateAvailable": "2026-11-26T08:00:00.000+0000",
        "latestDateCovered": "2026-11-26T12:30:00.000+0000",
    }
    found = parse_changes(late, query(resource="deleted"))
    assert isinstance(found, ChangeList) and not found.is_whole
    assert found.covered_at == datetime(2026, 11, 26, 12, 30, tzinfo=UTC)
    clamped = parse_changes(answer, query(hours=24 * 40))
    assert isinstance(clamped, ChangeList) and not clamped.is_whole
    for nonsense in (
        None,
        {"ids": None, "latestDateCovered": "2026-11-01T00:00:00Z"},
        {"ids": [ID]},
        {"ids": ["x' OR 1"], "latestDateCovered": "2026-11-01T00:00:00Z"},
        {"ids": [], "latestDateCovered": "tomorrow"},
    ):
        assert isinstance(parse_changes(nonsense, query()), ObjectError)
    cut = {"deletedRecords": [5], "latestDateCovered": "2026-11-01T00:00:00Z"}
    assert isinstance(parse_changes(cut, query(resource="deleted")), ObjectError)


def composite(scripted: ScriptedOrg, status: int, body: object, *, inner: int = 200) -> None:
    def decide(asked: Asked) -> Answer:
        if status != 200:
            return Answer(status, body, headers=OK)
        parts = [
            {
                "body": body,
                "httpHeaders": {},
                "httpStatusCode": inner,
                "referenceId": sub["referenceId"],
            }
            for sub in json.loads(asked.body)["compositeRequest"]
        ]
        return Answer(body={"compositeResponse": parts}, headers=OK)

    scripted.decide(f"{DATA}/composite", decide)


EMPTY = {"ids": [], "latestDateCovered": "2026-11-26T12:35:00.000+0000"}


def test_sixty_lists_cost_three_calls(org: OrgClient, scripted: ScriptedOrg) -> None:
    """They are no queries, so 25 ride in a composite call (REST guide, Composite)."""
    composite(scripted, 200, EMPTY)
    queries = [query(f"Object{n}__c") for n in range(60)]
    answers = ChangeReader(org).fetch(queries)
    assert list(answers) == queries
    assert all(isinstance(answer, ChangeList) for answer in answers.values())
    assert scripted.paths().count(f"{DATA}/composite") == 3


@pytest.mark.parametrize(
    ("is_whole_call", "code"),
    [(True, "INVALID_INPUT"), (False, "INVALID_INPUT"), (False, "INVALID_SUBREQUEST")],
)
def test_where_composite_refuses_them_lists_are_asked_for_one_by_one(
    org: OrgClient, scripted: ScriptedOrg, is_whole_call: bool, code: str
) -> None:
    """
    Each costs a call then, so no more than 50 are; the others are refused, and say so. Another
    server's code for it is one that nobody knows.
    """
    refused = [{"errorCode": code, "message": "not supported in a composite request"}]
    composite(scripted, 400 if is_whole_call else 200, refused, inner=400)
    for number in range(60):
        scripted.script(
            f"{DATA}/sobjects/Object{number}__c/updated/", Answer(body=EMPTY, headers=OK)
        )
    reader = ChangeReader(org)
    answers = reader.fetch([query(f"Object{n}__c") for n in range(60)])
    good = [a for a in answers.values() if isinstance(a, ChangeList)]
    refusals = [a for a in answers.values() if isinstance(a, ObjectError)]
    assert len(good) == SINGLE_CALLS and {a.code for a in refusals} == {"NOT_ASKED"}
    assert reader.is_alone and scripted.paths().count(f"{DATA}/composite") == 1


def test_one_refused_list_is_its_own(org: OrgClient, scripted: ScriptedOrg) -> None:
    """Too many Ids in one object says nothing about the others; a spent quota ends all of it."""

    def decide(asked: Asked) -> Answer:
        many = [{"errorCode": "EXCEEDED_ID_LIMIT", "message": "cannot return more than 600000 ids"}]
        parts = []
        for number, sub in enumerate(json.loads(asked.body)["compositeRequest"]):
            body, status = (many, 400) if number == 0 else (EMPTY, 200)
            parts.append(
                {
                    "body": body,
                    "httpHeaders": {},
                    "httpStatusCode": status,
                    "referenceId": sub["referenceId"],
                }
            )
        return Answer(body={"compositeResponse": parts}, headers=OK)

    scripted.decide(f"{DATA}/composite", decide)
    first, second = ChangeReader(org).fetch([query(), query("Contact")]).values()
    assert isinstance(first, ObjectError) and first.code == "EXCEEDED_ID_LIMIT"
    assert isinstance(second, ChangeList)
    spent = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    composite(scripted, 200, spent, inner=403)
    with pytest.raises(QuotaSignal):
        ChangeReader(org).fetch([query()])
