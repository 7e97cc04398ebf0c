"""Ids in little memory behave as dicts, sets and lists of them do."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.restore.compact import IdColumn, IdPairs, IdSet, IdTable

IDS = st.one_of(
    st.sampled_from([f"0037Q00000A{n:04}QAB" for n in range(40)]),
    st.sampled_from(["x01", "0037Q00000A0001", "äöü0000000000000AB", "0" * 19]),
)


@given(st.lists(st.tuples(IDS, IDS)))
def test_pairs_are_as_a_dict(pairs: list[tuple[str, str]]) -> None:
    """The last value of each Id, and nothing for the others."""
    known, found = dict[str, str](), IdPairs()
    for key, value in pairs:
        known[key] = found[key] = value
    assert len(found) == len(known)
    for key, _ in pairs:
        assert key in found and found.get(key, "") == known[key]
    assert found.get("0037Q00000A9999QAB", "none") == "none"


@given(st.lists(st.tuples(st.booleans(), IDS)))
def test_a_set_of_ids_is_as_a_set(steps: list[tuple[bool, str]]) -> None:
    """Added, forgotten, added again."""
    known, found = set[str](), IdSet()
    for is_added, one in steps:
        if is_added:
            known.add(one)
            found.add(one)
        else:
            known.discard(one)
            found.discard(one)
        assert (one in found) == (one in known)
    assert sorted(found) == sorted(known) and len(found) == len(known)
    assert sorted(found.arrow().to_pylist()) == sorted(known)
    others = {one for _, one in steps[::2]}
    assert set(others - found) == others - known and set(found - others) == known - others
    assert IdSet.of_arrow(found.arrow()) == known


@given(st.lists(st.one_of(IDS, st.just(""))))
def test_a_column_is_as_a_list(texts: list[str]) -> None:
    """By place, and as Arrow has them; odd ones and gaps, too."""
    column = IdColumn(texts)
    assert list(column) == column.arrow().to_pylist() == texts
    for place, text in enumerate(reversed(texts)):
        column[place] = text
    assert list(column) == texts[::-1]
    with pytest.raises(IndexError):
        column[len(texts)]


def test_very_many_ids_take_little_memory() -> None:
    """30 bytes an Id, where a dict takes 200; each is found by its number."""
    table = IdTable()
    for n in range(50_000):
        assert table.add(f"0037Q00000A{n:05}AB") == n
    assert table.find("0037Q00000A49999AB") == 49_999
    room = sys.getsizeof(table.keys._bytes) + sys.getsizeof(table._slots)
    assert room / 50_000 < 40
