"""Which records an erasure takes out, and which it refuses because of a hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sfnb.erase.request import EraseRequest
from sfnb.holds.book import held_by
from sfnb.holds.question import holds_of
from sfnb.memory import State
from sfnb.store.erasing.related import closure
from sfnb.store.erasing.run import census
from sfnb.store.older.refusing import refuse_older
from sfnb.store.states.everything import check_ids, stores_of
from sfnb.store.tables import OrgStore


@dataclass(frozen=True)
class ErasePlan:
    """
    Args:
        ids: by object, the records that go, whether anything of them is stored or not.
        records: how many of them are stored.
        files: contents of bodies that they have.
        snapshots: in whose state one of them is.
        not_stored: of the Ids that were asked for, those of which nothing is stored.
        refused: what is on hold: object, Id, reason.
    """

    ids: Mapping[str, tuple[str, ...]]
    records: int
    files: int
    snapshots: tuple[str, ...]
    not_stored: tuple[str, ...]
    refused: tuple[tuple[str, str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """What `sfnb erase` prints of it."""
        return {
            "records": self.records,
            "files": self.files,
            "snapshots": list(self.snapshots),
            "not_stored": len(self.not_stored),
            "refused": [
                {"object": name, "id": one, "reason": why} for name, one, why in self.refused
            ],
        }


def plan_erase(state: State, store: OrgStore, request: EraseRequest) -> ErasePlan:
    """
    What would be erased of everything that is stored of an org. Changes nothing, sends no call.

    A record that is on hold is refused, and with it the records that it would go with: nothing is
    half erased.

    Raises:
        CallerError: an Id is another object's; a hold's condition can no longer be asked; something
            is stored in an older format, whose rows an erasure could not take out.
    """
    check_ids(store.files, request.object_name, request.ids)
    for files in stores_of(store.files):
        refuse_older(files)
    holds = holds_of(state, store)
    roots: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for files in stores_of(store.files):
        found = closure(
            files, request.object_name, request.ids, with_children=request.with_children
        )
        for name, mine in found.items():
            for one, whose in mine.items():
                roots[name][one] |= whose
    refused: list[tuple[str, str, str]] = []
    kept_back: set[str] = set()
    for name, records in roots.items():
        for one, hold in holds.of(name, records).items():
            refused.append((name, one, held_by(hold)))
            kept_back |= records[one]
    named = {one for _, one, _ in refused}
    for root in sorted(kept_back - named):
        why = "a record that goes with it is on hold"
        refused.append((request.object_name, root, why))
    ids = {
        name: tuple(sorted(one for one, own in records.items() if own - kept_back))
        for name, records in roots.items()
    }
    ids = {name: some for name, some in ids.items() if some}
    stored: dict[str, set[str]] = defaultdict(set)
    snapshots: set[str] = set()
    contents: set[str] = set()
    for files in stores_of(store.files):
        counted = census(files, ids)
        for name, some in counted.records.items():
            stored[name] |= some
        snapshots |= counted.snapshots
        contents |= counted.files
    there = {one for some in stored.values() for one in some} | {one for _, one, _ in refused}
    return ErasePlan(
        ids,
        sum(len(some) for some in stored.values()),
        len(contents),
        tuple(sorted(snapshots)),
        tuple(sorted(set(request.ids) - there)),
        tuple(sorted(refused)),
    )
