"""The written records of very many rows, in little memory."""

from __future__ import annotations

from sfnb.restore.comparison import Written
from sfnb.restore.written import WrittenRows


def test_written_rows_are_a_mapping_of_what_was_put() -> None:
    """The last word on a record counts; sorts that nobody has any more are not among them."""
    rows, known = WrittenRows(), dict[str, Written]()
    puts = [
        ("a", Written("1", "create")),
        ("b", Written("2", "update", ("Name",))),
        ("a", Written("1", "create", is_twice=True)),
        ("c", Written("3", "undelete", is_proven=True)),
        ("d", Written("4", "update", ("Name",))),
    ]
    for old_id, written in puts:
        rows.put(old_id, written)
        known[old_id] = written
    assert dict(rows) == known
    assert rows.get("z") is None
    assert [rows.new_id(one) for one in rows] == ["1", "2", "3", "4"]
    assert rows.old_ids.to_pylist() == ["a", "b", "c", "d"]
    assert rows.new_ids.to_pylist() == ["1", "2", "3", "4"]
    assert {(one.mode, one.fields, one.is_twice) for one in rows.sorts} == {
        ("update", ("Name",), False),
        ("create", (), True),
        ("undelete", (), False),
    }
