"""Each parser over each recorded answer of real orgs: what comes out is what they say, and nothing else."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from sfnb.errors import LoginError, ObjectError, QuotaSignal, SfnbError
from sfnb.model import LIMIT_KEYS, ObjectSchema
from sfnb.org.arrow import arrow_schema, csv_batches, query_page
from sfnb.org.bulk2 import parse_job
from sfnb.org.composite import cut_composite
from sfnb.org.describe import parse_counts, parse_objects, parse_schema
from sfnb.org.events import parse_event_files, tally_events
from sfnb.org.ids import is_record_id
from sfnb.org.limits import parse_limit_header, parse_limits
from sfnb.org.login.oauth import parse_token_answer
from sfnb.org.login.soap import parse_soap_login
from sfnb.org.opening import parse_versions
from sfnb.org.refusals import parse_error, refusal_of
from sfnb.usage.store.values import EventFile
from tests.unit.org.corpus import Recorded, needs_corpus, recorded

pytestmark = needs_corpus
AT = datetime(2026, 11, 27, tzinfo=UTC)
FILES = 328


def is_taken_as_it_is(one: Recorded) -> bool:
    """An answer of a call that sfnb does not make itself: good, or refused with the org's own words."""
    refusal = refusal_of(one.status, one.headers, one.body, what="GET /x")
    if one.status < 300:
        return refusal is None
    code, _ = parse_error(one.body)
    return isinstance(refusal, SfnbError) and (code in str(refusal))


def is_error(one: Recorded) -> bool:
    """A refusal, whatever its shape: code and message of the org are in ours."""
    status = one.status if one.status >= 300 else 400
    refusal = refusal_of(status, one.headers, one.body, what="GET /x")
    said = str(refusal)
    if not one.body.strip() or one.body.startswith(
        b'["/services'
    ):  # one empty, one a list of addresses
        return isinstance(refusal, SfnbError) and f"HTTP {status}" in said
    code, message = parse_error(one.body)
    assert code and code.encode() in one.body
    is_whole = all(word.encode() in one.body for word in message.split()[:3] if word.isalnum())
    return isinstance(refusal, SfnbError | QuotaSignal) and code in said and is_whole


def is_query(one: Recorded) -> bool:
    """Each value of each record comes out, by its own text; so do the counts."""
    answer = json.loads(one.body)
    if not isinstance(answer, dict) or not isinstance(answer.get("records"), list):
        return is_taken_as_it_is(one)
    names = list(dict.fromkeys(n for r in answer["records"] for n in r if n != "attributes"))
    columns = pa.schema([pa.field(name, pa.string()) for name in names])
    page = query_page(one.body, columns)
    plain = [
        n
        for n in names
        if not any(isinstance(r.get(n), dict | list | float) for r in answer["records"])
    ]
    sent = [[as_text(record.get(name)) for name in plain] for record in answer["records"]]
    got = [[row[name] for name in plain] for row in page.batch.to_pylist()]
    return (sent, page.total, page.is_done, page.next_url) == (
        got,
        answer.get("totalSize"),
        answer.get("done") is True,
        answer.get("nextRecordsUrl"),
    )


def as_text(value: object) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value)


def is_composite(one: Recorded) -> bool:
    """The parts are cut where they begin and end."""
    if one.status >= 300:
        return is_taken_as_it_is(one)
    answer = json.loads(one.body)
    if "compositeResponse" not in answer:  # batch, tree and graph answers
        return is_taken_as_it_is(one)
    parts = answer["compositeResponse"]
    return [(p.reference, p.status, json.loads(p.body)) for p in cut_composite(one.body)] == [
        (p["referenceId"], p["httpStatusCode"], p["body"]) for p in parts
    ]


def is_schema(answer: Mapping[str, Any]) -> bool:
    schema = parse_schema(str(answer["name"]), answer)
    assert isinstance(schema, ObjectSchema)
    fields = [(f.name, f.type, f.length) for f in schema.fields]
    columns = arrow_schema(schema)
    sent = [(f["name"], f["type"], f.get("length", 0)) for f in answer["fields"]]
    left_out = [
        f["name"] for f in answer["fields"] if f["type"] in ("address", "location", "base64")
    ]
    return fields == sent and len(columns) == len(fields) - len(left_out)


def is_describe(one: Recorded) -> bool:
    """All fields with type and length."""
    return is_schema(json.loads(one.body))


def is_describe_min(one: Recorded) -> bool:
    """One describe on each line, of all standard objects."""
    return all(is_schema(json.loads(line)) for line in one.body.splitlines() if line.strip())


def is_global(one: Recorded) -> bool:
    """All objects, and whether they can be queried."""
    sent = [(o["name"], o.get("queryable") is True) for o in json.loads(one.body)["sobjects"]]
    return [(o.name, o.is_queryable) for o in parse_objects(json.loads(one.body), "acme")] == sent


def is_bulk2_csv(one: Recorded) -> bool:
    """Each row as Python's own CSV reader sees it."""
    rows = list(csv.DictReader(io.StringIO(one.body.decode())))
    columns = pa.schema([pa.field(name, pa.string()) for name in rows[0]])
    got = pa.Table.from_batches(csv_batches(io.BytesIO(one.body), columns), columns).to_pylist()
    return got == [{name: value or None for name, value in row.items()} for row in rows]


def is_bulk2_job(one: Recorded) -> bool:
    """The state and the number of rows."""
    answer = json.loads(one.body)
    jobs = answer.get("records", [answer])
    return all(
        parse_job(job["id"], job).rows == job.get("numberRecordsProcessed")
        and parse_job(job["id"], job).state == job["state"]
        for job in jobs
    )


def is_limits(one: Recorded) -> bool:
    """The four budgets, as far as the org tells them."""
    answer = json.loads(one.body)
    if not isinstance(answer, dict) or "Max" not in answer.get("DailyApiRequests", {}):
        return parse_limits(answer, sent_at=AT, read_at=AT) == {}
    readings = parse_limits(answer, sent_at=AT, read_at=AT)
    expected = {}
    for api, keys in LIMIT_KEYS.items():
        for entry in [answer[key] for key in keys if key in answer][:1]:
            expected[api] = (entry["Max"] - entry["Remaining"], entry["Max"])
    return {api: (r.used, r.maximum) for api, r in readings.items()} == expected


def is_limit_header(one: Recorded) -> bool:
    """Each header's own numbers, found another way."""
    rows = list(csv.DictReader(io.StringIO(one.body.decode())))
    for row in rows:
        header = row["sforce_limit_info"]
        own = header.partition("api-usage=")[2].split(";")[0].split(",")[0].split("/")
        if header and parse_limit_header(header) != (int(own[0]), int(own[1])):
            return False
    return len(rows) > 0


def is_record_count(one: Recorded) -> bool:
    """Each object's count."""
    answer = json.loads(one.body)
    if not isinstance(answer, dict) or "sObjects" not in answer:
        return is_taken_as_it_is(one)
    return parse_counts(answer) == {o["name"]: o["count"] for o in answer["sObjects"]}


def is_token(one: Recorded) -> bool:
    """A session, at the org's address, with the org's id where the answer has a real one."""
    session = parse_token_answer(one.response(), "https://login.salesforce.com")
    answer = json.loads(one.body)
    org_id = answer["id"].split("/")[-2]
    return session.org_id.startswith(org_id[:15] if is_record_id(org_id) else "") and (
        session.instance_url == answer["instance_url"].rstrip("/")
    )


def is_soap(one: Recorded) -> bool:
    """A session, or a refusal with the org's code."""
    url = "https://login.salesforce.com"
    if b"<sessionId>" in one.body:
        session = parse_soap_login(one.response(), url)
        return is_record_id(session.org_id) and session.instance_url.startswith("https://")
    with pytest.raises(LoginError, match="INVALID_"):
        parse_soap_login(one.response(500), url)
    return True


def is_event_csv(one: Recorded) -> bool:
    """Each line is a call."""
    file = EventFile("0AT000000000001AAA", "Daily", AT, 0, AT, 0)
    lines = sum(1 for _ in csv.reader(io.StringIO(one.body.decode()))) - 1
    tally = tally_events(io.BytesIO(one.body), file)
    return tally.rows == lines and sum(sum(counts) for counts in tally.hours.values()) == lines


def is_event_list(one: Recorded) -> bool:
    """Each file of the log; what is no answer of a query (records alone) is refused."""
    answer = json.loads(one.body)
    if isinstance(answer, list):
        with pytest.raises(ObjectError, match="no list of event log files"):
            parse_event_files(answer)
        return True
    files, following = parse_event_files(answer)
    return [f.file_id for f in files] == [r["Id"] for r in answer["records"]] and not following


def is_versions(one: Recorded) -> bool:
    """All versions."""
    return parse_versions(json.loads(one.body)) == [v["version"] for v in json.loads(one.body)]


def is_identity(one: Recorded) -> bool:
    """The org's id has the form of one, or is not taken for one (19 letters, made up by its authors)."""
    org_id = json.loads(one.body)["organization_id"]
    return is_record_id(org_id) == (len(org_id) == 18) and is_taken_as_it_is(one)


def is_fault(one: Recorded) -> bool:
    """A SOAP answer is good, or a fault with a code."""
    if b":Fault>" not in one.body:
        return is_taken_as_it_is(one)
    return bool(parse_error(one.body)[1] or b"<faultstring>" in one.body)


CHECKS: Mapping[str, Callable[[Recorded], bool]] = {
    "bulk1": is_taken_as_it_is, "bulk2_csv": is_bulk2_csv, "bulk2_job": is_bulk2_job,
    "collections": is_taken_as_it_is, "composite": is_composite, "describe": is_describe,
    "describe_min": is_describe_min, "error": is_error, "event_csv": is_event_csv,
    "event_list": is_event_list, "explain": is_taken_as_it_is, "getdeleted": is_taken_as_it_is,
    "getupdated": is_taken_as_it_is, "global": is_global, "identity": is_identity,
    "limit_header": is_limit_header, "limits": is_limits, "metadata_soap": is_fault,
    "oauth": is_token, "other": is_taken_as_it_is, "query": is_query, "record": is_taken_as_it_is,
    "record_count": is_record_count, "save_result": is_taken_as_it_is, "soap_fault": is_soap,
    "soap_login": is_soap, "tooling": is_query, "versions": is_versions,
}  # fmt: skip


@pytest.mark.parametrize("kind", CHECKS)
def test_recorded_answers_are_understood(kind: str) -> None:
    """Files, right, wrong: nothing is wrong."""
    files = list(recorded(kind))
    wrong = []
    for one in files:
        try:
            is_right = CHECKS[kind](one)
        except Exception as err:  # noqa: BLE001 - the name of the file is worth more than the traceback
            wrong.append(f"{one.name}: {type(err).__name__}: {err}")
            continue
        if not is_right:
            wrong.append(one.name)
    assert files
    assert wrong == [], f"{kind}: {len(files)} files, {len(files) - len(wrong)} right"


def test_no_recorded_answer_is_left_out() -> None:
    """Each kind has its check, and all files are there."""
    files = list(recorded())
    assert {one.kind for one in files} == set(CHECKS)
    assert len(files) == FILES
