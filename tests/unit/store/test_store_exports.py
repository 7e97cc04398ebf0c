"""Exports: numbers as people wrote them, empty objects as empty files, `latest` for each object."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.errors import CallerError
from sfnb.store.text import numbers_as_text
from tests.store_samples import SCHEMA, a_plan, a_store, a_writer, rows


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (16147805824397.0, "16147805824397"),
        (1e21, "1000000000000000000000"),
        (-3e15, "-3000000000000000"),
        (2.0**63, "9223372036854776000"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (50000.0, "50000"),
        (-0.0, "0"),
        (1.5e20, "150000000000000000000"),
        (123456789.125, "123456789.125"),
        (None, None),
    ],
)
def test_numbers_have_no_exponent(number: float | None, text: str | None) -> None:
    """A number in a CSV file is written with its digits, however large or small."""
    assert numbers_as_text(pa.array([number], pa.float64())).to_pylist() == [text]


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_come_back_exactly(numbers: list[float | None]) -> None:
    """The text of any number is that number, and has digits, a sign and a point only."""
    told = numbers_as_text(pa.array(numbers, pa.float64())).to_pylist()
    assert [None if t is None else float(t) for t in told] == numbers
    assert all(t is None or set(t) <= set("-.0123456789") for t in told)


def test_a_csv_file_has_such_numbers(tmp_path: Path) -> None:
    """The export itself: 16147805824397 stays 16147805824397."""
    store = a_store(tmp_path / "store")
    writer = store.begin(a_plan())
    page = pa.record_batch({"Id": ["001"], "Phone__c": [16147805824397.0], "N": [None]})
    page = page.set_column(2, "N", pa.array([None], pa.float64()))
    writer.put_schema("Account", page.schema)
    writer.commit("Account", writer.write_parts("Account", [page]), {}, is_done=True)
    store.snapshots["latest"].export("Account", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == 'Id,Phone__c,N\n"001",16147805824397,\n'


@pytest.mark.parametrize("others", [["Contact"], []])
def test_an_empty_object_is_an_empty_file(tmp_path: Path, others: list[str]) -> None:
    """An object without rows exports a header and no rows, also where no object of the snapshot has any."""
    store = a_store(tmp_path / "store")
    writer = a_writer(store, "Account", *others)
    for name in others:
        writer.commit(name, writer.write_parts(name, [rows(0, 3)]), {}, is_done=True)
    writer.commit("Account", [], {}, is_done=True)
    writer.seal()
    snapshot = store.snapshots["latest"]
    assert snapshot.export("Account", tmp_path / "a.csv") == 0
    assert snapshot.export("Account", tmp_path / "a.parquet") == 0
    with (tmp_path / "a.csv").open() as file:
        assert list(csv.reader(file)) == [SCHEMA.names]
    assert pq.read_table(tmp_path / "a.parquet").schema.names == SCHEMA.names


def test_latest_of_an_object_is_the_newest_that_has_it_complete(tmp_path: Path) -> None:
    """A newer snapshot that was cut short does not hide a complete one; without one, the newest part is taken."""
    store = a_store(tmp_path)
    first = a_writer(store, "Account", "Contact", number=1)
    first.commit("Account", first.write_parts("Account", [rows(0, 9)]), {}, is_done=True)
    first.commit("Contact", first.write_parts("Contact", [rows(0, 2)]), {}, is_done=False)
    first.seal()
    second = a_writer(store, "Account", "Contact", number=2)
    second.commit("Account", second.write_parts("Account", [rows(0, 3)]), {}, is_done=False)
    second.seal("partial")
    third = a_writer(store, "Lead", number=3)
    third.seal("partial")
    assert store.snapshots.latest("account").id == first.snapshot
    assert store.snapshots.latest("Contact").id == first.snapshot
    with pytest.raises(CallerError, match="has no object Opportunity"):
        store.snapshots.latest("Opportunity").table("Opportunity")
