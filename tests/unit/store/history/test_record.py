"""One record's history: its versions, oldest first, and what changed in each."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from sfnb.errors import CallerError
from sfnb.store.history.record import history_frame, record_history
from tests.store_samples import BEGAN, a_store, record_id
from tests.unit.store.history.test_diff import FIELDS, a_state, record


def test_a_snapshot_that_says_the_same_brings_no_version(tmp_path: Path) -> None:
    """Versions are told by what changed; the first has all fields, the next only theirs."""
    store = a_store(tmp_path)
    first = a_state(store, 1, [record(1), record(2)])
    a_state(store, 2, [record(1), record(2, Name="other")])
    third = a_state(store, 3, [record(1, Name="New", Amount=None), record(2)])
    versions = record_history(store.files, store.snapshots, "account", record_id(1))
    assert [(v.snapshot, v.op) for v in versions] == [(first, "upsert"), (third, "upsert")]
    assert set(versions[0].fields) == set(FIELDS)
    assert versions[0].as_json()["fields"]["SystemModstamp"] == "2026-11-02T08:00:00.000Z"
    assert versions[0].as_json()["at"] == "2026-11-02T09:00:00.000Z"
    assert versions[1].as_json()["fields"] == {"Name": "New", "Amount": None}
    assert dict(versions[1].before) == {"Name": "N 1", "Amount": 0.25}


def test_the_bin_a_merge_and_the_end_are_versions(tmp_path: Path) -> None:
    """Deleted, undeleted, merged, gone: each is one version; an unfinished snapshot proves nothing."""
    store = a_store(tmp_path)
    other = record(9)
    a_state(store, 1, [record(1), other])
    a_state(store, 2, [record(1, IsDeleted=True), other])
    a_state(store, 3, [record(1), other])
    a_state(store, 4, [other], is_done=False)
    a_state(store, 5, [record(1, IsDeleted=True, MasterRecordId=record_id(9)), other])
    a_state(store, 6, [other])
    versions = record_history(store.files, store.snapshots, "Account", record_id(1))
    assert [v.op for v in versions] == ["upsert", "delete", "upsert", "delete", "hard_delete"]
    assert versions[3].merged_into == record_id(9)
    assert versions[1].fields == {"IsDeleted": True}
    assert versions[4].fields == {} and versions[4].by is None
    frame = history_frame(versions)
    assert frame["op"].iloc[-1] == "hard_delete" and frame["field"].isna().iloc[-1]
    assert frame.dtypes.astype(str).to_dict()["at"] == "datetime64[us, UTC]"


def test_fields_that_came_went_and_changed_their_type(tmp_path: Path) -> None:
    """A field that is no longer known is not null; a number that became the same text is no change."""
    store = a_store(tmp_path)
    before = {**FIELDS, "Num__c": pa.float64(), "Gone__c": pa.string(), "cAse__c": pa.string()}
    after = {**FIELDS, "Num__c": pa.string(), "New__c": pa.string(), "Case__c": pa.string()}
    a_state(store, 1, [record(1, Num__c=12.0, Gone__c="g", cAse__c="x")], fields=before)
    a_state(store, 2, [record(1, Num__c="12", Case__c="x")], fields=after)
    last = a_state(store, 3, [record(1, Num__c="13", Case__c="x", New__c="n")], fields=after)
    versions = record_history(store.files, store.snapshots, "Account", record_id(1))
    assert len(versions) == 2 and versions[1].snapshot == last
    assert versions[1].fields == {"Num__c": "13", "New__c": "n"}


def test_what_nobody_stored_is_said(tmp_path: Path) -> None:
    """An Id that no snapshot has, and an object that none has, are refused."""
    store = a_store(tmp_path)
    a_state(store, 1, [record(1)])
    with pytest.raises(CallerError, match="no snapshot has a record"):
        record_history(store.files, store.snapshots, "Account", record_id(2))
    with pytest.raises(CallerError, match="no snapshot has a record"):
        record_history(store.files, store.snapshots, "Contact", record_id(1))
    assert BEGAN
