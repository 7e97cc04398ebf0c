"""CSV and JSON to Arrow: values exact, both readers alike, damage noticed."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.errors import ObjectError, TransientError
from sfnb.model import FieldInfo, ObjectSchema
from sfnb.org.arrow import (
    arrow_schema,
    csv_batches,
    query_page,
)
from sfnb.org.arrow import csv as cutting
from sfnb.org.arrow.csv import CHUNK_BYTES, MAX_RECORD_BYTES

FIELDS = (
    FieldInfo("Id", "id", 18),
    FieldInfo("Name", "string", 255),
    FieldInfo("Amount", "currency"),
    FieldInfo("Count__c", "int"),
    FieldInfo("IsDeleted", "boolean"),
    FieldInfo("CloseDate", "date"),
    FieldInfo("SystemModstamp", "datetime"),
    FieldInfo("At__c", "time"),
)
OBJECT = ObjectSchema("Thing__c", FIELDS)
SCHEMA = arrow_schema(OBJECT)

# Bulk CSV cannot carry a NUL, and null and "" look the same in it; surrogates are no text.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40
)


def page(rows: list[list[str]], header: list[str] | None = None) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(header or [f.name for f in FIELDS])
    writer.writerows(rows)
    return out.getvalue().encode()


def row(name: str, number: int = 1) -> list[str]:
    moment = "2026-11-09T05:12:03.118Z"
    return [f"a00{number:015d}", name, "100.0", "7", "false", "2026-11-09", moment, "05:12:03.000Z"]


def read(body: bytes, *, chunk: int = 1 << 18, schema: pa.Schema = SCHEMA) -> pa.Table:
    return pa.Table.from_batches(csv_batches(io.BytesIO(body), schema, chunk=chunk), schema=schema)


@given(st.lists(TEXT, min_size=1, max_size=20))
def test_text_comes_out_of_csv_as_it_was(names: list[str]) -> None:
    """CR LF, quotes, "NA", leading zeros, emoji: nothing is trimmed, guessed or translated."""
    table = read(page([row(name, n) for n, name in enumerate(names)]))
    assert table.column("Name").to_pylist() == names


@pytest.mark.parametrize(
    "name", ["NA", "null", "#N/A", "007", "1e5", " x ", "a\r\nb", 'say ""', "true", "=1+1"]
)
def test_text_that_looks_like_something_else_stays_text(name: str) -> None:
    """Readers that infer types change such values."""
    assert read(page([row(name)])).column("Name").to_pylist() == [name]


@given(st.lists(TEXT, min_size=1, max_size=20))
def test_both_readers_give_the_same_batch(names: list[str]) -> None:
    """A record read by REST equals the same record read by Bulk."""
    records = [
        {
            "attributes": {"type": "Thing__c", "url": "/x"},
            "Id": f"a00{n:015d}",
            "Name": name,
            "Amount": 100.0,
            "Count__c": 7,
            "IsDeleted": False,
            "CloseDate": "2026-11-09",
            "SystemModstamp": "2026-11-09T05:12:03.118+0000",
            "At__c": "05:12:03.000Z",
        }
        for n, name in enumerate(names)
    ]
    body = json.dumps({"totalSize": len(names), "done": True, "records": records}).encode()
    answer = query_page(body, SCHEMA)
    assert (answer.total, answer.is_done) == (len(names), True)
    assert pa.Table.from_batches([answer.batch]).equals(
        read(page([row(name, n) for n, name in enumerate(names)]))
    )


def test_null_and_empty_are_null_for_both_readers() -> None:
    """In Bulk CSV they look the same, so they are the same."""
    from_csv = read(page([["a00000000000000001", "", "", "", "", "", "", ""]])).to_pylist()[0]
    record = dict.fromkeys([f.name for f in FIELDS]) | {"Id": "a00000000000000001", "Name": ""}
    body = json.dumps({"totalSize": 1, "done": True, "records": [record]}).encode()
    assert from_csv == query_page(body, SCHEMA).batch.to_pylist()[0]
    assert set(from_csv.values()) == {"a00000000000000001", None}


@pytest.mark.parametrize("body", [b"", b"\n", page([])])
def test_a_page_without_rows_is_no_rows(body: bytes) -> None:
    """Salesforce may answer an empty result with a header or with nothing."""
    assert read(body).num_rows == 0


def test_the_header_may_come_in_another_case_and_order() -> None:
    """Its spelling follows the query or the API name, by API version."""
    header = [f.name for f in FIELDS]
    shuffled = [header[1].upper(), header[0].lower(), *header[2:]]
    values = row("x")
    table = read(page([[values[1], values[0], *values[2:]]], shuffled))
    assert table.column_names == header and table.column("Id").to_pylist() == [values[0]]


@given(st.data())
def test_a_page_that_is_cut_is_noticed_or_shorter(data: st.DataObject) -> None:
    """A cut page never gives a row that was not there; the number of rows tells the rest."""
    body = page([row(f"Zoë, {n}", n) for n in range(30)])
    whole = read(body)
    # The last quote and the line end carry no value: a page without them is whole.
    cut = body[: data.draw(st.integers(200, len(body) - 3))]
    try:
        table = read(cut)
    except (TransientError, ObjectError):
        return
    assert table.num_rows < 30 or table.equals(whole)


def test_a_missing_column_is_told() -> None:
    """Describe and data that disagree end that object, not the backup."""
    with pytest.raises(ObjectError, match="Amount"):
        read(page([["x"]], ["Id"]))


@pytest.mark.parametrize("chunk", [1, 7, 100, 1 << 18])
def test_a_record_may_be_longer_than_a_chunk(chunk: int) -> None:
    """However the page arrives, the rows are the same: quotes, line ends, commas in values too."""
    long_one = 'x"\n,"' * (30 if chunk == 1 else 3000)
    names = ["a", long_one, '\n"\n""', "b", "," * 70, "\r\n", '"']
    body = page([row(name, n) for n, name in enumerate(names)])
    assert read(body, chunk=chunk).column("Name").to_pylist() == names


def test_a_line_without_an_end_is_refused_early() -> None:
    """A page of endless bytes costs 16 MB of memory, not all there is."""

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1, /) -> bytes:
            self.given += size
            return b"x" * size

    stream = Endless()
    with pytest.raises(ObjectError, match="longer than 16 MB"):
        list(csv_batches(stream, SCHEMA))
    assert stream.given <= MAX_RECORD_BYTES + 2 * CHUNK_BYTES


def test_whole_numbers_may_come_with_a_point() -> None:
    """An int field is 7 in one API and 7.0 in another."""
    rows = [row("x", n) for n in range(3)]
    for values, text in zip(rows, ("7", "7.0", "7.0E0"), strict=True):
        values[3] = text
    assert read(page(rows)).column("Count__c").to_pylist() == [7, 7, 7]
    assert read(page(rows), chunk=40).column("Count__c").to_pylist() == [7, 7, 7]


@given(data=st.text('"\n,a', max_size=40), cut=st.integers(0, 40), tail=st.sampled_from([3, 8192]))
def test_a_csv_is_cut_where_no_quote_is_open(data: str, cut: int, tail: int) -> None:
    """However a page is cut into chunks, each piece ends after a line end outside of quotes."""
    page = f'"{data}"\n'.encode() if data.count('"') % 2 == 0 else f"{data}\n".encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "TAIL_BYTES", tail)
        try:
            pieces = list(cutting.whole_records(io.BytesIO(page), chunk=max(cut, 1)))
        except TransientError:
            assert page.count(b'"') % 2
            return
    assert b"".join(pieces) == page
    assert all(p.endswith(b"\n") and p.count(b'"') % 2 == 0 for p in pieces)
