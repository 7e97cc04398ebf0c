"""A table that is looked at page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from sfnb.errors import CallerError
from sfnb.store.older.rows import Rows
from sfnb.store.pages import CELL_CHARS, Pages

COLUMNS = pa.schema(
    [
        ("Id", pa.string()),
        ("Name", pa.string()),
        ("Amount", pa.float64()),
        ("IsWon", pa.bool_()),
        ("SystemModstamp", pa.timestamp("us", "UTC")),
    ]
)


def at(day: int) -> datetime:
    return datetime(2026, 11, day, 12, tzinfo=UTC)


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    """Five records, loaded; a sixth is deleted."""
    names = ["Ada", "Émile\r\nZ", None, "x" * 500, "adamant", "gone"]
    table = pa.table(
        {
            "Id": [f"006{n}" for n in range(6)],
            "Name": names,
            "Amount": [5.0, 1.5, None, 9.0, 7.0, 1.0],
            "IsWon": [True, False, None, True, False, True],
            "SystemModstamp": [at(n + 1) for n in range(6)],
            "_sfnb_op": ["upsert"] * 5 + ["delete"],
            "_sfnb_extracted_at": [at(9)] * 6,
        },
        schema=pa.schema(
            [*COLUMNS, ("_sfnb_op", pa.string()), ("_sfnb_extracted_at", pa.timestamp("us", "UTC"))]
        ),
    )
    pq.write_table(table, tmp_path / "part.parquet")
    pages = Pages(Rows("Opportunity", COLUMNS, pads.dataset(tmp_path)))
    pages.load()
    yield pages
    pages.close()


def ids(pages: Pages) -> str:
    return "".join(str(row[0])[-1] for row in pages.page(0, 100))


def test_pages_show_what_lives_and_whole_values_on_request(pages: Pages) -> None:
    """Deleted records are not shown; long values are cut in a page and whole in `cell`."""
    assert (pages.count, pages.is_loaded, ids(pages)) == (5, True, "01234")
    assert [row[0] for row in pages.page(3, 1)] == ["0063"]
    assert len(pages.page(3, 1)[0][1] or "") == CELL_CHARS
    assert pages.cell(3, "Name") == "x" * 500
    assert pages.cell(1, "Name") == "Émile\r\nZ"
    assert pages.page(2, 1)[0][1:4] == [None, None, None]
    assert pages.page(0, 1)[0][4] == "2026-11-01T12:00:00Z"


@pytest.mark.parametrize(
    ("filters", "order", "descending", "expected"),
    [
        ({}, "Amount", False, "10432"),
        ({}, "Amount", True, "34012"),
        ({"Name": "ada"}, None, False, "04"),
        ({"Name": "=Ada"}, None, False, "0"),
        ({"Name": "="}, None, False, "2"),
        ({"Amount": "!="}, "Name", False, "014" + "3"),
        ({"Amount": ">5"}, None, False, "34"),
        ({"Amount": "5..7"}, None, False, "04"),
        ({"Amount": "7"}, None, False, "4"),
        ({"IsWon": "true"}, None, False, "03"),
        ({"SystemModstamp": "<=2026-11-02T12:00"}, None, False, "01"),
        ({"Name": "a", "Amount": ">=7", "Id": "  "}, None, False, "4"),
        ({"Name": "' or 1=1 --"}, None, False, ""),
    ],
)
def test_filters_and_order(
    pages: Pages, filters: dict[str, str], order: str | None, descending: bool, expected: str
) -> None:
    """What is typed filters, what is clicked sorts, and the frame has the same rows in the same order."""
    if expected == "0143":
        expected = "".join(
            sorted("0143", key=lambda n: ["Ada", "Émile\r\nZ", "", "x", "adamant"][int(n)])
        )
    assert pages.pick(filters, order, descending=descending) == len(expected)
    assert ids(pages) == expected
    assert "".join(name[-1] for name in pages.frame()["Id"]) == expected


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({"Amount": "many"}, "a number"),
        ({"SystemModstamp": ">soon"}, "a date such as"),
        ({"IsWon": "perhaps"}, "true or false"),
        ({'Nobody"; drop table records; --': "1"}, "has no field"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_in_words(
    pages: Pages, filters: dict[str, str], says: str
) -> None:
    """Bad input is one sentence, and what was shown stays."""
    pages.pick({"Name": "ada"})
    with pytest.raises(CallerError, match=says):
        pages.pick(filters)
    assert ids(pages) == "04"
