"""What earlier snapshots and jobs know of an org: where an incremental backup starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from statistics import median
from typing import Any

from sfnb.backup.learned import Learned
from sfnb.backup.policy import Known
from sfnb.errors import StoreError
from sfnb.memory import State
from sfnb.model import JobState, ObjectInfo
from sfnb.state.job_values import Job, JobObject
from sfnb.store.damage import Damage, read_damage
from sfnb.store.manifest import SnapshotPlan, read_plan
from sfnb.store.schema import read_schema
from sfnb.store.settling.base import Base, Bases
from sfnb.store.tables import OrgStore

RUNS = 14
"""So many of the last backups tell the pace of changes: with one a night, two weeks."""

TAUGHT_BY = 3
"""So many of the last backups of a kind teach what plans of that kind get wrong."""


@dataclass
class History:
    """
    The past of one org, read as it is needed.

    Args:
        snapshot: the one that is begun: only older ones count.
        today: the org's day of the week, 0 for Monday; None: not known.
    """

    store: OrgStore
    state: State
    snapshot: str
    today: int | None = None
    _known: dict[str, Known | None] = field(default_factory=dict)
    _damaged: dict[str, bool] = field(default_factory=dict)
    _of_job: dict[str, dict[str, JobObject]] = field(default_factory=dict)

    @cached_property
    def _bases(self) -> Bases:
        return Bases(self.store.files, self.snapshot)

    def base(self, name: str) -> Base | None:
        """What the store has complete of an object."""
        return self._bases.get(name)

    def known(self, names: Iterable[str]) -> dict[str, Known]:
        """What is known of these objects; one that is not known is missing."""
        for name in names:
            if name not in self._known:
                self._known[name] = self._read(name)
        return {name: known for name in names if (known := self._known[name]) is not None}

    def _read(self, name: str) -> Known | None:
        base = self.base(name)
        if base is None:
            return None
        try:
            schema = read_schema(self.store.files, base.schema, name)
        except StoreError:
            schema = None  # `verify` names this damage; the object is read in full
        if schema is None:
            return None
        return Known(
            rows=base.rows,
            deleted=base.deleted,
            key=base.key,
            watermark=base.watermark,
            sweep_at=base.sweep_at,
            refreshed_at=base.refreshed_at,
            describe=schema.describe,
            described_at=self._described_at(name),
            touched=self.pace.get(name, ()),
            drifting=self.drifting.get(name, ()),
            is_damaged=self.is_damaged(name),
            ahead_s=self._ahead.get(name),
        )

    @cached_property
    def older(self) -> frozenset[str]:
        """The objects that have rows in the format of an older sfnb, not upgraded yet."""
        return frozenset(self.store.files.names("tables", folders=True))

    def is_damaged(self, name: str) -> bool:
        """Whether `sfnb verify` found damage in what the newest state of an object rests on."""
        if name not in self._damaged:
            self._damaged[name] = self._damage.is_still(
                name, self.store.files, before=self.snapshot
            )
        return self._damaged[name]

    @cached_property
    def _damage(self) -> Damage:
        return read_damage(self.store.files)

    def _described_at(self, name: str) -> str:
        planned = self._plan.objects.get(name, {}) if self._plan else {}
        return str(planned.get("described_at") or "")

    @cached_property
    def _plan(self) -> SnapshotPlan | None:
        """The plan of the newest older snapshot that can be read."""
        for snapshot in reversed(self.store.files.names("snapshots", folders=True)):
            if snapshot < self.snapshot:
                try:
                    return read_plan(self.store.files, snapshot)
                except StoreError:
                    continue  # `verify` names this damage
        return None

    @cached_property
    def catalogue(self) -> Mapping[str, Any]:
        """What the newest snapshot of the whole org knows of the org's objects; empty: nothing."""
        return dict(self._plan.catalogue) if self._plan else {}

    def objects(self) -> list[ObjectInfo]:
        """The objects of the catalogue."""
        listed = self.catalogue.get("objects") or {}
        return [ObjectInfo(name, bool(said[1]), said[0]) for name, said in listed.items()]

    @cached_property
    def drifting(self) -> dict[str, list[str]]:
        """By object, fields that samples found to change while no stamp moves."""
        found = {name: list(fields) for name, fields in self._kept_drifting.items()}
        for job in self._jobs:
            for name, fields in (job.outcome.get("drift") or {}).get("fields", {}).items():
                known = found.setdefault(name, [])
                known += [one for one in fields if one not in known]
        return found

    @property
    def _kept_drifting(self) -> Mapping[str, Any]:
        return dict(self.catalogue.get("drifting") or {})

    @property
    def runs(self) -> int:
        """How many snapshots there are."""
        return len(self.store.files.names("snapshots", folders=True))

    @cached_property
    def _jobs(self) -> list[Job]:
        """The last backups that ended, newest first."""
        done = (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS)
        jobs = [
            job
            for job in self.state.jobs.find(self.store.org_id)
            if job.kind == "backup" and job.state in done
        ]
        return jobs[: -RUNS - 1 : -1]

    @cached_property
    def pace(self) -> dict[str, list[int]]:
        """The pace of today, see ``pace_on``."""
        return self.pace_on(self.today)

    def pace_on(self, today: int | None) -> dict[str, list[int]]:
        """
        Rows of each object that changed in each of the last incremental backups, newest first: in
        those of this day of the week, where there are any.
        """
        pace = {}
        for name, runs in self._touched.items():
            alike = [touched for day, touched in runs if day is not None and day == today]
            pace[name] = alike or [touched for _, touched in runs]
        return pace

    @cached_property
    def _touched(self) -> dict[str, list[tuple[int | None, int]]]:
        """By object: day of the week and changed rows of each backup, newest first."""
        found: dict[str, list[tuple[int | None, int]]] = {}
        for job in self._jobs:
            day = _weekday(job)
            for name, entry in self._entries(job.job_id).items():
                said = entry.outcome
                if said.get("mode") == "incremental":
                    touched = sum(
                        int(said.get(key) or 0) for key in ("added", "changed", "deleted")
                    )
                    # What a refresh brought, another night does not.
                    touched -= int(said.get("refreshed") or 0)
                    found.setdefault(name, []).append((day, max(touched, 0)))
        return found

    @cached_property
    def _ahead(self) -> dict[str, float]:
        """By object, how far the org's clock was ahead of ours at the newest backup that had it."""
        found: dict[str, float] = {}
        for job in self._jobs:
            ahead_s = (job.outcome.get("planned") or {}).get("ahead_s")
            if ahead_s is not None:
                for name in self._entries(job.job_id):
                    found.setdefault(name, float(ahead_s))
        return found

    @cached_property
    def learned(self) -> dict[str, Learned]:
        """By object, what the newest backup that had it found out about how it can be read."""
        found: dict[str, Learned | None] = {}
        for job in self._jobs:
            at = str((job.outcome.get("planned") or {}).get("at") or "")
            for name, entry in self._entries(job.job_id).items():
                if name not in found:
                    found[name] = Learned.of(entry, at)
        return {name: known for name, known in found.items() if known is not None}

    @property
    def metadata(self) -> list[Mapping[str, Any]]:
        """What the backups of this org said of their metadata, oldest first."""
        jobs = self.state.jobs.find(self.store.org_id)
        return [job.outcome.get("metadata") or {} for job in jobs]

    @property
    def counted(self) -> dict[str, int | None]:
        """The org's statistic of each object's records when the newest older snapshot was planned."""
        objects = self._plan.objects if self._plan else {}
        return {name: planned.get("record_count") for name, planned in objects.items()}

    def _entries(self, job_id: str) -> dict[str, JobObject]:
        if job_id not in self._of_job:
            self._of_job[job_id] = self.state.jobs.objects(job_id)
        return self._of_job[job_id]

    @cached_property
    def spent_in_full(self) -> dict[str, int]:
        """Calls of each object in the newest of the last backups that read it in full."""
        found: dict[str, int] = {}
        for job in self._jobs:
            for name, entry in self._entries(job.job_id).items():
                if entry.outcome.get("mode") == "full" and entry.calls:
                    found.setdefault(name, entry.calls)
        return found

    def learned_calls(self, kind: str, objects: Sequence[str] | None) -> float:
        """
        What the last backups of this kind and of these objects have spent on objects beyond their
        plan: the median.
        """
        wanted = None if objects is None else sorted(objects)
        found: list[float] = []
        for job in self._jobs:
            planned = job.outcome.get("planned") or {}
            of = None if job.objects is None else sorted(job.objects)
            if planned.get("kind") == kind and of == wanted and len(found) < TAUGHT_BY:
                spent = sum(entry.calls for entry in self._entries(job.job_id).values())
                found.append(spent - float(planned["calls"]))
        if len(found) < TAUGHT_BY:  # one strange night teaches nothing
            return min(found, key=abs, default=0.0)
        return median(found)


def _weekday(job: Job) -> int | None:
    """The org's day of the week when a backup was planned; None: not known."""
    at = (job.outcome.get("planned") or {}).get("at")
    return datetime.fromisoformat(at).weekday() if at else None


def catalogue_json(
    infos: Iterable[ObjectInfo], *, asked_at: str, modified: str, knows_304: bool
) -> dict[str, Any]:
    """What a snapshot's plan keeps of the org's objects."""
    return {
        "asked_at": asked_at,
        "last_modified": modified,
        "knows_304": knows_304,
        "objects": {info.name: [info.prefix, info.is_queryable] for info in infos},
    }
