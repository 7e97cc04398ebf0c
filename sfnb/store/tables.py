"""The FACE of the store: a store of orgs, and what begins and continues their snapshots."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

from sfnb.clock import Clock, SystemClock
from sfnb.errors import CallerError, StoreError
from sfnb.store.archives import archive_folder, archive_ids
from sfnb.store.files import Files
from sfnb.store.formats import NewerFormat
from sfnb.store.manifest import (
    SNAPSHOT_ID,
    SnapshotPlan,
    new_snapshot_id,
    read_plan,
)
from sfnb.store.orgs import StoredOrg, find_org, stored_orgs
from sfnb.store.ownership import SnapshotGone
from sfnb.store.paths import plan_path
from sfnb.store.writer import Writer

if TYPE_CHECKING:
    from sfnb.store.snapshots import Snapshots


def open_store(root: str | os.PathLike[str], *, clock: Clock | None = None) -> Store:
    """
    A store at a folder or an ``s3://``, ``gs://`` or ``az://`` address. Its first snapshot creates
    it.

    Raises:
        StoreError: it is encrypted, and its key is not here.
    """
    from sfnb.store.store_key import open_files

    return Store(open_files(root), clock or SystemClock())


class Store:
    """All orgs' snapshots below one root."""

    def __init__(self, files: Files, clock: Clock) -> None:
        self._files = files
        self._clock = clock

    @property
    def root(self) -> str:
        return self._files.root

    def org(self, org_id: str) -> OrgStore:
        if not org_id.isalnum():
            raise CallerError(f"{org_id!r} is not an Organization Id.")
        return OrgStore(self._files.below(org_id), org_id, self._clock)

    def orgs(self) -> list[StoredOrg]:
        """The orgs that have snapshots here, found in the store itself."""
        return stored_orgs(self._files)

    def find(self, name: str) -> OrgStore:
        """
        The org that was backed up under a name, or has this Organization Id.

        Raises:
            CallerError: no org, or more than one; the message lists what the store holds.
        """
        return self.org(find_org(self.orgs(), name, self.root))


class OrgStore:
    """One org's tables and snapshots."""

    def __init__(self, files: Files, org_id: str, clock: Clock) -> None:
        self.files = files
        self.org_id = org_id
        self._clock = clock

    @property
    def root(self) -> str:
        return self.files.root

    @property
    def snapshots(self) -> Snapshots:
        from sfnb.store.snapshots import Snapshots

        return Snapshots(self.files)

    def archive(self, snapshot: str) -> OrgStore:
        """The store of one archive, whether it is there already or not; see ``archives``."""
        return OrgStore(self.files.below(archive_folder(snapshot)), self.org_id, self._clock)

    @property
    def archives(self) -> list[str]:
        """The snapshots of this org's archives, oldest first."""
        return list(archive_ids(self.files))

    def new_snapshot_id(self, at: datetime) -> str:
        """An id that sorts after those of all snapshots so far, whatever the clock says."""
        ids = [n for n in self.files.names("snapshots", folders=True) if SNAPSHOT_ID.fullmatch(n)]
        return new_snapshot_id(at, max(ids, default=""))

    def begin(self, plan: SnapshotPlan) -> Writer:
        """
        A writer for a new snapshot; its plan is on disk when this returns.

        Raises:
            CallerError: there is a snapshot of this id already.
            StoreError: the store cannot be written.
        """
        self._refuse_newer()
        self.files.refuse_lossy()
        if not self.files.put_new_json(plan_path(plan.snapshot), plan.as_json(), indent=1):
            raise CallerError(
                f"snapshot {plan.snapshot} exists already. Reopen it, or choose another id."
            )
        return Writer(self.files, plan, self._clock)

    def _refuse_newer(self) -> None:
        """
        Nothing is added to what a newer sfnb wrote: it may have rules that this one would break.
        """
        for snapshot in reversed(self.files.names("snapshots", folders=True)):
            try:
                read_plan(self.files, snapshot)
                return
            except NewerFormat:
                raise
            except StoreError:
                continue  # `verify` names this damage; it is no reason to make no backup

    def reopen(self, snapshot: str) -> Writer:
        """
        A writer that continues a snapshot, whatever happened to the last one.

        Raises:
            SnapshotGone: there is no such snapshot any more.
            StoreError: its plan is damaged, or the store cannot be written.
        """
        if not self.files.has(plan_path(snapshot)):
            raise SnapshotGone(snapshot, self.root)
        self.files.refuse_lossy()
        return Writer(self.files, read_plan(self.files, snapshot), self._clock)
