"""What the holds hold: which of some records, and which snapshots."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sfnb.errors import CallerError
from sfnb.holds.book import Hold, HoldBook, held_by
from sfnb.memory import State
from sfnb.store.states.everything import (
    check_ids,
    matching_anywhere,
    snapshots_of,
    stored_anywhere,
)
from sfnb.store.tables import OrgStore


@dataclass
class Holds:
    """
    The holds of one org, as of when this was made.

    Args:
        by_object: the holds on each object, by its name in small letters: people spell it as they
            like, and each spelling counts.
        ids: by hold, the Ids of those on records or on a condition.
    """

    by_object: Mapping[str, list[Hold]]
    ids: Mapping[str, frozenset[str]]
    store: OrgStore

    def of(self, object_name: str, ids: Collection[str]) -> dict[str, Hold]:
        """Those of some records (18-character Ids) that are held, and one hold on each."""
        found: dict[str, Hold] = {}
        for hold in self.by_object.get(object_name.lower(), ()):
            held = self.ids.get(hold.hold_id, frozenset())
            for one in ids:
                if hold.is_whole or one in held:
                    found.setdefault(one, hold)
        return found

    def snapshots(self, ids: Collection[str]) -> dict[str, Hold]:
        """Those of some snapshots that have a held record in any version, and one hold on each."""
        found: dict[str, Hold] = {}
        for name, holds in self.by_object.items():
            for hold in holds:
                wanted = None if hold.is_whole else self.ids[hold.hold_id]
                for snapshot in snapshots_of(self.store.files, name, wanted, ids):
                    found.setdefault(snapshot, hold)
        return found


def holds_of(state: State, store: OrgStore) -> Holds:
    """
    The holds of an org, their conditions asked of every stored version of every record.

    Raises:
        CallerError: a condition can no longer be asked, because a field is gone. Nothing may be
            removed then.

    Cost: reads the object's fields that a condition names, of all versions; no calls.
    """
    book = HoldBook(state.database)
    by_object: dict[str, list[Hold]] = {}
    ids: dict[str, frozenset[str]] = {}
    for hold in book.holds(store.org_id):
        by_object.setdefault(hold.object_name.lower(), []).append(hold)
        if hold.condition is not None:
            try:
                found = matching_anywhere(store.files, hold.object_name, hold.condition)
                ids[hold.hold_id] = found or frozenset()
            except CallerError as err:
                raise CallerError(
                    f"the condition of {held_by(hold)} can no longer be asked, so nobody knows what "
                    f"it holds and nothing is removed: {err}"
                ) from err
        elif not hold.is_whole:
            ids[hold.hold_id] = book.ids(hold.hold_id)
    return Holds(by_object, ids, store)


def add_hold(
    state: State,
    store: OrgStore,
    *,
    org: str,
    object_name: str,
    reason: str,
    ids: Collection[str] | None = None,
    condition: str | None = None,
) -> Hold:
    """
    Add a hold: on these Ids (stored already or not), on a condition, or on the whole object.

    Raises:
        CallerError: the condition cannot be asked; an Id is another object's; no reason.
    """
    if condition is not None:
        matching = matching_anywhere(store.files, object_name, condition)
        if matching is None:
            raise CallerError(
                f"nothing of {object_name} is stored, so the condition cannot be tried."
            )
        held = len(matching)
    elif ids is not None:
        check_ids(store.files, object_name, ids)
        held = len(set(ids))
    else:
        held = len(stored_anywhere(store.files, object_name))
    return HoldBook(state.database).add(
        org=org,
        org_id=store.org_id,
        object_name=object_name,
        reason=reason,
        records=held,
        ids=ids or (),
        condition=condition,
    )
