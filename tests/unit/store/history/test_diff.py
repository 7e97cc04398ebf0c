"""Two snapshots compared: counts, each change, and what is not counted as one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfnb.clock import FakeClock
from sfnb.errors import CallerError
from sfnb.store.compaction.compact import compact_object
from sfnb.store.formats import FORMAT
from sfnb.store.history.compare import Comparison
from sfnb.store.history.diff import Diff, diff
from sfnb.store.tables import OrgStore
from tests.store_samples import BEGAN, a_plan, a_store, record_id

STAMP = pa.timestamp("us", "UTC")
FIELDS: Mapping[str, pa.DataType] = {
    "Id": pa.string(),
    "IsDeleted": pa.bool_(),
    "Name": pa.string(),
    "Amount": pa.float64(),
    "MasterRecordId": pa.string(),
    "SystemModstamp": STAMP,
}


def record(number: int, **values: Any) -> dict[str, Any]:
    return {
        "Id": record_id(number),
        "IsDeleted": False,
        "Name": f"N {number}",
        "Amount": number / 4,
        "SystemModstamp": BEGAN,
        **values,
    }


def a_state(
    store: OrgStore,
    number: int,
    records: Sequence[Mapping[str, Any]],
    *,
    name: str = "Account",
    fields: Mapping[str, pa.DataType] = FIELDS,
    describe: Sequence[Mapping[str, Any]] = (),
    is_done: bool = True,
    number_of_format: int = FORMAT,
) -> str:
    """A sealed snapshot that has exactly these records of one object; its id."""
    writer = store.begin(replace(a_plan(name, number=number), format=number_of_format))
    writer.put_schema(name, pa.schema(list(fields.items())), {"name": name, "fields": describe})
    rows = [{field: r.get(field) for field in fields} for r in records]
    batch = pa.RecordBatch.from_pylist(rows, pa.schema(list(fields.items())))
    part = writer.write_part(name, [batch])
    writer.commit(name, [part], {}, is_done=is_done)
    writer.seal()
    return writer.snapshot


def compared(store: OrgStore, old: str, new: str, **options: Any) -> Diff:
    return diff(store.snapshots, old, new, **options)


def changes(found: Diff, name: str = "Account") -> list[tuple[Any, ...]]:
    frame = found.changes(name)
    rows = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return [tuple(row[:5]) for row in rows]


def test_each_record_is_added_changed_deleted_or_the_same(tmp_path: Path) -> None:
    """Counts, fields and lines agree; a record of which nothing differs is not named."""
    store = a_store(tmp_path)
    old = a_state(store, 1, [record(n) for n in range(1, 6)])
    new = a_state(
        store,
        2,
        [record(1), record(2, Name="New"), record(3, Name=None, Amount=None), record(6), record(7)],
    )
    found = compared(store, old, new)
    assert found.as_json()["objects"]["Account"] == {
        "added": 2,
        "changed": 2,
        "deleted": 2,
        "undeleted": 0,
        "merged": 0,
        "fields": {"Name": 2, "Amount": 1},
    }
    assert changes(found) == [
        (record_id(2), "changed", "Name", "N 2", "New"),
        (record_id(3), "changed", "Name", "N 3", None),
        (record_id(3), "changed", "Amount", "0.75", None),
        (record_id(4), "deleted", None, None, None),
        (record_id(5), "deleted", None, None, None),
        (record_id(6), "added", None, None, None),
        (record_id(7), "added", None, None, None),
    ]
    assert found.frame().iloc[0].tolist() == ["Account", 2, 2, 2, 0, 0, ""]
    assert found.fields_frame().to_numpy().tolist() == [
        ["Account", "Name", 2],
        ["Account", "Amount", 1],
    ]


def test_a_stamp_that_moved_is_no_change(tmp_path: Path) -> None:
    """
    Picklist edits and roll-ups move millions of stamps: alone they make no version, and beside other
    changes they are shown on request only.
    """
    store = a_store(tmp_path)
    old = a_state(store, 1, [record(1)])
    later = BEGAN.replace(hour=9)
    same = a_state(store, 2, [record(1, SystemModstamp=later)])
    assert changes(compared(store, old, same, stamps=True)) == []
    new = a_state(store, 3, [record(1, Name="New", SystemModstamp=later)])
    assert [field for _, _, field, _, _ in changes(compared(store, old, new))] == ["Name"]
    shown = changes(compared(store, old, new, stamps=True))
    moved = ("2026-11-02T08:00:00.000Z", "2026-11-02T09:00:00.000Z")
    assert (record_id(1), "changed", "SystemModstamp", *moved) in shown and len(shown) == 2


def test_absence_is_not_deletion(tmp_path: Path) -> None:
    """Records that an unfinished reading does not have are not deleted, and are not added against one."""
    store = a_store(tmp_path)
    whole = a_state(store, 1, [record(n) for n in range(1, 6)])
    part = a_state(store, 2, [record(1, Name="x"), record(9)], is_done=False)
    found = compared(store, whole, part).counts["Account"]
    assert (found.added, found.changed, found.deleted) == (1, 1, 0)
    assert "not complete" in found.notes[0] and part in found.notes[0]
    back = compared(store, part, whole).counts["Account"]
    assert (back.added, back.changed, back.deleted) == (0, 1, 1)
    assert compared(store, part, whole).changes("Account")["change"].tolist() == [
        "changed",
        "deleted",
    ]


def test_an_object_of_one_snapshot_is_not_compared(tmp_path: Path) -> None:
    """An object that was not backed up has neither lost nor got its records."""
    store = a_store(tmp_path)
    old = a_state(store, 1, [record(1)])
    new = a_state(store, 2, [record(1)], name="Contact")
    found = compared(store, old, new)
    assert all(one.is_same for one in found.counts.values())
    assert found.counts["Account"].notes == (f"Not compared: {new} has nothing of it.",)
    assert found.counts["Contact"].notes == (f"Not compared: {old} has nothing of it.",)
    with pytest.raises(CallerError, match="Nothing__c"):
        compared(store, old, new, objects=["Nothing__c"])


def test_the_bin_is_a_deletion_and_back_again(tmp_path: Path) -> None:
    """Soft deletes, undeletes and merges: what became of the record is said."""
    store = a_store(tmp_path)
    old = a_state(store, 1, [record(1, IsDeleted=True), record(2), record(3), record(4)])
    merged = record(3, IsDeleted=True, MasterRecordId=record_id(4))
    new = a_state(store, 2, [record(1), record(2, IsDeleted=True), merged, record(4)])
    found = compared(store, old, new)
    one = found.counts["Account"]
    assert (one.added, one.undeleted, one.deleted, one.merged) == (1, 1, 2, 1)
    frame = found.changes("Account").set_index("id")
    assert frame.loc[record_id(3), "merged_into"] == record_id(4)
    assert frame["change"].tolist() == ["added", "deleted", "deleted"]


def test_a_change_of_schema_is_said_once(tmp_path: Path) -> None:
    """Added, removed, retyped and respelled fields, and an edited formula, change no record by themselves."""
    store = a_store(tmp_path)
    fields = dict(FIELDS)
    old_fields = {**fields, "Gone__c": pa.string(), "Num__c": pa.float64(), "case__c": pa.string()}
    new_fields = {**fields, "New__c": pa.string(), "Num__c": pa.string(), "Case__c": pa.string()}
    old_fields["F__c"] = new_fields["F__c"] = pa.string()
    says = [{"name": "F__c", "type": "string", "calculatedFormula": text} for text in ("A", "B")]
    before = {"Gone__c": "g", "case__c": "same", "F__c": "old"}
    after = {"New__c": "n", "Case__c": "same", "F__c": "new"}
    old = a_state(
        store,
        1,
        [record(1, Num__c=12.0, **before), record(2, Num__c=0.5, **before)],
        fields=old_fields,
        describe=says[:1],
    )
    new = a_state(
        store,
        2,
        [record(1, Num__c="12", **after), record(2, Num__c="half", **after)],
        fields=new_fields,
        describe=says[1:],
    )
    found = compared(store, old, new)
    assert changes(found) == [(record_id(2), "changed", "Num__c", "0.5", "half")]
    said = {(c["field"], c["change"]): (c["old"], c["new"]) for c in found.as_json()["schema"]}
    assert said == {
        ("New__c", "field_added"): (None, "string"),
        ("Num__c", "field_retyped"): ("double", "string"),
        ("Case__c", "field_renamed"): ("case__c", "Case__c"),
        ("F__c", "formula_changed"): ("A", "B"),
        ("Gone__c", "field_removed"): ("string", None),
    }


def test_rows_without_a_key_are_compared_as_rows(tmp_path: Path) -> None:
    """Where no field tells records apart, a changed row counts as one deleted and one added, and is said so."""
    store = a_store(tmp_path)
    fields = {"Name": pa.string(), "Amount": pa.float64()}
    one = {"Name": "a", "Amount": 1.0}
    old = a_state(store, 1, [one, one, {"Name": "b"}], fields=fields)
    new = a_state(store, 2, [one, {"Name": "c"}, {"Name": "b"}], fields=fields)
    found = compared(store, old, new).counts["Account"]
    assert (found.added, found.changed, found.deleted) == (1, 0, 2 - 1)
    assert "No field tells" in found.notes[0]


def test_the_csv_has_one_line_for_each_change(tmp_path: Path) -> None:
    """Columns, quoting and values as in an export; an existing file is not overwritten unasked."""
    store = a_store(tmp_path)
    old = a_state(store, 1, [record(1), record(2)])
    new = a_state(store, 2, [record(1, Name='Sa"y, twice'), record(3)])
    path = tmp_path / "diff.csv"
    counts = compared(store, old, new).write_csv(path)
    assert counts["Account"].changed == 1
    assert path.read_text("utf-8").splitlines() == [
        "object,id,change,field,old,new",
        f'"Account","{record_id(1)}","changed","Name","N 1","Sa""y, twice"',
        f'"Account","{record_id(2)}","deleted",,,',
        f'"Account","{record_id(3)}","added",,,',
    ]
    with pytest.raises(CallerError, match="exists already"):
        compared(store, old, new).write_csv(path)
    with pytest.raises(CallerError, match=r"must end in \.csv"):
        compared(store, old, new).write_csv(tmp_path / "diff.txt")


def test_only_versions_of_one_snapshot_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What did not change between two snapshots is not read, compacted or not; the result is the same."""
    store = a_store(tmp_path)
    old = a_state(store, 1, [record(n) for n in range(1, 200)])
    a_state(store, 2, [record(n) for n in range(1, 200)] + [record(500)])
    changed = [record(n, Name="x") for n in (5, 6)]
    new = a_state(store, 3, [*changed, *(record(n) for n in range(7, 200)), record(501)])
    expected = changes(compared(store, old, new))
    assert len(expected) == 2 + 4 + 1
    assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    read: list[int] = []
    real = Comparison._stream

    def stream(self: Comparison, query: str, schema: pa.Schema, pieces: Any) -> None:
        def counted() -> Any:
            for piece in pieces:
                read.append(piece.num_rows)
                yield piece

        real(self, query, schema, counted())

    monkeypatch.setattr(Comparison, "_stream", stream)
    assert changes(compared(store, old, new)) == expected
    assert sum(read) <= 2 * (6 + 3)
    assert compared(store, new, new).counts["Account"].is_same


def test_what_is_cut_into_slices_is_told_as_if_it_were_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The changes are the same and in the order of Ids, however many there are and however they come."""
    monkeypatch.setattr("sfnb.store.history.compare.SLICE_ROWS", 16)
    monkeypatch.setattr("sfnb.store.history.slices.HELD_BYTES", 4096)
    monkeypatch.setattr("sfnb.store.states.files.BATCH_ROWS", 32)
    dice = random.Random(3)  # noqa: S311 - the same records each time
    before = [record(n, Name=dice.choice([None, "a", f"N {n}"])) for n in range(300)]
    after = [dict(r) for r in before if dice.random() > 0.1]
    for one in after:
        if dice.random() < 0.7:
            one.update(Name=dice.choice([None, "b"]), Amount=dice.choice([None, one["Amount"], 7]))
    after += [record(n) for n in range(300, 340)]
    dice.shuffle(before)
    dice.shuffle(after)
    store = a_store(tmp_path)
    found = compared(store, a_state(store, 1, before), a_state(store, 2, after))

    old, new = ({r["Id"]: r for r in side} for side in (before, after))
    expected: list[tuple[Any, ...]] = []
    for one in sorted({*old, *new}):
        if one in old and one in new:
            for name in ("Name", "Amount"):
                was, now = (side[one][name] for side in (old, new))
                if was != now:
                    texts = (v if v is None or name == "Name" else f"{v:g}" for v in (was, now))
                    expected.append((one, "changed", name, *texts))
        else:
            expected.append((one, "added" if one in new else "deleted", None, None, None))
    assert len(expected) > 200
    assert changes(found) == expected
    diff_ = found.counts["Account"]
    assert diff_.fields == Counter(line[2] for line in expected if line[1] == "changed")
