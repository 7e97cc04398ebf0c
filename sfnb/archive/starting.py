"""Beginning an archive: the plan without a job, the job and its work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sfnb.archive.request import ArchiveRequest
from sfnb.errors import OrgUnavailable, QuotaSignal
from sfnb.model import ARCHIVE

if TYPE_CHECKING:
    from sfnb.archive.folder import Kept
    from sfnb.archive.results import Tally
    from sfnb.archive.work import ArchiveWork
    from sfnb.connection import Connection
    from sfnb.jobs.work import JobContext


@dataclass(frozen=True)
class ArchiveEstimate:
    """
    What an archive would take out of an org: nothing is stored and nothing deleted.

    Args:
        emptied: lookups of other records that the org would empty: ``object``, ``field``, ``to``,
            ``records``.
    """

    org: str
    request: ArchiveRequest
    matched: int
    going: Tally
    kept: Sequence[Kept]
    emptied: Sequence[Mapping[str, Any]] = ()

    @property
    def bytes(self) -> Mapping[str, int]:
        """By object, the storage that it would free, as Salesforce counts it."""
        from sfnb.archive.relations import storage_bytes

        rows, files = self.going.rows, self.going.bytes
        return {name: storage_bytes(name, rows[name], files[name]) for name in sorted(rows)}

    def as_json(self) -> dict[str, Any]:
        """What `sfnb archive --dry-run --json` prints."""
        from sfnb.archive.results import plan_json

        return {
            "org": self.org,
            **self.request.as_json(),
            "matched": self.matched,
            **plan_json(self.going, self.kept),
            "lookups_emptied": list(self.emptied),
        }


def plan_archive(org: Connection, request: ArchiveRequest) -> ArchiveEstimate:
    """
    What an archive would take, counted in the org now.

    Cost: as the reading of the job, with Ids alone: 4 API calls, 1 for 2,000 records, and for each
    400 of them 1 for five of the object's relations, again for each level that has records, and 1
    for five of the lookups that would be emptied.

    Raises:
        CallerError: no such object; the org refuses the condition; the user does not see all
            records.
        QuotaSignal: not even these calls fit under the limit now.
    """
    from sfnb.archive.choosing import Choosing, check_condition, groups_of, select
    from sfnb.archive.describes import Describes
    from sfnb.archive.emptied import Emptied
    from sfnb.archive.gathering import Gatherer
    from sfnb.archive.held import HeldRecords
    from sfnb.archive.seeing import sees_all_files
    from sfnb.org.transport import call_context
    from sfnb.store.files import Files

    with TemporaryDirectory(prefix="sfnb-plan-") as place, call_context(kind=ARCHIVE):
        files = Files(Path(place) / "plan")
        sees = sees_all_files(org.client)
        describes = Describes(org.client, with_restricting=request.with_children)
        gatherer = Gatherer(org.client, describes, only_ids=True, sees_all_files=sees)
        schema = describes.root(request.object_name)
        matched = check_condition(org.client, schema, request.where)
        selection = select(gatherer, schema, request, files, "roots")
        choosing = Choosing(gatherer, selection, HeldRecords(org.state, org.store).of)
        emptied = Emptied()
        for group in range(len(groups_of(selection))):
            by_object: dict[str, list[str]] = {}
            for member in choosing.take(group, files, f"read-{group}").new:
                by_object.setdefault(member.object_name, []).append(member.id)
            emptied.add(gatherer.emptied(by_object, files, f"emptied-{group}"))
        choosing.keep_over()
    names = emptied.as_json(choosing.seen)
    return ArchiveEstimate(org.name, request, matched, choosing.going, choosing.kept, names)


def create_job(org: Connection, request: ArchiveRequest) -> str:
    """
    A new job, queued; its id. Cost: 4 API calls.

    Where nobody answers for the org now, or no call may be sent, the job finds out by itself once
    it runs: it pauses until then.

    Raises:
        CallerError: no such object; the org refuses the condition; the user does not see all
            records.
    """
    from dataclasses import replace

    from sfnb.archive.choosing import check_condition
    from sfnb.archive.describes import Describes
    from sfnb.archive.seeing import sees_all_files
    from sfnb.org.transport import call_context
    from sfnb.store.plan import new_snapshot_id

    sees: dict[str, bool] = {}
    with suppress(OrgUnavailable, QuotaSignal), call_context(kind=ARCHIVE):
        sees["sees_all_files"] = sees_all_files(org.client)
        describes = Describes(org.client, with_restricting=False)
        schema = describes.root(request.object_name)
        request = replace(request, object_name=schema.name)
        check_condition(org.client, schema, request.where)
    job = org.state.jobs.create(
        kind=ARCHIVE,
        org=org.name,
        org_id=org.org_id,
        options={**request.as_json(), **sees},
        objects=[request.object_name],
        snapshot=new_snapshot_id(org.clock.now(), max(org.store.archives, default="")),
    )
    return job.job_id


def make_work(org: Connection, context: JobContext) -> ArchiveWork:
    """The work of an archive job of this org."""
    from sfnb.archive.work import ArchiveWork

    return ArchiveWork(context, org.store, org.settings.lost_answer_s)
