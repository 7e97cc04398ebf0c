"""Which process may write a snapshot: of several that took it over, the last one."""

from __future__ import annotations

import secrets

from sfnb.clock import Clock
from sfnb.errors import StoreError
from sfnb.store.files import Files
from sfnb.store.formats import FORMAT
from sfnb.store.paths import manifest_path, owners_folder

STALE = "another process has taken this job over. This one stops; what it has stored stays good."

GONE = (
    "snapshot {snapshot} is no longer in {place}: the folder was moved or deleted, or its disk is not "
    "there any more. Bring it back, or cancel the job and make a new backup."
)


class StaleWriter(StoreError):
    """Another writer has taken the snapshot over; this one may not write any more."""

    may_resume = False


class SnapshotGone(StoreError):
    """
    The snapshot is no longer in the store. Folders are made where they are missing, so what is
    written next would lie alone in another store, or below a disk that comes back.
    """

    def __init__(self, snapshot: str, place: str) -> None:
        super().__init__(GONE.format(snapshot=snapshot, place=place))


class Ownership:
    """One writer's right to write one snapshot."""

    def __init__(self, files: Files, snapshot: str, clock: Clock) -> None:
        self._files = files
        self._snapshot = snapshot
        self._clock = clock
        self._owner = ""

    def take_over(self) -> None:
        """Become the owner: those that took it over earlier are refused from now on."""
        folder = owners_folder(self._snapshot)
        last = max(self._files.names(folder), default="00000000")
        # Two that take it over at once get different names; the greater one wins.
        owner = f"{int(last[:8]) + 1:08d}-{secrets.token_hex(4)}.json"
        taken = {"format": FORMAT, "snapshot": self._snapshot, "at": self._clock.now().isoformat()}
        self._files.put_new_json(f"{folder}/{owner}", taken)
        self._owner = owner

    @property
    def is_claimed(self) -> bool:
        """Whether this writer has taken the snapshot over."""
        return bool(self._owner)

    def check(self) -> None:
        """
        Raises:
            StaleWriter: another writer has taken the snapshot over.
            SnapshotGone, StoreError: it is no longer there, or sealed.
        """
        self.check_owner()
        if self._files.has(manifest_path(self._snapshot)):
            raise StoreError(f"snapshot {self._snapshot} is sealed. Start a new backup.")

    def check_owner(self) -> None:
        """
        Raises:
            StaleWriter: another writer has taken the snapshot over.
            SnapshotGone: it is no longer there.
        """
        if not self._owner:
            return
        owners = self._files.names(owners_folder(self._snapshot))
        if owners and owners[-1] != self._owner:
            raise StaleWriter(STALE)
        # The seal takes the owners away.
        if not owners and not self._files.has(manifest_path(self._snapshot)):
            raise SnapshotGone(self._snapshot, self._files.root)
