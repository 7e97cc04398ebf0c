"""What archives have taken out of an org, read as one table: frames, SQL, search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfnb.clock import FakeClock
from sfnb.errors import CallerError, StoreError
from sfnb.store.archived import Archives
from sfnb.store.archives import RECORD, archive_folder
from sfnb.store.erasing.run import erase
from sfnb.store.tables import OrgStore
from tests.store_samples import BEGAN, a_store, an_archive

FIELDS = {"Id": pa.string(), "Name": pa.string(), "Amount": pa.float64()}


def case(number: int, **values: Any) -> dict[str, Any]:
    return {"Id": f"500{number:012d}AAA", "Name": f"N {number}", "Amount": number / 4, **values}


def cases(store: OrgStore, number: int, rows: Sequence[Mapping[str, Any]], **more: Any) -> str:
    return an_archive(store, number, "Case", rows, **{"fields": FIELDS, **more})


@pytest.fixture
def store(tmp_path: Path) -> OrgStore:
    return a_store(tmp_path)


def test_all_archives_are_one_table(store: OrgStore) -> None:
    """Each record with its archive and when; by one archive's id only its own; SQL over all."""
    one = cases(store, 1, [case(1), case(2)])
    two = cases(store, 2, [case(3)])
    archives = Archives(store.files)
    assert list(archives) == [one, two] and archives.objects == ("Case",)
    frame = archives.frame("case").sort_values("Id")
    assert list(frame.columns) == ["Id", "Name", "Amount", "_archive", "_archived_at"]
    assert list(frame["_archive"]) == [one, one, two]
    assert str(frame["_archived_at"].dt.tz) == "UTC"
    assert list(archives[two].frame("Case")["Name"]) == ["N 3"]
    sums = archives.sql('select _archive, sum("Amount") s from "Case" group by 1 order by 1')
    assert list(sums["s"]) == [0.75, 0.75]
    some = archives.sql("""select "Amount" from "Case" where "Name" = 'N 2' """)
    assert list(some["Amount"]) == [0.5]


def test_what_stayed_in_the_org_is_no_archived_record(store: OrgStore) -> None:
    """A snapshot has also what was not deleted after all; frames and SQL leave it out."""
    one = cases(store, 1, [case(1), case(2)], stayed=[case(2)["Id"]])
    archives = Archives(store.files)
    assert list(archives.frame("Case")["Id"]) == [case(1)["Id"]]
    assert list(archives.sql('select Id from "Case"')["Id"]) == [case(1)["Id"]]
    assert [found["id"] for found in archives.search("N")] == [case(1)["Id"]]
    assert len(store.snapshots[one].frame("Case")) == 2
    (record,) = archives.records()
    assert (record.rows, record.rows_of("Case")) == (1, 1)


def test_fields_that_came_went_or_changed_their_type(store: OrgStore) -> None:
    """Absent in an archive: null there. Ints beside doubles are doubles; other mixtures are text."""
    old = {"Id": pa.string(), "Gone": pa.bool_(), "Amount": pa.int64(), "Code": pa.float64()}
    new = {"Id": pa.string(), "Amount": pa.float64(), "Code": pa.string(), "New": pa.date32()}
    cases(store, 1, [{"Id": "a", "Gone": True, "Amount": 4, "Code": 7.5}], fields=old)
    cases(store, 2, [{"Id": "b", "Amount": 0.5, "Code": "x"}], fields=new)
    rows = Archives(store.files).rows("Case")
    assert rows.columns.names[:5] == ["Id", "Amount", "Code", "New", "Gone"]
    table = pa.Table.from_batches(rows.batches(["Id", "Gone", "Amount", "Code", "New"]))
    found = {row.pop("Id"): row for row in table.to_pylist()}
    assert found == {
        "a": {"Gone": True, "Amount": 4.0, "Code": "7.5", "New": None},
        "b": {"Gone": None, "Amount": 0.5, "Code": "x", "New": None},
    }


def test_what_is_not_there_is_said(store: OrgStore) -> None:
    """No archive, no such object, no such archive, a query that is none, an Id that is too short."""
    archives = Archives(store.files)
    assert len(archives) == 0 and archives.objects == () and archives.search("x") == []
    with pytest.raises(CallerError, match="Archived: nothing yet"):
        archives.frame("Case")
    one = cases(store, 1, [case(1)])
    with pytest.raises(CallerError, match="no record of Lead is archived"):
        archives.frame("Lead")
    with pytest.raises(CallerError, match=f"Known: {one}"):
        archives["20200101T000000Z-000000"]
    with pytest.raises(CallerError, match="takes one SELECT"):
        archives.sql('drop table "Case"')
    with pytest.raises(CallerError, match="18 characters"):
        archives.search(record_id="500000000000001")
    assert [found["id"] for found in archives.search(record_id=case(1)["Id"])] == [case(1)["Id"]]


def test_a_damaged_archive_is_named(store: OrgStore) -> None:
    """Its record or its part: an error that names it, no smaller number of records."""
    one, two = (cases(store, n, [case(n)]) for n in (1, 2))
    archives = Archives(store.files)
    (part,) = Path(store.archive(two).files.root, "records", "Case").glob("**/*.parquet")
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="Case"):
        archives.frame("Case")
    assert len(archives[one].frame("Case")) == 1
    Path(store.files.below(archive_folder(one)).root, RECORD).write_text("{}")
    with pytest.raises(StoreError, match=RECORD):
        archives.objects  # noqa: B018 - it reads them


def test_an_archive_whose_records_were_all_erased_hides_no_other(store: OrgStore) -> None:
    """Frames, SQL and search give what the others have; of the erased one alone: no rows."""
    one, two = (cases(store, n, [case(n)]) for n in (1, 2))
    ids = {"Case": [case(1)["Id"]]}
    erase(store.archive(one).files, ids, FakeClock(BEGAN), may_touch=lambda _: True)
    archives = Archives(store.files)
    assert [record.rows for record in archives.records()] == [0, 1]
    assert list(archives.frame("Case")["_archive"]) == [two]
    assert list(archives.sql('select count(*) n from "Case"')["n"]) == [1]
    assert [found["snapshot"] for found in archives.search("N")] == [two]
    assert archives.search("N 1") == [] == archives.search(record_id=case(1)["Id"])
    assert len(archives[one].frame("Case")) == 0
    assert archives[one].search() == []
