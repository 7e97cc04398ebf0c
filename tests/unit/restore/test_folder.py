"""A restore's plan and rows come back from the store as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfnb.errors import StoreError
from sfnb.model import JobWarning
from sfnb.restore.folder import GROUP_ROWS, RestoreFolder
from sfnb.restore.plan import (
    ACTIONS,
    Automation,
    Counts,
    End,
    PlannedRow,
    Refusal,
    RestorePlan,
    Wave,
)
from sfnb.store.files import Files

BUSY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A test machine may be busy with others."""


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.dictionaries(
    st.sampled_from(["Name", "AccountId", "Amount__c", "Flag__c", "When__c"]),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT | st.floats(-1e15, 1e15),
)
ROWS = st.builds(
    PlannedRow,
    object_name=st.just("Contact"),
    old_id=st.text("0123456789abcDEF", min_size=18, max_size=18),
    action=st.sampled_from(ACTIONS),
    target_id=TEXT,
    values=VALUES,
    reason=TEXT,
    field=TEXT,
    with_parent=TEXT,
)

PLAN = RestorePlan(
    source=End("prod", "00D000000000001AAA", "20261127T000000Z-abcdef"),
    target=End("box", "00D000000000002AAA"),
    options={"only": "deleted", "objects": ["Contact"]},
    waves=(
        Wave(1, "Account", "undelete", 3, "undelete", 1, ("Name",), (), sent=2),
        Wave(
            2, "Contact", "insert", 1, "bulk2", 7, ("LastName", "AccountId"), ("AccountId",), 1, 1
        ),
    ),
    objects={"Account": Counts(undelete=3), "Contact": Counts(create=1, refuse=2)},
    refusals=(Refusal("Contact", "field_gone", 2, "Old__c", "it is no longer there."),),
    skips={"unchanged": 4},
    not_written={"Contact": {"Name": "it is made of other fields"}},
    written_twice={"Contact": 1},
    keys={"Contact": "Key__c"},
    automation=(Automation("trigger", "Contact", "Tidy", True),),
    warnings=(JobWarning("automation", "Contact", "a trigger is active."),),
    price={"api": 9, "bulk": 0, "bulk2": 0, "bulk2_mb": 0},
    preparation_calls=4,
)


def test_a_plan_survives_its_json(tmp_path: Path) -> None:
    """A plan read from the store equals the one that was written."""
    folder = RestoreFolder(Files(tmp_path), "job1")
    assert folder.plan() is None
    folder.write_plan(PLAN)
    assert folder.plan() == PLAN
    assert PLAN.counts == Counts(create=1, undelete=3, refuse=2)
    assert PLAN.is_other_org


@pytest.mark.parametrize("content", [{"format": 2}, {"format": 1, "source": {}}])
def test_a_plan_of_another_make_is_refused(tmp_path: Path, content: dict[str, object]) -> None:
    """A plan that this sfnb cannot read is an error, never an empty plan."""
    folder = RestoreFolder(Files(tmp_path), "job1")
    folder.files.put_json(folder.plan_path, content)
    with pytest.raises(StoreError):
        folder.plan()


@BUSY
@given(rows=st.lists(ROWS, max_size=20))
def test_rows_survive_parquet(
    tmp_path_factory: pytest.TempPathFactory, rows: list[PlannedRow]
) -> None:
    """Rows keep order and values: missing, null, empty text, numbers and dates stay distinct."""
    folder = RestoreFolder(Files(tmp_path_factory.mktemp("store")), "job1")
    assert folder.write_rows(folder.rows_path(7), rows) == len(rows)
    back = list(folder.wave_rows(7, "Contact"))
    assert back == rows
    for one, other in zip(back, rows, strict=True):
        assert [type(v) for v in one.values.values()] == [type(v) for v in other.values.values()]


def test_many_rows_keep_their_order(tmp_path: Path) -> None:
    """Rows of several groups come back in the order to send."""
    folder = RestoreFolder(Files(tmp_path), "job1")
    ids = [f"003{n:015d}" for n in range(GROUP_ROWS * 2 + 1)]
    folder.write_rows(folder.rows_path(1), (PlannedRow("Contact", i, "create") for i in ids))
    assert [row.old_id for row in folder.wave_rows(1, "Contact")] == ids
    folder.write_matched("User", [("005A", "005B")])
    folder.write_rows(folder.refused_path("Lead"), [PlannedRow("Lead", "00Q", "refuse")])
    assert list(folder.matched()) == [("User", "005A", "005B")]
    assert folder.refused_objects() == ["Lead"]
    with pytest.raises(StoreError, match="missing"):
        list(folder.wave_rows(2, "Contact"))
