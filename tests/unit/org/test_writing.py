"""Calls that write are sent once; each row is done, refused or unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sfnb.errors import AnswerLost, ObjectError, OrgUnavailable, TransientError
from sfnb.org.client import OrgClient
from sfnb.org.writing import bulk2_ingest as bulk
from sfnb.org.writing import collections
from sfnb.org.writing.calls import RowResult, WriteOptions, row_result
from sfnb.org.writing.undelete import undelete
from tests.unit.org.scripted import LIMITS, Answer, ScriptedOrg

COLLECTIONS = "/services/data/v66.0/composite/sobjects"
SOAP = "/services/Soap/u/66.0"
FIRST, SECOND = "0017Q00000AcMe1QAF", "0017Q00000AcMe2QAF"
OK = {"Sforce-Limit-Info": "api-usage=12/1000"}
GOOD = {"id": FIRST, "success": True, "errors": []}
REFUSED = {
    "success": False,
    "errors": [{"statusCode": "DUPLICATE_VALUE", "message": "twice", "fields": ["K__c"]}],
}


@pytest.fixture(autouse=True)
def limits(scripted: ScriptedOrg) -> None:
    scripted.script("/services/data/v66.0/limits", Answer(body=LIMITS, headers=OK))


def insert(org: OrgClient, *names: str) -> list[RowResult]:
    records = [{"Name": name} for name in names]
    return collections.insert(org, "Account", records, WriteOptions())


def count(scripted: ScriptedOrg, path: str) -> int:
    return scripted.paths().count(path)


def test_rows_are_done_or_refused_one_by_one(scripted: ScriptedOrg, org: OrgClient) -> None:
    """A refused row among good ones is told with its code, message and fields."""
    scripted.script(COLLECTIONS, Answer(200, [GOOD, REFUSED]))
    done, refused = insert(org, "a", "b")
    assert (done.state, done.record_id) == ("done", FIRST)
    assert (refused.state, refused.code, refused.message, refused.fields) == (
        "refused", "DUPLICATE_VALUE", "twice", ("K__c",),
    )  # fmt: skip
    asked = next(one for one in scripted.asked if one.path == COLLECTIONS)
    body = json.loads(asked.body)
    assert body["allOrNone"] is False
    assert body["records"][0] == {"attributes": {"type": "Account"}, "Name": "a"}
    assert asked.headers["Sforce-Auto-Assign"] == "FALSE"
    assert "allowSave=true" in asked.headers["Sforce-Duplicate-Rule-Header"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(cut=0),
        Answer(200, [GOOD, REFUSED], cut=20),
        Answer(500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": "oops"}]),
        Answer(503, b"<html>edge</html>", {"Content-Type": "text/html"}),
        Answer(504, b""),
        Answer(406, b""),
        Answer(200, b"<html>proxy</html>", {"Content-Type": "text/html"}),
        Answer(200, b"{not json"),
        Answer(200, [GOOD]),
        Answer(200, [GOOD, REFUSED, GOOD]),
        Answer(200, {"id": FIRST}),
    ],
)
def test_a_lost_answer_is_never_sent_again(
    scripted: ScriptedOrg, org: OrgClient, answer: Answer
) -> None:
    """Whatever may have been carried out is sent once, and the caller hears that nobody knows."""
    scripted.script(COLLECTIONS, answer)
    with pytest.raises(AnswerLost):
        insert(org, "a", "b")
    assert count(scripted, COLLECTIONS) == 1


def test_a_call_that_was_not_carried_out_is_sent_again(
    scripted: ScriptedOrg, org: OrgClient
) -> None:
    """Too many calls at once: the org did nothing, so the call is repeated."""
    busy = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentRequests (Concurrent)"}]
    scripted.script(COLLECTIONS, Answer(403, busy), Answer(200, [GOOD]))
    assert [one.state for one in insert(org, "a")] == ["done"]
    assert count(scripted, COLLECTIONS) == 2


def test_an_org_that_nobody_reaches_was_sent_nothing(scripted: ScriptedOrg, org: OrgClient) -> None:
    """A refused connection is no lost answer: the job may wait and send."""
    insertable = Answer(200, [GOOD], OK)
    scripted.script(COLLECTIONS, insertable)
    insert(org, "a")
    scripted.close()
    org.session.close()
    with pytest.raises(OrgUnavailable):
        insert(org, "b")


def test_a_refused_call_says_so(scripted: ScriptedOrg, org: OrgClient) -> None:
    """A refusal of the whole call is an error with Salesforce's code, nothing lost."""
    refusal = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]
    scripted.script(COLLECTIONS, Answer(403, refusal))
    with pytest.raises(ObjectError) as told:
        insert(org, "a")
    assert told.value.code == "INSUFFICIENT_ACCESS"


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"success": True},
        {"success": "true", "id": FIRST},
        {"success": True, "id": "nonsense"},
        {"success": False, "errors": []},
        {"success": False, "errors": ["x"]},
        {"success": None, "id": FIRST, "errors": []},
    ],
)
def test_a_row_that_says_nothing_is_unknown(row: dict[str, Any]) -> None:
    """No success without an Id, no refusal without a reason."""
    assert row_result(row).state == "unknown"


def undeleted(*results: str) -> Answer:
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f'<undeleteResponse xmlns="urn:partner.soap.sforce.com">{"".join(results)}'
        "</undeleteResponse></e:Body></e:Envelope>"
    )
    return Answer(200, body.encode(), {"Content-Type": "text/xml;charset=UTF-8"})


def fault(code: str) -> Answer:
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
        f"<faultcode>sf:{code}</faultcode><faultstring>{code}: told</faultstring>"
        "</e:Fault></e:Body></e:Envelope>"
    )
    return Answer(500, body.encode(), {"Content-Type": "text/xml;charset=UTF-8"})


BACK = f"<result><errors/><id>{FIRST}</id><success>true</success></result>"
GONE = (
    "<result><errors><message>not in the bin</message><statusCode>UNDELETE_FAILED</statusCode>"
    f"</errors><id>{SECOND}</id><success>false</success></result>"
)


def test_undeleted_rows_are_told_one_by_one(scripted: ScriptedOrg, org: OrgClient) -> None:
    """What came back keeps its Id; what is not in the bin is refused with the org's code."""
    scripted.script(SOAP, undeleted(BACK, GONE))
    back, gone = undelete(org, [FIRST, SECOND])
    assert (back.state, back.record_id) == ("done", FIRST)
    assert (gone.state, gone.code, gone.record_id) == ("refused", "UNDELETE_FAILED", SECOND)


@pytest.mark.parametrize(
    "answer",
    [Answer(cut=0), fault("UNKNOWN_EXCEPTION"), undeleted(BACK), Answer(200, b"<html>"), undeleted(BACK, GONE, BACK)],
)  # fmt: skip
def test_a_lost_undelete_is_not_sent_again(
    scripted: ScriptedOrg, org: OrgClient, answer: Answer
) -> None:
    """As with REST: the caller looks first."""
    scripted.script(SOAP, answer)
    with pytest.raises(AnswerLost):
        undelete(org, [FIRST, SECOND])
    assert count(scripted, SOAP) == 1


def test_a_fault_that_lasts_is_a_refusal(scripted: ScriptedOrg, org: OrgClient) -> None:
    """The operation is not there, or not allowed: nothing was done."""
    scripted.script(SOAP, fault("INVALID_OPERATION"))
    with pytest.raises(ObjectError):
        undelete(org, [FIRST])


def test_each_call_is_asked_of_the_gate(scripted: ScriptedOrg, org: OrgClient) -> None:
    """A write costs one call, as anything does (P1)."""
    told: list[object] = []
    from sfnb.org.transport import call_context

    scripted.script(COLLECTIONS, Answer(200, [GOOD], OK))
    scripted.script(SOAP, undeleted(BACK))
    org.limits()
    with call_context(on_call=told.append):
        insert(org, "a")
        undelete(org, [FIRST])
    assert told == [{"api": 1}, {"api": 1}]


RESULTS = "/services/data/v66.0/jobs/ingest/7507Q00001A0001QAB/successfulResults"


def results_of(scripted: ScriptedOrg, org: OrgClient, text: bytes) -> list[bulk.ResultRow]:
    scripted.script(RESULTS, Answer(200, text, {"Content-Type": "text/csv"} | OK))
    return list(bulk.results(org, "7507Q00001A0001QAB", "successfulResults", ["LastName"]))


def test_results_of_a_job_that_took_no_row_name_none(scripted: ScriptedOrg, org: OrgClient) -> None:
    """Their head lacks the columns that were sent, which is no error: no line has to be placed."""
    assert results_of(scripted, org, b'"sf__Id","sf__Created"\n') == []


def test_a_line_without_the_columns_that_were_sent_is_none(
    scripted: ScriptedOrg, org: OrgClient
) -> None:
    """Nobody can tell whose it is."""
    with pytest.raises(TransientError, match="do not have the columns"):
        results_of(scripted, org, b'"sf__Id","sf__Created"\n"0037Q00000A0001QAB","true"\n')
