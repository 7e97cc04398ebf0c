"""An object whose query is too long for an address, or for a query: whole by each reader (P9)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests

from sfnb import engine
from sfnb.clock import SystemClock
from sfnb.engine import backup
from sfnb.installation import connect
from sfnb.store.verify import verify
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for

WIDE, PARENT, ROWS = "Wide__c", "Account", 12
TYPES = ("string", "double", "date", "boolean", "textarea", "int")
NAMES = [f"A_field_{n:03}_".ljust(77, "x") + "__c" for n in range(220)]
"""220 × 80 characters: more than the 16,384 bytes of an address."""

REFUSALS: dict[str, list[dict[str, Any]]] = {
    "keyset": [],
    "locator": [
        {"soql": "ORDER BY", "message": "field 'Id' can not be sorted in a query call"},
    ],
    "by_parent": [
        {
            "match": "queryAll",
            "soql": r"^(?!.*Account__c (IN|=))",
            "message": f"{WIDE} requires a filter by Account__c using the equals operator.",
        }
    ],
}
"""What makes the org want each reader."""


@pytest.fixture(scope="module")
def the_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    options = Options(
        size="tiny", competitors="off", bulk_job_s=0.0, max_calls=1_000_000, has_oddities=False
    )
    with DemoServer(options, tmp_path_factory.mktemp("wide")) as server:
        org = RunningOrg(**server.ready(), server=server)
        fields: list[dict[str, Any]] = [
            {"field": name, "type": TYPES[n % len(TYPES)], "length": 255}
            for n, name in enumerate(NAMES)
        ]
        fields.append({"field": "Account__c", "type": "reference", "refs": [PARENT]})
        org.control("schema", {"do": "add_object", "object": WIDE, "fields": fields})
        fill(org)
        yield org


def fill(org: RunningOrg) -> None:
    """Rows with a value in each field; every third has no parent."""
    data = f"{org.url}/services/data/v66.0"
    asked: dict[str, Any] = {
        "params": {"q": f"SELECT Id FROM {PARENT} LIMIT 5"},
        "headers": org.headers,
    }
    found = requests.get(f"{data}/query", timeout=60, **asked).json()["records"]
    rows = [
        {name: value(n + 6 * row) for n, name in enumerate(NAMES)}
        | {"Name": f"Row {row}", "attributes": {"type": WIDE}}
        | {"Account__c": found[row % 5]["Id"] if row % 3 else None}
        for row in range(ROWS)
    ]
    said = requests.post(
        f"{data}/composite/sobjects", json={"records": rows}, headers=org.headers, timeout=60
    )
    assert all(one["success"] for one in said.json()), said.text


def value(n: int) -> Any:
    texts = {"string": f"v{n}", "textarea": f'v{n}, "Ünï"\nline'}
    others = {"double": n / 4, "date": f"2026-01-{n % 28 + 1:02}", "boolean": n % 4 == 1, "int": n}
    return {**texts, **others}[TYPES[n % len(TYPES)]]


@pytest.fixture
def org(the_org: RunningOrg) -> Iterator[RunningOrg]:
    yield the_org
    the_org.control("faults", method="DELETE")


def read(org: RunningOrg, home: Path) -> tuple[pa.Table, dict[str, Any], int]:
    """The object's rows, its part of the outcome, and the queries that the plan announced."""
    with connect("demo", settings=settings_for(org, home), clock=SystemClock()) as there:
        summary = engine.run(there, backup(objects=[WIDE, PARENT], files=False))
        assert summary["state"] == "completed", summary["objects"]
        assert [f for f in verify(there.store) if f.kind not in ("note", "orphan")] == []
        snapshot = there.snapshots[summary["snapshot"]]
        table = snapshot.table(WIDE).sort_by("Id")
        assert table.num_rows == ROWS
        return table, summary["objects"][WIDE], snapshot.plan.objects[WIDE]["queries"]


@pytest.fixture(scope="module")
def whole(the_org: RunningOrg, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """As Bulk gives it."""
    table, entry, _ = read(the_org, tmp_path_factory.mktemp("bulk"))
    assert entry["message"] is None
    assert not any(table.column(name).null_count for name in NAMES)
    assert 0 < table.column("Account__c").null_count < ROWS
    return table


@pytest.mark.parametrize(
    ("reader", "has_composite"),
    [("keyset", True), ("keyset", False), ("locator", False), ("by_parent", False)],
)
def test_a_query_too_long_for_an_address(
    org: RunningOrg, tmp_path: Path, whole: pa.Table, reader: str, has_composite: bool
) -> None:
    """It rides in a composite call; where the org takes none, its columns are spread over queries."""
    refusal = {"fault": "error", "object": WIDE, "status": 400}
    org.fail(**refusal, match="^POST .*/jobs/query$", code="INVALIDENTITY")
    for rule in REFUSALS[reader]:
        org.fail(**refusal, inside="both", code="MALFORMED_QUERY", **rule)
    if not has_composite:
        org.fail(fault="error", match="/composite$", body="query", status=404, code="NOT_FOUND")
    table, entry, _ = read(org, tmp_path)
    assert table.equals(whole) and entry["message"] is None


@pytest.mark.parametrize("reader", ["keyset", "by_parent"])
def test_a_query_longer_than_queries_may_be(
    org: RunningOrg,
    tmp_path: Path,
    whole: pa.Table,
    reader: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its columns are spread from the start, as the plan has said: no call is lost to a refusal."""
    monkeypatch.setattr("sfnb_demo.soql.parser.MAX_CHARS", 10_000)
    monkeypatch.setattr("sfnb.backup.ways.MOST_SOQL_CHARS", 9_500)
    for rule in REFUSALS[reader]:
        org.fail(fault="error", object=WIDE, inside="both", code="MALFORMED_QUERY", **rule)
    mark = org.mark()
    table, _, queries = read(org, tmp_path)
    assert table.equals(whole) and queries == 2
    targets = [call["target"] for call in org.ledger(after=mark, calls=True)["calls"]]
    assert not any("/jobs/query" in target for target in targets)
