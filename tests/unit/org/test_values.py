"""Every value of every describe type comes through, and both readers give the same table."""

from __future__ import annotations

import csv
import io
import json
import pickle
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.errors import TransientError
from sfnb.model import FieldInfo, ObjectSchema
from sfnb.org.arrow import (
    Misfit,
    Note,
    Tally,
    arrow_schema,
    as_bulk_writes,
    csv_batches,
    query_page,
    wider_schema,
)
from sfnb.org.arrow.values import whole_number

TEXT_TYPES = (
    "anyType", "combobox", "complexvalue", "datacategorygroupreference", "email",
    "encryptedstring", "id", "json", "masterrecord", "multipicklist", "phone", "picklist",
    "reference", "string", "textarea", "time", "url", "a type of a later release",
)  # fmt: skip


@dataclass
class Sent:
    """One value: the JSON text that REST sends, and the text that Bulk sends (None: null)."""

    rest: str
    bulk: str | None


def text(value: str) -> Sent:
    return Sent(json.dumps(value), value)


NULL = Sent("null", None)
# Bulk CSV cannot carry a NUL, and null and "" look the same in it; surrogates are no text.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40
).map(text)


def java_double(value: float) -> str:
    """As Java's Double.toString writes it, which is what Salesforce's JSON and CSV show."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return f"{value!r}" if "e" not in repr(value) else f"{value:f}"
    exponent = f"{value:.17e}".split("e")[1]
    digits = repr(value).replace("-", "").split("e")[0].replace(".", "").strip("0") or "0"
    return f"{'-' if value < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{int(exponent)}"


DOUBLES = st.floats(allow_nan=False, allow_infinity=False).map(
    lambda x: Sent(java_double(x), java_double(x))
)
INTS = st.integers(-(2**31), 2**31 - 1).map(lambda n: Sent(str(n), str(n)))
WHOLE_WITH_POINT = st.integers(-(2**31), 2**31 - 1).map(lambda n: Sent(f"{n}.0", f"{n}.0"))
LONGS = st.integers(-(2**63), 2**63 - 1).map(lambda n: Sent(str(n), str(n)))
BOOLS = st.booleans().map(lambda b: Sent(json.dumps(b), json.dumps(b)))
DATES = st.dates().map(lambda d: text(d.isoformat()))
MOMENTS = st.datetimes().map(
    lambda m: Sent(
        json.dumps(f"{m:%H:%M:%S}".join((f"{m.date().isoformat()}T", ".123+0000"))),
        f"{m:%H:%M:%S}".join((f"{m.date().isoformat()}T", ".123Z")),
    )
)
ANY = st.one_of(TEXTS, BOOLS, INTS, DOUBLES)

FITTING = {
    "boolean": BOOLS,
    "int": INTS | WHOLE_WITH_POINT,
    "long": LONGS,
    "double": DOUBLES | INTS,
    "currency": DOUBLES,
    "percent": DOUBLES,
    "date": DATES,
    "datetime": MOMENTS,
}


def page_of(names: list[str], rows: list[list[Sent]]) -> bytes:
    records = [
        "{" + ",".join(f"{json.dumps(n)}:{v.rest}" for n, v in zip(names, r, strict=True)) + "}"
        for r in rows
    ]
    return f'{{"totalSize":{len(rows)},"done":true,"records":[{",".join(records)}]}}'.encode()


def csv_of(names: list[str], rows: list[list[Sent]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([value.bulk or "" for value in r] for r in rows)
    return out.getvalue().encode()


def with_z(rows: list[list[Sent]]) -> list[list[Sent]]:
    """
    The rows with the moments of REST as Bulk writes them.

    REST ends a moment in +0000 and Bulk in Z. Where they end up as text, nobody can know that.
    """
    return [[Sent(value.rest.replace("+0000", "Z"), value.bulk) for value in r] for r in rows]


def both(fields: list[FieldInfo], rows: list[list[Sent]]) -> tuple[pa.Table, pa.Table]:
    """The rows as each reader gives them, after as many widenings as they need."""
    columns = arrow_schema(ObjectSchema("Thing__c", tuple(fields)))
    names = [f.name for f in fields]
    for _ in range(2 * len(fields) + 1):
        try:
            rest = query_page(page_of(names, rows), columns).batch
            bulk = csv_batches(io.BytesIO(csv_of(names, rows)), columns, chunk=300)
            return pa.Table.from_batches([rest]), pa.Table.from_batches(bulk, columns)
        except Misfit as err:
            columns = wider_schema(columns, err.wider)
    raise AssertionError("the columns never became wide enough")


@st.composite
def tables(draw: st.DrawFn, *, is_odd: bool) -> tuple[list[FieldInfo], list[list[Sent]]]:
    """Fields of any describe types and rows of values; odd ones need not fit the type."""
    kinds = draw(
        st.lists(st.sampled_from([*FITTING, *TEXT_TYPES]), min_size=1, max_size=6), label="types"
    )
    anything = st.one_of(ANY, LONGS, WHOLE_WITH_POINT, DATES, MOMENTS)
    values = [
        st.one_of(st.just(NULL), anything if is_odd or k in TEXT_TYPES else FITTING[k])
        for k in kinds
    ]
    rows = draw(st.lists(st.tuples(*values).map(list), min_size=1, max_size=8), label="rows")
    # An Id, as each object has: a CSV line of nothing but nulls would be an empty line.
    fields = [FieldInfo("Id", "id"), *(FieldInfo(f"F{n}__c", k) for n, k in enumerate(kinds))]
    return fields, [[text(f"a00{n:015d}"), *r] for n, r in enumerate(rows)]


@given(tables(is_odd=False))
def test_both_readers_give_the_same_table(table: tuple[list[FieldInfo], list[list[Sent]]]) -> None:
    """A value that fits its type needs no wider column, and REST equals Bulk."""
    fields, rows = table
    has_text = any(f.type in TEXT_TYPES for f in fields)
    rest, bulk = both(fields, with_z(rows) if has_text else rows)
    assert rest.schema.equals(arrow_schema(ObjectSchema("Thing__c", tuple(fields))))
    assert rest.equals(bulk)


@given(tables(is_odd=True))
def test_no_value_loses_its_object(table: tuple[list[FieldInfo], list[list[Sent]]]) -> None:
    """Whatever the org sends for a type, no row and no value is lost, and REST equals Bulk."""
    fields, rows = table
    rest, bulk = both(fields, with_z(rows))
    assert rest.equals(bulk)
    for n, field in enumerate(fields):
        sent = [r[n].bulk for r in rows]
        assert [v is None for v in rest.column(field.name).to_pylist()] == [v is None for v in sent]


def one(kind: str, *sent: str) -> list[Any]:
    """What REST texts of one column come out as."""
    fields = [FieldInfo("Id", "id"), FieldInfo("X", kind)]
    rows = [[text(str(n)), Sent(value, "")] for n, value in enumerate(sent)]
    columns = arrow_schema(ObjectSchema("T", tuple(fields)))
    try:
        page = query_page(page_of(["Id", "X"], rows), columns)
    except Misfit as err:
        page = query_page(page_of(["Id", "X"], rows), wider_schema(columns, err.wider))
    values: list[Any] = page.batch.column("X").to_pylist()
    return values


@pytest.mark.parametrize(
    ("kind", "sent", "expected"),
    [
        ("anyType", ["true", "50000.5", '"text"', "null", "1.0E7"], ["true", "50000.5", "text", None, "1.0E7"]),
        ("complexvalue", ['{"a":[1.50,null,{"b":"ü"}]}', "null"], ['{"a":[1.50,null,{"b":"ü"}]}', None]),
        ("json", ["[1e400,9007199254740993]"], ["[1e400,9007199254740993]"]),
        ("long", ["9007199254740993", "-9223372036854775808", "7.0"], [9007199254740993, -(2**63), 7]),
        ("long", ["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        ("long", ["9007199254740993", "0.5"], ["9007199254740993", "0.5"]),
        ("int", ["12.5", "7"], [12.5, 7.0]),
        ("int", ["1.2E3", "null"], [1200, None]),
        ("int", ['"many"', "7"], ["many", "7"]),
        ("double", ["1.6147805804397E13", "4.9E-324", "1.7976931348623157E308", "-0.0"],
         [16147805804397.0, 5e-324, 1.7976931348623157e308, -0.0]),
        ("boolean", ["true", '"yes"'], ["true", "yes"]),
        ("date", ['"1700-01-01"', '"4000-12-31"'], None),
        ("date", ['"tomorrow"'], ["tomorrow"]),
        ("datetime", ['"0001-01-01T00:00:00.000+0000"', '"9999-12-31T23:59:59.999Z"'], None),
        ("string", [r'"\ud83d\ude00 \ud800"'], ["😀 �"]),
        ("string", ["true", "5", "[1]"], ["true", "5", "[1]"]),
        ("multipicklist", ['"a;b"'], ["a;b"]),
        ("time", ['"05:12:03.000Z"'], ["05:12:03.000Z"]),
    ],
)  # fmt: skip
def test_what_salesforce_sends_comes_out(kind: str, sent: list[str], expected: Any) -> None:
    """Values of recorded answers and of Java's number formats: exact, or as the text that was sent."""
    values = one(kind, *sent)
    if expected is None:
        assert all(not isinstance(value, str) for value in values)
        assert None not in values
    else:
        assert values == expected
        assert [type(v) for v in values] == [type(v) for v in expected]


def test_text_that_is_no_unicode_is_mended_and_said() -> None:
    """Half a surrogate pair, or bytes that are no UTF-8, cost a letter and a note, not the page."""
    fields = (FieldInfo("Id", "id"), FieldInfo("Name", "string"))
    columns = arrow_schema(ObjectSchema("T", fields))
    notes: list[str] = []
    (batch,) = csv_batches(
        io.BytesIO(b'"Id","Name"\n"1","a\xed\xa0\x80b"\n"2","fine"\n'), columns, notes=notes
    )
    assert batch.column("Name")[0].as_py().strip("\ufffd") == "a\ufffd\ufffd\ufffdb".strip("\ufffd")
    assert batch.column("Name")[1].as_py() == "fine"
    for body in (
        b'{"totalSize":1,"done":true,"records":[{"Id":"1","Name":"a\\ud800b"}]}',
        b'{"totalSize":1,"done":true,"records":[{"Id":"1","Name":"a\xffb"}]}',
    ):
        page = query_page(body, columns)
        assert page.batch.to_pylist() == [{"Id": "1", "Name": "a\ufffdb"}]
        assert page.notes == tuple(notes)
    kept = query_page(
        '{"totalSize":1,"done":true,"records":[{"Id":"\ufffd","Name":true}]}'.encode(), columns
    )
    assert kept.notes == ()


def test_the_character_nul_is_kept_and_said() -> None:
    """No org holds it; a server that sends it loses no letter, and nobody is left to wonder."""
    columns = arrow_schema(ObjectSchema("T", (FieldInfo("Id", "id"), FieldInfo("Name", "string"))))
    page = query_page(
        b'{"totalSize":1,"done":true,"records":[{"Id":"1","Name":"a\\u0000b"}]}', columns
    )
    notes: list[Note] = []
    (batch,) = csv_batches(io.BytesIO(b'"Id","Name"\n"1","a\0b"\n'), columns, notes=notes)
    assert page.batch.equals(batch) and batch.column("Name").to_pylist() == ["a\0b"]
    assert list(page.notes) == notes == [Tally("Name", 1)]


def test_values_with_nul_are_counted_over_the_chunks_of_a_page() -> None:
    """Not the columns, nor the chunks: the values."""
    columns = arrow_schema(ObjectSchema("T", (FieldInfo("Id", "id"), FieldInfo("Name", "string"))))
    lines = b"".join(b'"%d","a%s"\n' % (n, b"\0\0" * (n % 2)) for n in range(100))
    notes: list[Note] = []
    list(csv_batches(io.BytesIO(b'"Id","Name"\n' + lines), columns, notes=notes, chunk=64))
    assert notes == [Tally("Name", 50)]


@pytest.mark.parametrize("kind", ["date", "datetime"])
def test_a_date_before_the_year_1_is_text(kind: str) -> None:
    """Python has none, and would end whatever reads the table; the year 1 and 9999 are dates."""
    late = "" if kind == "date" else "T00:00:00.000Z"
    fields = [FieldInfo("Id", "id"), FieldInfo("D", kind)]
    for year, is_text in (("0000", True), ("0001", False), ("9999", False)):
        value = f"{year}-01-01{late}"
        for found in both(fields, [[text("1"), text(value)]]):
            assert (found.column("D").to_pylist() == [value]) == is_text


def test_all_columns_that_do_not_fit_are_named_at_once() -> None:
    """An object is started again once for a page, not once for each of its columns."""
    fields = [FieldInfo("Id", "id"), FieldInfo("N", "int"), FieldInfo("B", "boolean")]
    rows = [[text("1"), Sent("12.5", "12.5"), Sent('"x"', "x")]]
    columns = arrow_schema(ObjectSchema("T", tuple(fields)))
    for read in (
        lambda: query_page(page_of(["Id", "N", "B"], rows), columns),
        lambda: list(csv_batches(io.BytesIO(csv_of(["Id", "N", "B"], rows)), columns)),
    ):
        with pytest.raises(Misfit) as caught:
            read()
        assert caught.value.wider == {"N": "double", "B": "string"}
        again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
        assert (again.wider, again.code, str(again)) == (
            caught.value.wider, "MISFIT", str(caught.value),
        )  # fmt: skip


@given(st.integers(-(2**64), 2**64), st.integers(0, 5), st.integers(-6, 6))
def test_whole_numbers_are_read_exactly(number: int, zeros: int, shift: int) -> None:
    """However a whole number is written, its value is exact or refused, never rounded."""
    written = f"{number}{'.' + '0' * zeros if zeros else ''}E{shift}"
    exact = number * 10**shift if shift >= 0 else number / 10**-shift
    if shift < 0 and number % 10**-shift:
        assert whole_number(written) is None
    else:
        exact = number * 10**shift if shift >= 0 else number // 10**-shift
        assert whole_number(written) == (exact if -(2**63) <= exact < 2**63 else None)


@pytest.mark.parametrize(
    "n", ["1E999999999", "1" * 10_000, "0." + "0" * 10_000 + "1", "0x10", "", "٣"]
)
def test_odd_numbers_are_no_whole_numbers(n: str) -> None:
    """Nothing that is written as a number costs time or memory."""
    assert whole_number(n) is None


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b" null", b"[]", b"{}", b"3", b'{"records":null}', b'{"records":[null]}',
        b'{"records":[3]}', b"{" * 100_000, b'{"records":' + b"[" * 100_000,
        b'{"totalSize":1,"done":true,"records":[{"Id":"1"}', b"\xff\xfe{\x00}\x00",
        b'{"records":[{"Id":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}]}",
        b'{"records":[]}{"records":[]}',
    ],
)  # fmt: skip
def test_what_is_no_query_answer_is_read_again(body: bytes) -> None:
    """An answer that is cut, nested without end or of another kind is no page without rows."""
    with pytest.raises(TransientError, match="cannot be read"):
        query_page(body, pa.schema([("Id", pa.string())]))


def test_counts_that_cannot_be_are_not_known() -> None:
    """A total beyond all rows of all orgs is not a total."""
    columns = pa.schema([("Id", pa.string())])
    for total in ("9" * 30, "-1", "1e999", '"many"', "null", "true"):
        body = f'{{"totalSize":{total},"done":true,"records":[]}}'.encode()
        assert query_page(body, columns).total is None


def test_moments_of_mixed_columns_are_spelled_as_in_bulk() -> None:
    """REST's +0000 becomes Z in a column of mixed values; any other text stays as it is."""
    sent = ["2026-11-02T08:00:00.000+0000", "2026-11-02T08:00:00+0000", "at 08:00+0000", None]
    batch = pa.record_batch({"OldValue": sent, "Name": sent})
    read = as_bulk_writes(batch, ["OldValue", "Gone"])
    assert read.column("OldValue").to_pylist() == [
        "2026-11-02T08:00:00.000Z",
        "2026-11-02T08:00:00Z",
        "at 08:00+0000",
        None,
    ]
    assert read.column("Name").to_pylist() == sent
