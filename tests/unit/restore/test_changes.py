"""Applying a change set to a record gives the snapshot's values, under each policy as it promises."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfnb.restore.changes import change, created, difference, is_same, mending
from sfnb.restore.describes import WriteField, WriteObject, valid_for, write_object

BUSY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A test machine may be busy with others."""


FIELDS = ("A", "B", "C", "Ref")
VALUE = st.sampled_from([None, "", "x", "y", 1, 1.0, 2.5, True, False, "2026-11-09"])
RECORD = st.fixed_dictionaries(dict.fromkeys(FIELDS, VALUE))
STAMP = st.sampled_from(["2026-11-01T00:00:00.000Z", "2026-11-02T00:00:00.000+0000"])


def applied(present: dict[str, object], values: object) -> dict[str, object]:
    assert isinstance(values, dict)
    return {**present, **values}


@BUSY
@given(wanted=RECORD, present=RECORD)
def test_overwrite_gives_the_snapshots_record(
    wanted: dict[str, object], present: dict[str, object]
) -> None:
    """After an overwrite nothing differs, and nothing that was right is sent."""
    found = change(wanted, present, "overwrite")
    assert not difference(wanted, applied(present, found.values))
    assert all(not is_same(present[name], value) for name, value in found.values.items())
    assert set(found.conflicts) == set(difference(wanted, present))


@BUSY
@given(wanted=RECORD, present=RECORD)
def test_fill_empty_touches_empty_fields_alone(
    wanted: dict[str, object], present: dict[str, object]
) -> None:
    """Under fill-empty no value that is there is replaced, and every empty field is filled."""
    after = applied(present, change(wanted, present, "fill-empty").values)
    for name in FIELDS:
        kept = wanted[name] if is_same(present[name], None) else present[name]
        assert is_same(after[name], kept)


@BUSY
@given(wanted=RECORD, present=RECORD)
def test_skip_and_fail_write_nothing_over_a_conflict(
    wanted: dict[str, object], present: dict[str, object]
) -> None:
    """Under skip and fail a record that differs is left alone, and it is said."""
    for policy in ("skip", "fail"):
        found = change(wanted, present, policy)
        assert not found.values
        assert found.is_skipped == bool(difference(wanted, present))


@BUSY
@given(wanted=RECORD, present=RECORD, wanted_at=STAMP, present_at=STAMP)
def test_newer_keeps_the_later_record(
    wanted: dict[str, object], present: dict[str, object], wanted_at: str, present_at: str
) -> None:
    """Under newer the record with the later LastModifiedDate wins as a whole."""
    found = change(wanted, present, "newer", wanted_at=wanted_at, present_at=present_at)
    if present_at[:10] > wanted_at[:10]:
        assert not found.values
    else:
        assert not difference(wanted, applied(present, found.values))


def test_a_reference_that_the_org_emptied_is_no_conflict() -> None:
    """A lookup that went with its parent is filled even where somebody's changes are kept."""
    wanted, present = {"Ref": "001", "A": "x"}, {"Ref": None, "A": "y"}
    found = change(wanted, present, "newer", wanted_at="", present_at="", emptied=["Ref"])
    assert found.values == {"Ref": "001"}
    assert found.conflicts == ("A",)
    failing = change({"Ref": "001"}, {"Ref": None}, "fail", emptied=["Ref"])
    assert failing.values == {"Ref": "001"}


def test_moments_are_compared_as_moments() -> None:
    """REST's and Bulk's spelling of one moment are the same; a text that looks like one is text."""
    assert is_same("2026-11-09T05:12:03.000+0000", "2026-11-09T05:12:03Z")
    assert not is_same("2026-11-09T05:12:03Z", "2026-11-09T05:12:04Z")
    assert not is_same("2026-11-09", "2026-11-10")
    assert not is_same(1, True)


def test_what_undelete_has_lost_is_mended() -> None:
    """After an undelete the lookups that it did not bring back are sent, and fixed fields are not."""
    fields = {
        "A": WriteField("A", "string", is_updateable=True),
        "Ref": WriteField("Ref", "reference", is_updateable=True),
        "Once": WriteField("Once", "string", is_createable=True),
    }
    target = WriteObject("X", fields)
    wanted = {"A": "x", "Ref": "001", "Once": "1"}
    present = {"A": "y", "Ref": None, "Once": None}
    assert mending(wanted, present, target, "overwrite") == {"A": "x", "Ref": "001"}
    assert mending(wanted, present, target, "newer") == {"Ref": "001"}


def test_null_is_sent_only_where_the_org_would_fill_in() -> None:
    """A new record gets null for a field with a default, and nothing for the other empty fields."""
    describe = {
        "name": "X",
        "fields": [
            {"name": "D", "type": "string", "nillable": True, "defaultValue": "new"},
            {"name": "E", "type": "string", "nillable": True},
            {"name": "F", "type": "string", "nillable": False, "defaultedOnCreate": True},
        ],
    }
    wanted = {"D": None, "E": None, "F": None}
    assert created(wanted, write_object(describe)) == {"D": None}
    assert created({"E": "x"}, write_object(describe)) == {"E": "x"}


def test_bits_of_a_dependent_picklist() -> None:
    """validFor counts from the highest bit of the first byte."""
    assert valid_for("gAAA") == frozenset({0})
    assert valid_for("AQAA") == frozenset({7})
    assert valid_for("AIAA") == frozenset({8})
    assert valid_for(None) is None
    assert valid_for("no base64!") is None
