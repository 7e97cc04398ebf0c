"""The snapshot's rows beside the target's: none lost, none taken for another, little in memory."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa

from sfnb.restore.pairing import MOST_CELLS, pairs, pieces

MOMENT = datetime(2026, 11, 9, 5, 12, 3, tzinfo=UTC)


def batch(**columns: list[object]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def test_each_row_gets_the_row_of_its_id_wherever_that_lies() -> None:
    """Rows that come in any order and any number of pieces are found by their Ids, others are not."""
    ids = [f"003{n:015}" for n in range(9_000)]
    chosen = random.Random(7)  # noqa: S311 - the same order each time
    theirs = [i for i in ids if int(i[3:]) % 3] + [f"00Q{n:015}" for n in range(50)]
    chosen.shuffle(theirs)
    present = [
        batch(Id=theirs[at : at + 700], Name=[f"now {i}" for i in theirs[at : at + 700]])
        for at in range(0, len(theirs), 700)
    ]
    chosen.shuffle(ids)
    old = [batch(Id=ids[:5_000], Was=ids[:5_000]), batch(Id=ids[5_000:], Was=ids[5_000:])]
    found = list(pairs(old, present, ["Id", "Was"], ["Id", "Name"]))
    assert [was["Id"] for was, _ in found] == ids
    for was, now in found:
        expected = {"Id": was["Id"], "Name": f"now {was['Id']}"} if int(was["Id"][3:]) % 3 else None
        assert now == expected


def test_answers_with_columns_of_different_width_are_kept_as_they_came() -> None:
    """A number that only fits a wider column is not cut to the first answer's; moments are text."""
    old = [batch(Id=["a", "b", "c"], At=[MOMENT, None, MOMENT])]
    present = [batch(Id=["a"], Size=[1]), batch(Id=["b"], Size=[2.5]), batch(Id=["c"], Size=[3])]
    found = list(pairs(old, present, ["Id", "At"], ["Id", "Size"]))
    assert [now and now["Size"] for _, now in found] == [1, 2.5, 3]
    assert [was["At"] for was, _ in found] == [
        "2026-11-09T05:12:03.000Z",
        None,
        "2026-11-09T05:12:03.000Z",
    ]


def test_ids_of_another_length_are_other_ids() -> None:
    """One Id that begins like another is not that one."""
    old = [batch(Id=["003A", "003AB"])]
    (_, first), (_, second) = pairs(old, [batch(Id=["003AB"])], ["Id"], ["Id"])
    assert (first, second) == (None, {"Id": "003AB"})


def test_wide_rows_are_taken_a_few_at_a_time() -> None:
    """A piece has so few rows that, as Python values, it stays small; all rows are in some piece."""
    wide = pa.RecordBatch.from_pydict({f"f{n}": ["x"] * 3_000 for n in range(200)})
    long = batch(Id=["x" * 100_000] * 300)
    for whole in (wide, long):
        parts = list(pieces(whole))
        assert sum(part.num_rows for part in parts) == whole.num_rows
        assert all(part.num_rows * part.num_columns <= MOST_CELLS for part in parts)
        assert all(part.nbytes < 5_000_000 for part in parts)


def test_rows_of_the_target_do_not_stay_in_memory() -> None:
    """Of 20 MB of rows only the Ids are held while pairs are taken."""

    def present() -> Iterator[pa.RecordBatch]:
        for start in range(0, 20_000, 1_000):
            ids = [f"003{n:015}" for n in range(start, start + 1_000)]
            yield batch(Id=ids, Text=["x" * 1_000] * 1_000)

    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        found = pairs([batch(Id=["003000000000000042"])], present(), ["Id"], ["Id", "Text"])
        ((_, now),) = found
        held = tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - before
    finally:
        tracemalloc.stop()
    assert now is not None
    assert now["Text"] == "x" * 1_000
    assert held < 12_000_000
