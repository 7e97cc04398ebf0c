"""What a backup takes after the rows: the bodies of files, and the org's metadata."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfnb.backup.bodies.reading import BodyReading, BodyTotals
from sfnb.backup.metadata.package import is_set_up_changed
from sfnb.backup.metadata.reading import MetadataReading, MetadataTotals
from sfnb.errors import StoreError
from sfnb.jobs.work import JobContext, Tick
from sfnb.model import JobWarning
from sfnb.settings import FILE_CALLS, METADATA_DAYS
from sfnb.state.job_values import Job
from sfnb.store.damage import read_damage
from sfnb.store.formats import NewerFormat
from sfnb.store.manifest import read_plan
from sfnb.store.metadata.record import MetadataRecord, read_record
from sfnb.store.tables import OrgStore

Changes = Callable[[str], tuple[str, int, int] | None]

NO_BODIES = "Bodies of files were left out of this backup (--no-files)."


@dataclass
class FilesAndMetadata:
    """The part of one backup that is no rows. Its outcome is complete when ``run`` has returned."""

    context: JobContext
    store: OrgStore
    bodies: BodyTotals | None = None
    metadata: MetadataTotals | None = None
    _warnings: list[JobWarning] = field(default_factory=list)

    def run(self, job: Job, complete: Sequence[str], changes: Changes, tick: Tick) -> None:
        """
        Read what the job's options ask for.

        Args:
            complete: the objects whose rows are complete.
            changes: see ``Writer.changes``.

        Raises:
            QuotaSignal, StopSignal, OrgUnavailable, JobError: see ``BodyReading`` and
                ``MetadataReading``.
        """
        if job.options.get("files", True):
            self.bodies = BodyTotals()
            budget = int(job.options.get("file_calls", FILE_CALLS))
            snapshot = self.store.snapshots[job.snapshot or ""]
            BodyReading(self.context, snapshot, complete, budget, self.bodies).run(tick)
        if job.options.get("metadata", False):
            self.metadata = MetadataTotals()
            days = float(job.options.get("metadata_days", METADATA_DAYS))
            files, snapshot_id = self.store.files, job.snapshot or ""
            last = last_metadata(self.store, before=snapshot_id)
            since = last.unchanged_since or last.snapshot if last else ""
            packs = read_damage(files).packs_since(since)
            listed = read_plan(files, snapshot_id).catalogue.get("objects") or {}
            has = {name for name, said in listed.items() if said[1]}
            is_changed = is_set_up_changed(changes, last.snapshot, has) if last else None
            MetadataReading(
                self.context, files, snapshot_id, last, days, packs, is_changed, self.metadata
            ).run(tick)

    @property
    def is_missing(self) -> bool:
        """Whether something was asked for and not obtained."""
        return any(part is not None and part.missing for part in (self.bodies, self.metadata))

    @property
    def outcome(self) -> dict[str, Any]:
        """Its keys in the job's JSON."""
        parts = {"files": self.bodies, "metadata": self.metadata}
        return {name: part.as_json() for name, part in parts.items() if part is not None}

    @property
    def warnings(self) -> list[JobWarning]:
        """What a person should look at."""
        found = []
        if self.bodies is not None and self.bodies.missing:
            why = next(iter(self.bodies.reasons), "the budget of file calls of one run is used up")
            text = f"{self.bodies.missing:,} bodies of files are missing: {why} The next backup tries again."
            found.append(JobWarning("files_missing", "", text))
        if self.metadata is not None and self.metadata.reasons:
            text = f"The metadata is not complete: {self.metadata.reasons[0]}"
            found.append(JobWarning("metadata_partial", "", text))
        return found


def last_metadata(store: OrgStore, *, before: str = "~") -> MetadataRecord | None:
    """The metadata of the newest snapshot that has any; damage is passed over."""
    for snapshot in reversed([one for one in store.snapshots if one < before]):
        try:
            record = read_record(store.files, snapshot)
        except NewerFormat:
            raise
        except StoreError:
            continue  # `verify` names it; all is retrieved again
        if record is not None:
            return record
    return None
