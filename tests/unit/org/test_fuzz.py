"""
No untyped exception from any answer: each parser, over recorded answers that were damaged.

The campaign is short by default; ``SFNB_CAMPAIGN=full`` makes it long and prints its figures.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from sfnb.errors import QuotaSignal, SfnbError, TransientError
from sfnb.model import ObjectSchema
from sfnb.org.answers import json_of, retry_after_s
from sfnb.org.arrow import arrow_schema, csv_batches, query_page
from sfnb.org.bulk2 import parse_job
from sfnb.org.changes import ChangeQuery, parse_changes, window_since
from sfnb.org.check import clock_skew_s
from sfnb.org.composite import cut_composite
from sfnb.org.describe import parse_counts, parse_objects, parse_schema
from sfnb.org.events import parse_event_files, tally_events
from sfnb.org.limits import parse_limit_header, parse_limits
from sfnb.org.login.oauth import parse_token_answer
from sfnb.org.login.soap import parse_soap_login
from sfnb.org.metadata.api import fault_of
from sfnb.org.metadata.xml import XmlReader
from sfnb.org.opening import parse_versions
from sfnb.org.refusals import is_of_all_calls, refusal_of
from sfnb.org.reports import parse_user_days
from sfnb.org.secrets import mask
from sfnb.usage.store.values import EventFile
from tests.unit.org.corpus import needs_corpus, recorded, response

AT = datetime(2026, 11, 27, tzinfo=UTC)
URL = "https://login.salesforce.com"
FILE = EventFile("0AT000000000001AAA", "Hourly", AT, 0, AT, 0)
IS_FULL = os.environ.get("SFNB_CAMPAIGN") == "full"
TRIES = 3000 if IS_FULL else 40
LONGEST_S = 5.0
MOST_BYTES = 64 << 20

COLUMNS = pa.schema(
    [
        ("Id", pa.string()),
        ("Name", pa.string()),
        ("IsDeleted", pa.bool_()),
        ("NumberOfEmployees", pa.int64()),
        ("AnnualRevenue", pa.float64()),
        ("CreatedDate", pa.timestamp("us", "UTC")),
        ("BirthDate", pa.date32()),
    ]
)

REPORT = {
    "allData": True,
    "factMap": {
        "0_0!T": {"aggregates": [{"label": "5", "value": 5}], "rows": []},
        "T!T": {
            "rows": [{"dataCells": [{"label": "ada", "value": "005"}, {"value": "2026-11-20"}]}]
        },
    },
    "groupingsDown": {
        "groupings": [
            {
                "key": "0",
                "value": "2026-11-20",
                "label": "x",
                "groupings": [{"key": "0_0", "label": "ada", "value": "005"}],
            }
        ]
    },
    "groupingsAcross": {"groupings": []},
    "reportMetadata": {
        "aggregates": ["s!COUNT"],
        "detailColumns": ["USER", "DAY"],
        "groupingsDown": [{"name": "DAY"}, {"name": "USER"}],
        "groupingsAcross": [],
    },
    "reportExtendedMetadata": {
        "groupingColumnInfo": {
            "DAY": {"dataType": "date", "label": "Day"},
            "USER": {"dataType": "string", "label": "User Name"},
        },
        "detailColumnInfo": {},
        "aggregateColumnInfo": {"s!COUNT": {"dataType": "int", "label": "Sum of Call Count"}},
    },
}


def parse_csv(body: bytes) -> object:
    header = [field for field in COLUMNS if field.name.encode() in body[:4000]]
    return list(csv_batches(io.BytesIO(body), pa.schema(header or COLUMNS)))


def parse_refusals(body: bytes) -> object:
    return [
        [
            refusal_of(status, CaseInsensitiveDict(), body, what="GET /x"),
            is_of_all_calls(status, body),
        ]
        for status in (200, 400, 401, 403, 404, 410, 420, 500, 503)
    ]


def parse_describes(body: bytes) -> object:
    schema = parse_schema("Account", json_of(body, what="describe"))
    return arrow_schema(schema) if isinstance(schema, ObjectSchema) else schema


def parse_lists(body: bytes, resource: Literal["updated", "deleted"]) -> object:
    window = window_since(AT - timedelta(days=1), AT, resource)
    return parse_changes(json_of(body, what=resource), ChangeQuery("Account", resource, window))


def parse_limits_body(body: bytes) -> object:
    readings = parse_limits(json_of(body, what="limits"), sent_at=AT, read_at=AT)
    assert all(0 <= r.maximum < 2**63 and -(2**63) < r.used < 2**63 for r in readings.values())
    return readings


PARSERS: Mapping[str, tuple[Callable[[bytes], object], tuple[str, ...]]] = {
    "limits": (parse_limits_body, ("limits",)),
    "describe": (parse_describes, ("describe",)),
    "global describe": (lambda b: parse_objects(json_of(b, what="x"), "acme"), ("global",)),
    "record count": (lambda b: parse_counts(json_of(b, what="x")), ("record_count",)),
    "composite": (lambda b: [p.refusal("x") for p in cut_composite(b)], ("composite",)),
    "query": (lambda b: query_page(b, COLUMNS), ("query", "tooling")),
    "csv": (parse_csv, ("bulk2_csv", "event_csv", "limit_header")),
    "bulk2 job": (lambda b: parse_job("750", json_of(b, what="x")), ("bulk2_job",)),
    "refusals": (parse_refusals, ("error", "soap_fault", "metadata_soap", "bulk1", "save_result")),
    "soap login": (lambda b: parse_soap_login(response(b), URL), ("soap_login", "soap_fault")),
    "oauth": (lambda b: parse_token_answer(response(b), URL), ("oauth", "identity")),
    "versions": (lambda b: parse_versions(json_of(b, what="x")), ("versions",)),
    "event list": (lambda b: parse_event_files(json_of(b, what="x")), ("event_list",)),
    "event log": (lambda b: tally_events(io.BytesIO(b), FILE), ("event_csv",)),
    "updated": (lambda b: parse_lists(b, "updated"), ("getupdated",)),
    "deleted": (lambda b: parse_lists(b, "deleted"), ("getdeleted",)),
    "metadata": (lambda b: [XmlReader().read([b]), fault_of(b)], ("metadata_soap", "soap_fault")),
    "report": (lambda b: parse_user_days(json_of(b, what="x")), ()),
}
"""Each parser, and the kinds of recorded answers that it is made for."""


@dataclass
class Figures:
    tries: int = 0
    untyped: int = 0
    longest_s: float = 0.0
    most_bytes: int = 0


def run(name: str, body: bytes) -> None:
    """The parser's own errors may come out, nothing else."""
    try:
        PARSERS[name][0](body)
    except (SfnbError, QuotaSignal) as err:
        shown = f"{err}{err!r}"
        assert "\x1b" not in shown and "\x00" not in shown
    except pa.ArrowException as err:
        # What reads the event log's file turns these into errors of ours.
        if name != "event log":
            raise AssertionError(f"{name}: {type(err).__name__}: {err}") from err


# ------------------------------------------------------------------------------------------- damage

ODD_VALUES = (
    "null", "true", "[]", "{}", '""', "-1", "1e999", "9" * 400, "1.5", '"many"', "[[]]", '{"a":null}',
    "9223372036854775808", '"\\ud800"', '"\\u0000\\u001b[2J"', '"../../x"', '"' + "x" * 70_000 + '"',
    "[" * 2000, '{"records":[{}]}', "NaN", "-Infinity", '"2026-99-99T00:00:00Z"', '"9999-12-31T23:59:59Z"',
    '"0001-01-01T00:00:00+1400"', '"0x1F"', '"http://[::1"', '"https://a:b@c:99999/"', '"²"',
)  # fmt: skip


def damaged(body: bytes, rng: random.Random) -> bytes:
    """The answer, changed in one to four ways."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(body) + 1)
        to = min(len(body), at + rng.choice((1, 2, 8, 100, 5000)))
        match rng.randrange(9):
            case 0:
                body = body[:at]
            case 1:
                body = body[:at] + body[to:]
            case 2:
                body = (
                    body[:at]
                    + bytes(rng.randrange(256) for _ in range(rng.randint(1, 8)))
                    + body[to:]
                )
            case 3:
                body = body[:to] + body[at:]
            case 4:
                body = body[:at] + rng.choice(ODD_VALUES).encode() + body[at:]
            case 5 | 6 | 7:
                body = with_odd_value(body, rng)
            case _:
                body = rng.choice(ODD_VALUES).encode() + body[at:to]
    return body[: 4 << 20]


def with_odd_value(body: bytes, rng: random.Random) -> bytes:
    """One value of a JSON text, one cell of a CSV or one element of an XML text replaced."""
    marks = {b"{": (b":", b",}]"), b"[": (b":", b",}]"), b"<": (b">", b"<"), b'"': (b",", b",\n")}
    start, ends = marks.get(body.lstrip()[:1], (b",", b",\n"))
    places = [
        n for n in (rng.randrange(len(body) + 1) for _ in range(8)) if body.find(start, n) >= 0
    ]
    if not places:
        return body
    at = body.find(start, places[0]) + 1
    to = min((n for n in (body.find(bytes([e]), at) for e in ends) if n >= 0), default=len(body))
    return body[:at] + rng.choice(ODD_VALUES).encode() + body[to:]


def seeds(name: str) -> list[bytes]:
    if name == "report":
        return [json.dumps(REPORT).encode()]
    bodies = [one.body[:400_000] for one in itertools.islice(recorded(*PARSERS[name][1]), 40)]
    extra = {"soap login": b"<sessionId>a!b</sessionId><serverUrl>https://x</serverUrl>"}
    return [*bodies, *([extra[name]] if name in extra else [])]


MOST_OF_ONE = 1 << 20
"""Bytes of one recorded answer; two files of describes are longer, and are cut there like an answer that breaks off."""


@needs_corpus
@pytest.mark.parametrize("name", PARSERS)
def test_each_parser_meets_each_recorded_answer(name: str) -> None:
    """All 328, whatever call they belong to: the parser's own errors, or what it makes of them."""
    met = 0
    for one in recorded():
        run(name, one.body[:MOST_OF_ONE])
        met += 1
    assert met == 328


@needs_corpus
@pytest.mark.parametrize("name", PARSERS)
def test_damaged_answers_raise_errors_of_ours_only(name: str) -> None:
    """Cut, doubled, mixed with odd values: typed errors, in bounded time and memory."""
    rng = random.Random(name)  # noqa: S311 - the same damage each time
    bodies, figures = seeds(name), Figures()
    tracemalloc.start()
    try:
        for n in range(TRIES):
            body = damaged(bodies[n % len(bodies)], rng)
            tracemalloc.reset_peak()
            started_s = time.process_time()
            run(name, body)
            figures.longest_s = max(figures.longest_s, time.process_time() - started_s)
            figures.most_bytes = max(figures.most_bytes, tracemalloc.get_traced_memory()[1])
            figures.tries += 1
    finally:
        tracemalloc.stop()
    if IS_FULL:
        print(f"\n{name}: {figures}")
    # Far above what is needed (0.3 s, 20 MB): what is caught here grows without bound.
    assert figures.longest_s < LONGEST_S
    assert figures.most_bytes < MOST_BYTES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(
            ["records", "done", "totalSize", "nextRecordsUrl", "Id", "name", "fields", "type", "sobjects", "sObjects",
             "count", "body", "compositeResponse", "httpStatusCode", "referenceId", "Max", "Remaining",
             "DailyApiRequests", "access_token", "instance_url", "id", "error", "errorCode", "message", "state",
             "numberRecordsProcessed", "factMap", "reportMetadata", "LogDate", "CreatedDate", "version", "length"]
        ), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
@settings(
    max_examples=1000 if IS_FULL else 25,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not IS_FULL,
)
@given(value=JSON)
def test_any_json_raises_errors_of_ours_only(name: str, value: Any) -> None:
    """Whatever an answer says, in the words of the API."""
    run(name, json.dumps(value).encode())


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=1000 if IS_FULL else 15, derandomize=not IS_FULL)
def test_any_bytes_raise_errors_of_ours_only(name: str, body: bytes) -> None:
    """Whatever arrives."""
    run(name, body)


TEXTS = st.text(max_size=200) | st.from_regex(r"(api-usage=\d*/\d*[;,( )]?){0,5}")


@given(TEXTS)
def test_any_header_is_read(text: str) -> None:
    """Limit, wait and date headers: a value or None."""
    found = parse_limit_header(text)
    assert found is None or all(0 <= n < 10**15 for n in found)
    wait_s = retry_after_s(CaseInsensitiveDict({"Retry-After": text, "Date": text}))
    assert wait_s is None or 0 <= wait_s <= 600
    clock_skew_s(text, AT, AT)
    mask(text, [text[:5]])


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("composite", b'{"compositeResponse":"' + b"x" * 3_000_000),
        ("composite", b'{"compositeResponse":[' + b'"' * 1_000_001),
        ("composite", b'{"compositeResponse":[{"body" ' + b" " * 1_000_000 + b":{"),
        ("composite", b"[" * 1_000_000 + b"]" * 1_000_000),
        ("soap login", b"<" * 1_000_000),
        ("soap login", b"<sessionId " * 200_000),
        ("refusals", b"<exceptionCode>" * 100_000),
        ("refusals", b'[{"message":"' + b"ERROR at Row\\n" * 100_000 + b'"}]'),
        ("refusals", b'[{"message":"' + b"00D" * 300_000 + b'"}]'),
        ("refusals", b'[{"message":"' + b"\x1b]" * 300_000 + b'"}]'),
        ("query", b'{"records":[' + b'{"Id":1},' * 100_000),
        ("query", b'{"records":[{"Id":' + b"[" * 500_000),
        ("csv", b'"Id"\n' + b'"\n' * 500_001),
        ("csv", b'"Id"\n' + b'"a\n""\n",' * 100_000),
        ("csv", b'"' + b"x" * 3_000_000),
        ("csv", b"Id," * 300_000 + b"\n"),
        ("event log", b"TIMESTAMP\n" + b'"' * 1_000_001),
    ],
)
def test_no_text_takes_long(name: str, body: bytes) -> None:
    """Texts made to let a pattern try again and again are read as fast as others."""
    started_s = time.process_time()
    run(name, body)
    assert time.process_time() - started_s < LONGEST_S


FOUND = [
    ("updated", b'{"ids":[],"latestDateCovered":"0001-01-01T00:00:00+1400"}'),
    ("deleted", b'{"deletedRecords":[],"latestDateCovered":"0001-01-01T00:00:00+1400"}'),
    ("metadata", b'<?xml version="1.0" encoding="U-8"?><a/>'),
    ("metadata", b'<?xml version="1.0" encoding="utf-7"?><a/>'),
]


@pytest.mark.parametrize(("name", "body"), FOUND)
def test_what_the_long_campaign_has_found(name: str, body: bytes) -> None:
    """Moments before the first one that UTC has, and encodings that nobody knows."""
    run(name, body)


@pytest.mark.parametrize(
    "part",
    [
        '{"referenceId":"a","httpStatusCode":"many","body":{}}',
        '{"referenceId":"a","httpStatusCode":null,"body":{}}',
        '{"referenceId":"a","httpStatusCode":true,"body":{}}',
        '{"referenceId":"a","httpStatusCode":1e3,"body":{}}',
        '{"referenceId":7,"httpStatusCode":200,"body":{}}',
        '{"referenceId":"a","httpStatusCode":200}',
        '[{"body":{}}]',
        "null",
    ],
)
def test_a_part_of_a_composite_answer_has_a_status(part: str) -> None:
    """A part without a status or a name of its own is no answer to anything."""
    with pytest.raises(TransientError, match="composite"):
        [p.refusal("x") for p in cut_composite(f'{{"compositeResponse":[{part}]}}'.encode())]


def test_a_header_of_parentheses_takes_no_time() -> None:
    """64 KB of them would be taken out one pair at a time."""
    for text in (
        "(" * 4000 + ")" * 4000,
        "(" * 65_000 + ")" * 65_000,
        "api-usage=1/2" + "()" * 30_000,
    ):
        parse_limit_header(text)
