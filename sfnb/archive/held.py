"""Which records are on hold, asked of the holds as they are now."""

from __future__ import annotations

from collections.abc import Sequence

from sfnb.holds.book import HoldBook, held_by
from sfnb.holds.question import Holds, holds_of
from sfnb.memory import State
from sfnb.store.states.everything import matching_ids
from sfnb.store.tables import OrgStore


class HeldRecords:
    """
    The holds of one org. They are read anew when one was added or removed.

    Args:
        archive: whose rows conditions are asked of, too: a record that no backup has stored is
            held by what it says all the same. None: nothing is stored yet.
    """

    def __init__(self, state: State, store: OrgStore, archive: OrgStore | None = None) -> None:
        self._state = state
        self._store = store
        self._archive = archive
        self._known: tuple[str, ...] | None = None
        self._holds: Holds | None = None
        self._archived: dict[str, dict[str, str]] = {}

    def of(self, object_name: str, ids: Sequence[str]) -> dict[str, str]:
        """
        Those of an object's records that are on hold, by Id, and by which hold.

        Raises:
            CallerError: a condition can no longer be asked, so nothing may be deleted.
        """
        holds = self._now()
        found = {i: held_by(hold) for i, hold in holds.of(object_name, ids).items()}
        stored = self._archived.get(object_name.lower(), {})
        return found | {i: stored[i] for i in ids if i in stored}

    def _now(self) -> Holds:
        listed = HoldBook(self._state.database).holds(self._store.org_id)
        known = tuple(hold.hold_id for hold in listed)
        if self._holds is None or known != self._known:
            self._holds = holds_of(self._state, self._store)
            self._archived = self._in_archive(self._holds)
            self._known = known
        return self._holds

    def _in_archive(self, holds: Holds) -> dict[str, dict[str, str]]:
        if self._archive is None:
            return {}
        names = {n.lower() for s in self._archive.snapshots.values() for n in s.objects}
        found: dict[str, dict[str, str]] = {}
        for name, some in holds.by_object.items():
            for hold in some:
                if hold.condition is None or name.lower() not in names:
                    continue
                for record_id in matching_ids(
                    self._archive.files, hold.object_name, hold.condition
                ):
                    found.setdefault(name.lower(), {})[record_id] = held_by(hold)
        return found
