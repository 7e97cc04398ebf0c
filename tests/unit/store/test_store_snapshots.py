"""Reading back: frames, SQL, exports, and other people's tools."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from sfnb.errors import CallerError, StoreError
from tests.store_samples import (
    BEGAN,
    SCHEMA,
    a_plan,
    a_snapshot,
    a_store,
    a_writer,
    record_id,
    rows,
)


def test_a_frame_has_the_fields_and_the_records_alive(tmp_path: Path) -> None:
    """Columns are the object's fields under their API names, rows the records that are not deleted, dtypes as told."""
    store = a_store(tmp_path)
    a_snapshot(store, parts=2)
    frame = store.snapshots["latest"].frame("account")
    assert list(frame.columns) == SCHEMA.names
    assert sorted(frame["Id"]) == [record_id(n) for n in range(20) if n not in (0, 10)]
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "Id": "string",
        "IsDeleted": "boolean",
        "Name": "string",
        "Amount": "float64",
        "Employees": "Int64",
        "Birthdate": "datetime64[ms]",
        "SystemModstamp": "datetime64[us, UTC]",
    }
    row = frame.set_index("Id").loc[record_id(7)]
    assert row["Name"] == "Müller & Söhne 7"
    assert row["Amount"] == 1.75
    assert pd.isna(row["Employees"])
    assert row["SystemModstamp"] == pd.Timestamp("2026-11-02T08:00:00.007Z")


def test_a_partial_snapshot_is_read_at_once(tmp_path: Path) -> None:
    """P3: what a paused backup has committed can be read, and the manifest says what is there and what is not."""
    store = a_store(tmp_path)
    writer = a_writer(store, "Account", "Contact", "Lead")
    writer.commit(
        "Account", [writer.write_part("Account", [rows(0, 5)])], {"after": 5}, is_done=False
    )
    writer.commit("Lead", [], None, is_done=True)
    snapshot = store.snapshots["latest"]
    assert len(snapshot.frame("Account")) == 5
    assert len(snapshot.frame("Lead")) == 0
    assert list(snapshot.frame("Lead").columns) == SCHEMA.names
    with pytest.raises(CallerError, match="has nothing of Contact yet"):
        snapshot.frame("Contact")
    with pytest.raises(CallerError, match="has nothing of Contact yet"):
        snapshot.sql("select * from Contact")
    assert len(snapshot.sql("select Name as Contact from Account")) == 5
    manifest = snapshot.manifest
    assert (manifest.state, manifest.sealed_at) == ("partial", None)
    assert {name: str(e.state) for name, e in manifest.objects.items()} == {
        "Account": "partial",
        "Contact": "untouched",
        "Lead": "complete",
    }
    assert (snapshot.is_complete("Account"), snapshot.is_complete("Lead")) == (False, True)
    writer.commit(
        "Account", [writer.write_part("Account", [rows(5, 5)])], {"after": 10}, is_done=True
    )
    assert len(snapshot.frame("Account")) == 10


def test_an_object_that_is_not_there_is_told_why(tmp_path: Path) -> None:
    """Left out with the reason, or unknown: one sentence each."""
    store = a_store(tmp_path)
    writer = store.begin(a_plan(left_out={"Vote": "it wants a filter"}))
    snapshot = store.snapshots[writer.snapshot]
    with pytest.raises(CallerError, match=r"Vote was left out of snapshot .*: it wants a filter"):
        snapshot.frame("Vote")
    with pytest.raises(CallerError, match="has no object Nope"):
        snapshot.sql_table("select 1") and snapshot.frame("Nope")


def test_a_snapshot_does_not_see_the_next(tmp_path: Path) -> None:
    """As of a snapshot means its own rows, whatever came into the same table later."""
    store = a_store(tmp_path)
    first = a_snapshot(store, number=1, parts=1)
    second = a_snapshot(store, number=2, parts=3)
    assert len(store.snapshots[first].frame("Account")) == 9
    assert len(store.snapshots[second].frame("Account")) == 27


def test_snapshots_are_found_by_id_prefix_and_latest(tmp_path: Path) -> None:
    """Oldest first; `latest` is the newest with any data; anything else is refused with the list of what there is."""
    store = a_store(tmp_path)
    with pytest.raises(CallerError, match="no snapshot has any data yet"):
        store.snapshots["latest"]
    first, second = a_snapshot(store, number=1), a_snapshot(store, number=2)
    empty = a_writer(store, number=3).snapshot
    assert list(store.snapshots) == [first, second, empty]
    assert store.snapshots["latest"].id == second
    assert store.snapshots[second[:12]].id == second
    assert second in store.snapshots
    assert "nope" not in store.snapshots
    with pytest.raises(
        CallerError, match=f"3 snapshots begin with 2026\\. Known: {empty}, {second}, {first}"
    ):
        store.snapshots["2026"]
    for wrong in ("1999", "", "../x"):
        with pytest.raises(CallerError, match=f"there is no snapshot .*{first}"):
            store.snapshots[wrong]


def test_the_newest_version_of_a_record_counts(tmp_path: Path) -> None:
    """P2: a record that Salesforce gave twice is there once, in its newest version; not at all if that is deleted."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    stamp = SCHEMA.get_field_index("SystemModstamp")

    def version(
        first: int, count: int, hour: int, name: str, deleted: tuple[int, ...] = ()
    ) -> pa.RecordBatch:
        stamps = pa.array(
            [datetime(2026, 11, 2, hour, tzinfo=UTC)] * count, pa.timestamp("us", "UTC")
        )
        return rows(first, count, name=name, deleted=deleted).set_column(
            stamp, "SystemModstamp", stamps
        )

    batches = [
        version(0, 10, 9, "new", deleted=(4,)),
        version(1, 5, 8, "old"),
        version(20, 5, 8, "alone"),
    ]
    writer.commit(
        "Account", [writer.write_part("Account", [batch]) for batch in batches], None, is_done=True
    )
    snapshot = store.snapshots["latest"]
    frame = snapshot.frame("Account")
    expected = [record_id(n) for n in (0, 1, 2, 3, 5, 6, 7, 8, 9, 20, 21, 22, 23, 24)]
    assert sorted(frame["Id"]) == expected
    assert frame.set_index("Id").loc[record_id(1), "Name"] == "new 1"
    by_sql = snapshot.sql("select Id, Name from Account order by Id")
    assert list(by_sql["Id"]) == expected
    assert by_sql["Name"][1] == "new 1"
    assert snapshot.export("Account", tmp_path / "x.parquet") == len(expected)


# -- SQL ---------------------------------------------------------------------------------------------------------------


def test_sql_over_the_objects_of_a_snapshot(tmp_path: Path) -> None:
    """Joins, reserved words in quotes, any case, CTEs; deleted records are not there, nor are sfnb's columns."""
    store = a_store(tmp_path)
    a_snapshot(store, "Account", "Order", parts=1)
    snapshot = store.snapshots["latest"]
    told = snapshot.sql(
        "with big as (select * from account where Employees > 4) "
        'select count(*) as n, max(o.Name) as last from "Order" o join big using (Id)'
    )
    assert told["n"].item() == 4
    assert told["last"].item() == "Müller & Söhne 8"
    assert list(snapshot.sql('select * from "order" limit 0').columns) == SCHEMA.names
    assert snapshot.sql_table("select SystemModstamp from Account limit 1").num_rows == 1
    assert len(snapshot.sql("select 'it''s; fine' as x")) == 1
    days = snapshot.sql("select distinct SystemModstamp::date as day from Account")
    assert [str(day.date()) for day in days["day"]] == ["2026-11-02"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("selec", "syntax error"),
        ("select Nope__c from Account", "Nope__c"),
        ("select * from Nope", "Nope"),
        ("", "one SELECT"),
        ("drop table Account", "one SELECT"),
        ("select 1; select 2", "one SELECT"),
        ("copy (select 1) to 'x.csv'", "one SELECT"),
        ("select * from read_csv('/etc/passwd')", "disabled"),
        ("select * from '/etc/passwd'", "passwd"),
    ],
)
def test_a_wrong_query_is_one_sentence(tmp_path: Path, query: str, message: str) -> None:
    """A query that is wrong, would change something, or looks beyond the snapshot is the caller's error."""
    store = a_store(tmp_path)
    a_snapshot(store, parts=1)
    with pytest.raises(CallerError, match=message):
        store.snapshots["latest"].sql(query)


# -- files -------------------------------------------------------------------------------------------------------------


def test_csv_is_exact(tmp_path: Path) -> None:
    """What Python's csv reads back is what was stored: quotes, line breaks, unicode, nulls, numbers and moments."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    names = ['say "hi", you', "two\r\nlines", None, "NA", "007", "ünï → 🎉", "=1+1"]
    batch = rows(1, 7).set_column(2, "Name", pa.array(names))
    writer.commit("Account", [writer.write_part("Account", [batch])], None, is_done=True)
    target = tmp_path / "out.csv"
    assert store.snapshots["latest"].export("Account", target) == 7
    with target.open(encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file))
    assert [row["Name"] for row in told] == [name or "" for name in names]
    assert told[0] == {
        "Id": record_id(1),
        "IsDeleted": "false",
        "Name": 'say "hi", you',
        "Amount": "0.25",
        "Employees": "1",
        "Birthdate": "2026-11-01",
        "SystemModstamp": "2026-11-02T08:00:00.001Z",
    }
    assert told[4]["Amount"] == ""
    assert target.read_bytes().startswith(b"Id,IsDeleted,Name,")


def test_parquet_has_the_fields_only(tmp_path: Path) -> None:
    """An exported Parquet file is the object's table, as pandas reads it."""
    store = a_store(tmp_path)
    a_snapshot(store)
    snapshot = store.snapshots["latest"]
    snapshot.export("Account", tmp_path / "out.parquet")
    assert (
        pq.read_table(tmp_path / "out.parquet")
        .sort_by("Id")
        .equals(snapshot.table("Account").sort_by("Id"))
    )


def test_an_export_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is overwritten only on purpose, a folder never, and a failure leaves the old file and no half one."""
    store = a_store(tmp_path / "store")
    a_snapshot(store)
    snapshot = store.snapshots["latest"]
    target = tmp_path / "out.csv"
    target.write_text("mine")
    with pytest.raises(CallerError, match="exists already"):
        snapshot.export("Account", target)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(CallerError, match="is a folder"):
        snapshot.export("Account", tmp_path / "folder.csv", overwrite=True)
    with pytest.raises(CallerError, match=r"must end in \.parquet or \.csv"):
        snapshot.export("Account", tmp_path / "out.xlsx")
    with pytest.raises(CallerError, match=r"no folder .*nowhere"):
        snapshot.export("Account", tmp_path / "nowhere" / "out.csv")
    part = snapshot.parts("Account")[1]
    Path(store.root, "records", "Account", part.path).write_bytes(b"damaged")
    with pytest.raises(StoreError, match=r"could not read .*Account"):
        snapshot.export("Account", target, overwrite=True)
    assert target.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.csv", "out.csv", "store"]


def test_an_empty_object_exports_its_header(tmp_path: Path) -> None:
    """No records: a header, a Parquet file without rows, an empty frame."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    writer.commit("Account", [], None, is_done=True)
    snapshot = store.snapshots[writer.snapshot]
    assert snapshot.export("Account", tmp_path / "x.csv") == 0
    assert (tmp_path / "x.csv").read_text() == ",".join(SCHEMA.names) + "\n"
    assert snapshot.export("Account", tmp_path / "x.parquet") == 0
    assert len(snapshot.sql("select * from Account")) == 0


def test_other_tools_read_the_tables_without_us(tmp_path: Path) -> None:
    """pandas, Polars and DuckDB open a table, with several snapshots in it, by Delta's own means."""
    store = a_store(tmp_path)
    first = a_snapshot(store, number=1, parts=1)
    a_snapshot(store, number=2, parts=2)
    path = Path(store.root, "records", "Account")
    table = DeltaTable(path)
    frame = table.to_pandas()
    polars_frame = pl.read_delta(str(path))
    dataset = table.to_pyarrow_dataset()
    connection = duckdb.connect()
    connection.register("account", dataset)
    counted = connection.sql("select count(*) from account").fetchall()[0]
    connection.close()
    assert len(frame) == polars_frame.height == counted[0] == 20
    assert sorted(frame["_sfnb_op"].unique()) == ["delete", "upsert"]
    assert set(polars_frame["_sfnb_from"].unique()) == set(store.snapshots)
    assert polars_frame.filter(pl.col("_sfnb_from") == first)[
        "Birthdate"
    ].drop_nulls().max() == date(2026, 11, 1)


def test_describe_comes_back(tmp_path: Path) -> None:
    """The describe answer is kept with the snapshot, for a restore."""
    store = a_store(tmp_path)
    snapshot = store.snapshots[a_snapshot(store)]
    assert snapshot.describe("Account") == {"name": "Account", "fields": []}
    assert snapshot.columns("Account") == SCHEMA
    assert snapshot.plan.job_id == "job-1"


def test_a_clock_put_back_does_not_change_the_order(tmp_path: Path) -> None:
    """A backup made after the clock was put back by a year is the newest all the same, and can be resumed."""
    store = a_store(tmp_path)
    first = a_snapshot(store)
    plan = a_plan()
    for days in (0, 1, 365):
        at = BEGAN - timedelta(days=days)
        snapshot = store.new_snapshot_id(at)
        assert snapshot > max(store.snapshots)
        writer = store.begin(replace(plan, snapshot=snapshot, created_at=at))
        writer.put_schema("Account", SCHEMA)
        writer.commit("Account", writer.write_parts("Account", [rows(0, 5)]), {}, is_done=False)
        assert store.snapshots["latest"].id == snapshot
        assert store.reopen(snapshot).progress("Account").rows == 5
    assert min(store.snapshots) == first


def test_sql_reads_an_object_as_often_as_the_query_names_it(tmp_path: Path) -> None:
    """Rows are streamed, so a join with itself reads them twice, and a limit ends the reading early."""
    store = a_store(tmp_path)
    a_snapshot(store, parts=3)
    snapshot = store.snapshots["latest"]
    twice = "select count(*) as n from Account a join Account b on a.Id = b.Id"
    assert snapshot.sql(twice)["n"].tolist() == [27]
    assert len(snapshot.sql("select Name from Account limit 2")) == 2


def test_sql_over_a_damaged_part_is_the_stores_error(tmp_path: Path) -> None:
    """Damage met in the middle of a query says what is damaged; the query is not to blame."""
    store = a_store(tmp_path)
    a_snapshot(store)
    for part in Path(store.root).glob("records/Account/*/*.parquet"):
        part.write_bytes(part.read_bytes()[:-40])
    with pytest.raises(StoreError, match="could not read"):
        store.snapshots["latest"].sql("select count(*) from Account")
