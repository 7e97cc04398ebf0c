"""A value that does not fit what describe promises is kept, wherever in an object it comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.installation import connect
from sfnb.store.verify import verify
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import SharedClock, settings_for

INT = "NumberOfEmployees"
KEYSET, BULK = "Lead", "Account"
"""By keyset in two pages; by Bulk in several."""


@pytest.fixture(scope="module")
def the_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    options = Options(
        size="tiny",
        objects={KEYSET: 2_500, BULK: 11_000},
        competitors="off",
        minutes_per_second=0.0,
        bulk_job_s=0.0,
        max_calls=1_000_000,
    )
    with DemoServer(options, tmp_path_factory.mktemp("values")) as server:
        yield RunningOrg(**server.ready(), server=server)


@pytest.fixture
def there(the_org: RunningOrg, tmp_path: Path) -> Iterator[Connection]:
    settings = settings_for(the_org, tmp_path / "home")
    with connect("demo", settings=settings, clock=SharedClock(the_org)) as connection:
        yield connection
    the_org.control("faults", method="DELETE")


def column(there: Connection, summary: dict[str, Any], name: str) -> pa.ChunkedArray:
    table = there.snapshots[summary["snapshot"]].table(name).sort_by("Id")
    return table.column(INT)


@pytest.mark.parametrize(
    ("name", "match", "value", "kind"),
    [
        (KEYSET, "/queryAll", "12.5", pa.float64()),
        (KEYSET, "/queryAll", '"many"', pa.string()),
        (BULK, "^GET .*/results", "12.5", pa.float64()),
        (BULK, "^GET .*/results", "many", pa.string()),
    ],
    ids=["keyset-double", "keyset-text", "bulk-double", "bulk-text"],
)
def test_a_whole_number_that_is_none_widens_its_column(  # noqa: PLR0917 - fixtures
    the_org: RunningOrg,
    there: Connection,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    match: str,
    value: str,
    kind: pa.DataType,
) -> None:
    """P9: 12.5 in a field described as int: no row and no value is lost, and it is said."""
    monkeypatch.setattr("sfnb.backup.plan.BULK_PAGE_ROWS", 4_000)
    plain = column(there, engine.run(there, backup(objects=[name])), name)
    assert plain.type == pa.int64()
    # Whole numbers of four digits that begin with 1; in a CSV texts may look so too, but not all.
    is_json = name == KEYSET
    number = rf'(?<="{INT}":)1\d\d\d(?=[,}}])' if is_json else r'(?<=,)"1\d\d\d"(?=,)'
    to = value if is_json else f'"{value}"'
    the_org.fail(
        fault="rewrite", object=name, match=match, replace=[[number, to]],
        inside="both" if is_json else False,
    )  # fmt: skip
    summary = engine.run(there, backup(objects=[name], full=True))
    assert summary["state"] == "completed", summary["objects"]
    odd = column(there, summary, name)
    assert odd.type == kind
    sent = value.strip('"')
    expected = [None if n is None else (sent if 1000 <= n < 2000 else n) for n in plain.to_pylist()]
    wanted = [None if n is None else float(n) if kind == pa.float64() else str(n) for n in expected]
    assert sent in [str(n) for n in odd.to_pylist()]
    assert odd.to_pylist() == wanted
    assert INT in str(there.state.jobs.objects(summary["job_id"])[name].message)
    assert [f for f in verify(there.store) if f.kind not in ("note", "orphan")] == []
