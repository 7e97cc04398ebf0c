"""
Each check of `verify` over tables and states guards something: harm that only it finds, since all
checksums are right.

Switch a check off, and the test of its name goes red.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sfnb.store.tables import OrgStore
from sfnb.store.verify import Finding
from tests.store_forger import ForgedLog, damage
from tests.unit.store.forged_tables import (
    Harm,
    Make,
    a_history,
    by_another_program,
    checkpoint_without_a_part,
    compacted,
    cut,
    entry_of,
    first_part,
    flipped,
    keeps_one,
    no_parquet,
    of_an_older_snapshot,
    older,
    part_file,
    part_says,
    pruned,
    removes,
    renumbered,
    restarted,
    rewritten,
    spelled_otherwise,
    without_column,
    without_log,
)


def said(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.kind, one.message) for one in found]


CHECKS: dict[str, tuple[Make, Harm, str, str]] = {
    "unreadable commit": (
        a_history,
        lambda log: log.path(1).write_text("{"),
        "damaged",
        "it is not a Delta commit",
    ),
    "missing commit": (a_history, lambda log: log.path(1).unlink(), "missing", "this Delta commit"),
    "rows added by another": (a_history, by_another_program("add"), "damaged", "another program"),
    "rows removed by another": (
        a_history,
        by_another_program("remove"),
        "damaged",
        "another program",
    ),
    "commit before has changed": (
        a_history,
        spelled_otherwise(1),
        "digest",
        "changed since the next one",
    ),
    "another object's commit": (
        a_history,
        entry_of(1, lambda e: e.update(object="Contact")),
        "damaged",
        "belongs to the table of Contact",
    ),
    "number left out": (
        a_history,
        lambda log: log.forge(1, renumbered),
        "missing",
        "commits 2 to 2 of the snapshot are missing",
    ),
    "older snapshot after a newer": (
        a_history,
        lambda log: log.forge(2, of_an_older_snapshot),
        "damaged",
        "came after those of the newer snapshot",
    ),
    "another snapshot's part taken out": (
        a_history,
        removes(2, first_part),
        "damaged",
        "other files than those of its snapshot",
    ),
    "restart that leaves a part": (
        restarted,
        keeps_one(5),
        "damaged",
        "other files than those of its snapshot",
    ),
    "totals": (
        a_history,
        entry_of(1, lambda e: e["total"].update(parts=3)),
        "count",
        "its totals are not the sum of its parts",
    ),
    "part missing": (a_history, lambda log: part_file(log).unlink(), "missing", "this part is"),
    "part's size": (a_history, lambda log: cut(part_file(log)), "damaged", "bytes instead of"),
    "part's content": (
        a_history,
        lambda log: flipped(part_file(log)),
        "digest",
        "the content of this part has changed",
    ),
    "part's rows": (a_history, part_says(1, rows=10), "count", "has 10 rows instead of 11"),
    "part's Ids": (
        a_history,
        part_says(1, ids_digest="0" * 32),
        "digest",
        "the Ids of this part are not those",
    ),
    "part that is no Parquet": (a_history, rewritten(no_parquet), "damaged", "could not open"),
    "compaction that counts otherwise": (
        compacted,
        entry_of(3, lambda e: e["versions"].update(rows=30)),
        "count",
        "wrote other versions than it took out",
    ),
    "compaction with other Ids": (
        compacted,
        part_says(3, ids_digest="0" * 32),
        "count",
        "wrote other versions than it took out",
    ),
    "compaction's versions": (
        compacted,
        entry_of(3, lambda e: e["versions"].update(digest="0" * 32)),
        "digest",
        "these versions are not those",
    ),
    "compaction takes out what was not there": (
        compacted,
        removes(3, lambda _log: "_sfnb_generation=new/Account-none.parquet"),
        "damaged",
        "other files than those that were there",
    ),
    "restating without its own files": (
        pruned,
        entry_of(3, lambda e: e.update(live=[])),
        "damaged",
        "does not name the files that it has added",
    ),
    "checkpoint": (
        a_history,
        checkpoint_without_a_part,
        "damaged",
        "the checkpoint of this log names other files",
    ),
    "log lost": (a_history, without_log, "missing", "has lost all its commits"),
    "log lost after a compaction": (
        pruned,
        without_log,
        "missing",
        "has lost all its commits",
    ),
    "state that cannot be counted": (
        a_history,
        rewritten(without_column("_sfnb_op")),
        "damaged",
        "it has no column _sfnb_op",
    ),
    "part without Ids": (
        a_history,
        rewritten(without_column("Id")),
        "damaged",
        "it has no column Id",
    ),
    "state's rows": (
        a_history,
        entry_of(2, lambda e: e["held"].update(rows=24)),
        "count",
        "its reading says 24 and 1",
    ),
    "state's recycle bin": (
        a_history,
        entry_of(2, lambda e: e["held"].update(deleted=3)),
        "count",
        "its reading says 23 and 3",
    ),
    "state's Ids": (
        a_history,
        entry_of(2, lambda e: e["proof"].update(digest="0" * 32)),
        "count",
        "have other Ids than its reading says",
    ),
}


@pytest.mark.parametrize("check", CHECKS)
def test_each_check_of_a_table_guards_something(
    check: str, copied: Callable[[Make], OrgStore]
) -> None:
    """The damage is named by the check that is for it, whatever else finds it, too."""
    make, harm, kind, message = CHECKS[check]
    store = copied(make)
    harm(ForgedLog(store))
    found = damage(store)
    assert [one for one in found if one.kind == kind and message in one.message], said(found)


@pytest.mark.parametrize(
    ("make", "version", "base"),
    [(a_history, 2, 0), (older, 1, 7), (older, 1, -1)],
    ids=["not the one before", "one that comes later", "none at all"],
)
def test_a_commit_that_does_not_stand_where_it_was_written_is_found(
    make: Make,
    version: int,
    base: int,
    copied: Callable[[Make], OrgStore],
) -> None:
    """Each way of standing elsewhere is found by itself: no other check sees anything."""
    store = copied(make)
    log = ForgedLog(store, "tables/Account" if make is older else "records/Account")
    sha256 = log.sha256(base) if 0 <= base < version else ""
    log.forge(version, lambda entry, _lines: entry.update(base=base, base_sha256=sha256))
    assert said(damage(store)) == [("damaged", "this commit does not stand where it was written")]


def test_a_quick_check_compares_what_a_compaction_says(
    copied: Callable[[Make], OrgStore],
) -> None:
    """Without reading a part: the number of versions, and the Ids of the parts."""
    store = copied(compacted)
    entry_of(3, lambda e: e["versions"].update(rows=30))(ForgedLog(store))
    assert said(damage(store, quick=True)) == [
        ("count", "this compaction wrote other versions than it took out")
    ]
