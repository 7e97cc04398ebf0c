from __future__ import annotations

import gzip
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.clock import FakeClock
from sfnb.errors import CallerError, ObjectError, QuotaSignal, ResultsGone, TransientError
from sfnb.model import ObjectInfo, ObjectSchema
from sfnb.org import bulk2
from sfnb.org.check import check, clock_skew_s
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, cut_composite, fetch_composite
from sfnb.org.describe import fetch_counts, fetch_objects, fetch_schemas, split_names
from sfnb.org.ids import to18
from tests.unit.org.scripted import DATA, LIMITS, Answer, Asked, ScriptedOrg

OK = {"Sforce-Limit-Info": "api-usage=12/1000"}
JOB = "7507Q00000JoB01QAF"


@pytest.fixture(autouse=True)
def limits(scripted: ScriptedOrg) -> None:
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=OK))


def answering(scripted: ScriptedOrg, body_of: dict[str, tuple[int, object]]) -> None:
    """Answer composite calls: each subrequest by the end of its URL."""

    def decide(asked: Asked) -> Answer:
        parts = []
        for sub in json.loads(asked.body)["compositeRequest"]:
            status, body = next(found for end, found in body_of.items() if end in sub["url"])
            parts.append(
                {
                    "body": body,
                    "httpHeaders": {},
                    "httpStatusCode": status,
                    "referenceId": sub["referenceId"],
                }
            )
        return Answer(body={"compositeResponse": parts[::-1]}, headers=OK)

    scripted.decide(f"{DATA}/composite", decide)


def test_ids_get_salesforces_own_suffix() -> None:
    """Ids of 15 characters get the suffix that Salesforce gives them; 18 stay."""
    assert to18("00D000000000062") == "00D000000000062EAA"
    assert to18("0017Q00000AcMe1") == to18("0017Q00000AcMe1QAF"[:15])
    assert to18("00D000000000062EAA") == "00D000000000062EAA"
    with pytest.raises(CallerError, match="no Salesforce id"):
        to18("00D!")


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(
    st.lists(st.tuples(st.sampled_from([200, 400, 404]), JSON_VALUES), max_size=5), st.booleans()
)
def test_parts_are_cut_out_unchanged(parts: list[tuple[int, object]], is_ascii: bool) -> None:
    """Each inner body comes out as JSON text of the same value, whatever is in it: broken surrogates too."""
    whole = {
        "compositeResponse": [
            {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": f"r{n}"}
            for n, (status, body) in enumerate(parts)
        ]
    }
    try:
        text = json.dumps(whole, ensure_ascii=is_ascii).encode()
    except UnicodeEncodeError:
        text = json.dumps(whole).encode()
    found = cut_composite(text)
    assert [(part.reference, part.status) for part in found] == [
        (f"r{n}", s) for n, (s, _) in enumerate(parts)
    ]
    assert [json.loads(part.body) for part in found] == [body for _, body in parts]


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"compositeResponse":[{"body":', b'"x"', b"\xff"]
)
def test_a_broken_composite_answer_is_transient(text: bytes) -> None:
    """An answer that ends early, or is something else, is tried again and never taken for an empty one."""
    with pytest.raises(TransientError):
        cut_composite(text)


def test_composite_answers_come_in_the_order_asked(org: OrgClient, scripted: ScriptedOrg) -> None:
    """The org may answer in any order; refusals are values."""
    answering(
        scripted,
        {"q=A": (200, {"n": 1}), "q=B": (400, [{"errorCode": "INVALID_TYPE", "message": "x"}])},
    )
    a, b = fetch_composite(
        org,
        [SubRequest("a", org.data_path("query?q=A")), SubRequest("b", org.data_path("query?q=B"))],
    )
    assert (a.status, json.loads(a.body), a.refusal("A")) == (200, {"n": 1}, None)
    assert isinstance(b.refusal("B"), ObjectError)
    sent = json.loads(scripted.asked[-1].body)
    assert sent["allOrNone"] is False


def test_a_part_that_is_missing_is_asked_again(org: OrgClient, scripted: ScriptedOrg) -> None:
    """An answer with fewer parts than asked for is no answer."""
    scripted.script(f"{DATA}/composite", Answer(body={"compositeResponse": []}, headers=OK))
    with pytest.raises(TransientError, match="lacks 1 of 1"):
        fetch_composite(org, [SubRequest("a", org.data_path("query?q=A"))])
    assert scripted.paths().count(f"{DATA}/composite") == 6


FIELD = {"name": "Id", "type": "id", "length": 18, "nillable": False, "referenceTo": []}


def test_objects_are_listed_with_what_a_plan_needs(org: OrgClient, scripted: ScriptedOrg) -> None:
    """The global describe becomes values; an object that it does not call queryable is not."""
    listed = {"sobjects": [{"name": "AccountHistory", "queryable": True}, {"name": "X"}]}
    scripted.script(f"{DATA}/sobjects", Answer(body=listed, headers=OK))
    assert fetch_objects(org) == [ObjectInfo("AccountHistory", True), ObjectInfo("X", False)]


def test_describes_ride_25_to_a_call(org: OrgClient, scripted: ScriptedOrg) -> None:
    """60 objects cost 3 calls; one that is refused is a value, not the end of the others."""
    refused = [{"errorCode": "NOT_FOUND", "message": "no such object"}]
    answering(
        scripted, {"/O7/": (404, refused), "describe": (200, {"name": "O", "fields": [FIELD]})}
    )
    names = [f"O{n}" for n in range(60)]
    schemas = fetch_schemas(org, names)
    assert list(schemas) == names
    assert isinstance(schemas["O7"], ObjectError)
    good = schemas["O8"]
    assert isinstance(good, ObjectSchema)
    assert good.has("Id")
    assert scripted.paths().count(f"{DATA}/composite") == 3


def test_describes_go_alone_when_composite_is_refused(
    org: OrgClient, scripted: ScriptedOrg
) -> None:
    """An org without composite costs more calls, and gives the same."""
    scripted.script(
        f"{DATA}/composite", Answer(404, [{"errorCode": "NOT_FOUND", "message": "x"}], OK)
    )
    scripted.script(
        f"{DATA}/sobjects/A/describe", Answer(body={"name": "A", "fields": [FIELD]}, headers=OK)
    )
    schemas = fetch_schemas(org, ["A", "B"])
    assert isinstance(schemas["A"], ObjectSchema)
    assert isinstance(schemas["B"], ObjectError)


def test_a_describe_that_fails_in_passing_is_asked_alone(
    org: OrgClient, scripted: ScriptedOrg
) -> None:
    """One part of a composite call that is out of order for a moment does not fail the object."""
    answering(scripted, {"describe": (503, [{"errorCode": "SERVER_UNAVAILABLE", "message": "x"}])})
    scripted.script(
        f"{DATA}/sobjects/A/describe", Answer(body={"name": "A", "fields": []}, headers=OK)
    )
    assert isinstance(fetch_schemas(org, ["A"])["A"], ObjectSchema)


def test_counts_of_a_whole_org_cost_one_call(org: OrgClient, scripted: ScriptedOrg) -> None:
    """Names that do not fit into one address are not listed: the org then tells all of them at once."""
    entries = [{"name": "O1", "count": 5}, {"name": "Other", "count": 9}, {"name": "O2"}, 3]
    scripted.script(f"{DATA}/limits/recordCount", Answer(body={"sObjects": entries}, headers=OK))
    assert fetch_counts(org, []) == {}
    assert fetch_counts(org, [f"O{n}" for n in range(3000)]) == {"O1": 5}
    assert fetch_counts(org, ["O1", "O2"]) == {"O1": 5}
    assert scripted.paths().count(f"{DATA}/limits/recordCount") == 2


@given(st.lists(st.text("ab_", min_size=1, max_size=80), max_size=60), st.integers(83, 500))
def test_names_are_split_by_length(names: list[str], max_chars: int) -> None:
    """Each name once, in order, each group short enough for an address."""
    groups = split_names(names, max_chars=max_chars)
    assert [name for group in groups for name in group] == names
    assert all(sum(len(name) + 3 for name in group) <= max_chars for group in groups)


# Bulk API 2.0


def test_a_bulk_job_is_created_and_watched(org: OrgClient, scripted: ScriptedOrg) -> None:
    """A job costs an API call and a query job, and its state is read whole."""
    scripted.script(f"{DATA}/jobs/query", Answer(body={"id": JOB}, headers=OK))
    assert bulk2.create_query(org, "SELECT Id FROM A", all_rows=True) == JOB
    assert json.loads(scripted.asked[-1].body)["operation"] == "queryAll"
    assert org.gate.standing()["bulk2"].believed == 2
    state = {
        "state": "Failed",
        "errorMessage": "InvalidBatch : x",
        "numberRecordsProcessed": 3,
        "apiVersion": 66.0,
    }
    scripted.script(f"{DATA}/jobs/query/{JOB}", Answer(body=state, headers=OK))
    job = bulk2.fetch_job(org, JOB)
    assert (job.is_over, job.is_complete, job.error, job.rows) == (
        True,
        False,
        "InvalidBatch : x",
        3,
    )


def test_spent_bulk_budgets_pause(org: OrgClient, scripted: ScriptedOrg) -> None:
    """P4: the day's query jobs being used up is a pause on that budget."""
    text = "Max bulk v2 query jobs (10000) per 24 hrs has been reached"
    scripted.script(
        f"{DATA}/jobs/query", Answer(400, [{"errorCode": "LIMIT_EXCEEDED", "message": text}], OK)
    )
    with pytest.raises(QuotaSignal) as caught:
        bulk2.create_query(org, "SELECT Id FROM A", all_rows=False)
    assert caught.value.api == "bulk2"


CSV = b'"Id","Name"\n"1","a\n""b"""\n'
RESULTS = f"{DATA}/jobs/query/{JOB}/results"


@pytest.mark.parametrize(
    ("header", "following"),
    [("NDAw", "NDAw"), ("null", None), (None, None), ("", None)],
)
def test_a_page_tells_what_follows(
    org: OrgClient,
    scripted: ScriptedOrg,
    header: str | None,
    following: str | None,
) -> None:
    """The literal null ends the pages; a missing header is told apart from it."""
    headers = OK | {"Content-Type": "text/csv", "Sforce-NumberOfRecords": "1"}
    headers |= {} if header is None else {"Sforce-Locator": header}
    scripted.script(RESULTS, Answer(body=CSV, headers=headers))
    with bulk2.open_page(org, JOB, locator="MjA=", max_records=50) as page:
        assert (page.rows, page.next_locator) == (1, following)
        assert page.stream.read(5) + page.stream.read() == CSV
    assert scripted.asked[-1].path.endswith("results?maxRecords=50&locator=MjA%3D")


def test_a_page_is_decoded_as_it_comes(org: OrgClient, scripted: ScriptedOrg) -> None:
    """gzip is taken off on the way."""
    headers = OK | {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    scripted.script(RESULTS, Answer(body=gzip.compress(CSV * 1000), headers=headers))
    with bulk2.open_page(org, JOB) as page:
        read = b"".join(iter(lambda: page.stream.read(777), b""))
    assert read == CSV * 1000
    assert page.rows is None


@pytest.mark.parametrize("is_gzip", [False, True])
def test_a_truncated_page_is_never_taken_for_whole(
    org: OrgClient, scripted: ScriptedOrg, is_gzip: bool
) -> None:
    """P2: a body that ends early is a transient failure, not fewer rows."""
    body = gzip.compress(CSV * 1000) if is_gzip else CSV * 1000
    headers = OK | {"Content-Type": "text/csv"} | ({"Content-Encoding": "gzip"} if is_gzip else {})
    scripted.script(RESULTS, Answer(body=body, headers=headers, cut=len(body) - 20))
    with bulk2.open_page(org, JOB) as page, pytest.raises(TransientError, match="broke off"):
        while page.stream.read(4096):
            pass


def test_results_that_are_gone_are_told_so(org: OrgClient, scripted: ScriptedOrg) -> None:
    """Expired results start the object again; aborting what is gone is no failure."""
    with pytest.raises(ResultsGone):
        bulk2.open_page(org, JOB)
    bulk2.abort_job(org, JOB)
    assert scripted.asked[-1].method == "PATCH"


# sfnb org check

ABOUT = {"records": [{"Name": "Acme", "OrganizationType": "Developer Edition", "IsSandbox": False}]}


def may(**permissions: bool) -> dict[str, object]:
    return {"records": [{f"Permissions{name}": has for name, has in permissions.items()}]}


def test_a_check_tells_what_is_missing(org: OrgClient, scripted: ScriptedOrg) -> None:
    """Each permission is told, for two API calls in all."""
    scripted.script("/services/data", Answer(body=[]))
    answering(
        scripted,
        {
            "UserPermissionAccess": (
                200,
                may(ApiEnabled=True, ViewAllData=False, QueryAllFiles=True, ViewSetup=True),
            ),
            "Organization": (200, ABOUT),
        },
    )
    org.limits()
    report = check(org)
    assert report.missing == ["View All Data"]
    assert (report.org_name, report.is_sandbox, report.calls) == ("Acme", False, 2)
    assert report.limits["api"].maximum == 1000


def test_a_check_says_what_it_could_not_find_out(org: OrgClient, scripted: ScriptedOrg) -> None:
    """An org that does not know a permission, or the object of permissions, is told so and not guessed at."""
    scripted.script("/services/data", Answer(body=[]))
    no_column = [
        {
            "errorCode": "INVALID_FIELD",
            "message": "No such column 'PermissionsQueryAllFiles' on entity 'X'",
        }
    ]
    answering(
        scripted,
        {
            "QueryAllFiles": (400, no_column),
            "UserPermissionAccess": (200, may(ApiEnabled=True, ViewAllData=True, ViewSetup=True)),
            "Organization": (200, ABOUT),
        },
    )
    report = check(org)
    assert report.permissions["QueryAllFiles"] is None
    assert report.missing == []
    assert any("Query All Files could not be determined" in note for note in report.notes)
    no_object = [
        {
            "errorCode": "INVALID_TYPE",
            "message": "sObject type 'UserPermissionAccess' is not supported.",
        }
    ]
    answering(scripted, {"UserPermissionAccess": (400, no_object), "Organization": (200, ABOUT)})
    report = check(org)
    assert report.permissions == {
        "ApiEnabled": True,
        "ViewAllData": None,
        "QueryAllFiles": None,
        "ViewSetup": True,
    }


def test_a_clock_that_is_off_is_told() -> None:
    """The Date header tells whole seconds; a difference within the call's own time is none."""
    now = FakeClock().now()  # 08:00:00
    told = "Mon, 02 Nov 2026 08:00:00 GMT"
    assert clock_skew_s(told, now, now + timedelta(seconds=3)) == 0.0
    assert clock_skew_s(told, now + timedelta(seconds=100), now + timedelta(seconds=101)) == 99.0
    assert clock_skew_s(told, now - timedelta(seconds=101), now - timedelta(seconds=100)) == -100.0
    assert clock_skew_s("yesterday", now, now) is None
    assert clock_skew_s(None, now, now) is None
