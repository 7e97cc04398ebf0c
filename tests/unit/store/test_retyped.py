"""A retyped field and a value that does not fit: a second column, no value changed, old snapshots as they were."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from sfnb.clock import FakeClock
from sfnb.store.layout import StoredField
from sfnb.store.part_writer import PartWriter
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from tests.store_samples import BEGAN, a_plan, a_store


def backed_up(store: OrgStore, number: int, *batches: pa.RecordBatch) -> str:
    writer = store.begin(a_plan(number=number))
    writer.put_schema("Account", batches[0].schema)
    writer.commit("Account", writer.write_parts("Account", batches), {}, is_done=True)
    writer.seal()
    return writer.snapshot


def records(store: OrgStore, snapshot: str) -> list[dict[str, object]]:
    rows = store.snapshots[snapshot].table("Account").to_pylist()
    by_sql = store.snapshots[snapshot].sql_table("select * from Account").to_pylist()
    assert sorted(map(str, rows)) == sorted(map(str, by_sql))
    return sorted(rows, key=lambda row: str(row["Id"]))


def page(ids: list[str], values: pa.Array) -> pa.RecordBatch:
    return pa.record_batch({"Id": ids, "N__c": values})


def test_number_to_text_and_back(tmp_path: Path) -> None:
    """From number to text and back to number: each snapshot reads as it was made, in two columns of one table."""
    store = a_store(tmp_path)
    first = backed_up(store, 1, page(["a"], pa.array([1.5])))
    second = backed_up(store, 2, page(["a"], pa.array(["one and a half"])))
    third = backed_up(store, 3, page(["a"], pa.array([2.5])))
    assert records(store, first) == [{"Id": "a", "N__c": 1.5}]
    assert records(store, second) == [{"Id": "a", "N__c": "one and a half"}]
    assert records(store, third) == [{"Id": "a", "N__c": 2.5}]
    columns = DeltaTable(Path(store.root, "records", "Account")).to_pyarrow_table()
    assert {n for n in columns.column_names if n.startswith("N__c")} == {"N__c", "N__c__2"}
    assert columns.schema.field("N__c__2").type == pa.string()
    assert verify(store) == []


def test_a_third_type_gets_a_third_column(tmp_path: Path) -> None:
    """Number, text, checkbox, text again: three columns, the second text in the first text's."""
    store = a_store(tmp_path)
    values = [pa.array([1.5]), pa.array(["x"]), pa.array([True]), pa.array(["y"])]
    ids = [backed_up(store, n, page(["a"], v)) for n, v in enumerate(values, 1)]
    told = [records(store, snapshot)[0]["N__c"] for snapshot in ids]
    assert told == [1.5, "x", True, "y"]
    table = DeltaTable(Path(store.root, "records", "Account")).to_pyarrow_table()
    assert [n for n in table.column_names if n.startswith("N__c")] == ["N__c", "N__c__2", "N__c__3"]


def test_an_int_with_a_fraction_widens_its_field(tmp_path: Path) -> None:
    """A field described as int that holds 12.5 becomes a number for this snapshot; exact ints stay exact."""
    store = a_store(tmp_path)
    ints = page(["a", "b"], pa.array([7, None], pa.int64()))
    snapshot = backed_up(
        store, 1, ints, page(["c"], pa.array([12.5])), page(["d"], pa.array([3.0]))
    )
    told = records(store, snapshot)
    assert [row["N__c"] for row in told] == [7, None, 12.5, 3]
    assert store.snapshots[snapshot].columns("Account").field("N__c").type == pa.float64()
    store.snapshots[snapshot].export("Account", tmp_path / "a.csv")
    with (tmp_path / "a.csv").open() as file:
        assert sorted(row["N__c"] for row in csv.DictReader(file)) == ["", "12.5", "3", "7"]
    assert verify(store) == []


def test_a_value_that_is_no_number_becomes_text(tmp_path: Path) -> None:
    """Numbers, then “n/a” in one field: all of them text in this snapshot, as Salesforce wrote them."""
    store = a_store(tmp_path)
    snapshot = backed_up(store, 1, page(["a"], pa.array([50000.5])), page(["b"], pa.array(["n/a"])))
    assert [row["N__c"] for row in records(store, snapshot)] == ["50000.5", "n/a"]


def test_a_long_beside_a_double_column_is_exact(tmp_path: Path) -> None:
    """9007199254740993 does not fit a double: it gets a column of its own and comes back exactly."""
    store = a_store(tmp_path)
    backed_up(store, 1, page(["a"], pa.array([1.5])))
    snapshot = backed_up(store, 2, page(["a"], pa.array([9007199254740993], pa.int64())))
    assert records(store, snapshot)[0]["N__c"] == 9007199254740993


def test_the_next_snapshot_begins_narrow_again(tmp_path: Path) -> None:
    """What one snapshot had to widen is no burden to the next: int where describe says int."""
    store = a_store(tmp_path)
    ints = page(["a"], pa.array([7], pa.int64()))
    backed_up(store, 1, ints, page(["b"], pa.array([1.5])))
    second = backed_up(store, 2, ints)
    assert store.snapshots[second].columns("Account").field("N__c").type == pa.int64()


def test_workers_that_know_nothing_of_each_other_agree(tmp_path: Path) -> None:
    """Two workers meet a fraction, a third one text: their parts name the columns, the commit adds them."""
    store = a_store(tmp_path)
    writer = store.begin(a_plan())
    writer.put_schema("Account", page(["a"], pa.array([1], pa.int64())).schema)
    target = writer.target("Account")
    parts = []
    for number, values in enumerate(([1], [0.5], [2.5], ["x"])):
        worker = PartWriter(target, FakeClock(BEGAN))
        parts += worker.write([page([f"{number}"], pa.array(values))])
    assert [part.widened for part in parts] == [
        (),
        (StoredField("N__c", "N__c__2", "double"),),
        (StoredField("N__c", "N__c__2", "double"),),
        (StoredField("N__c", "N__c__3", "string"),),
    ]
    writer.commit("Account", parts, {}, is_done=True)
    writer.seal()
    found = records(store, writer.snapshot)
    assert [row["N__c"] for row in found] == ["1", "0.5", "2.5", "x"]
    assert verify(store) == []


@pytest.mark.parametrize("there", ["n__C", "N__c"])
def test_a_name_in_other_letters_is_the_same_field(tmp_path: Path, there: str) -> None:
    """Salesforce and Delta do not tell letters apart: the field keeps its name, the table its column."""
    store = a_store(tmp_path)
    backed_up(store, 1, pa.record_batch({"Id": ["a"], there: ["x"]}))
    second = backed_up(store, 2, page(["b"], pa.array(["y"])))
    assert records(store, second) == [{"Id": "b", "N__c": "y"}]
    table = DeltaTable(Path(store.root, "records", "Account")).to_pyarrow_table()
    assert sorted(filter(None, table.column(there).to_pylist())) == ["x", "y"]
