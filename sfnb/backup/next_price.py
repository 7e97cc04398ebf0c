"""What the next backup of the same objects will cost, as far as one that ends now can tell. No calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sfnb.backup.files_and_metadata import last_metadata
from sfnb.backup.files_and_metadata_price import with_files, with_metadata
from sfnb.backup.history import History
from sfnb.backup.learned import Learned
from sfnb.backup.metadata.reading import retrieved_at
from sfnb.backup.object_run import ObjectRun, RunState
from sfnb.backup.plan import DESCRIBES_PER_CALL, Facts, Plan, plan_backup
from sfnb.backup.plan_changes import plan_changes
from sfnb.backup.policy import Choice, Known, News, Wishes, choose, describes_wanted
from sfnb.model import ObjectInfo, ObjectSchema, Price
from sfnb.settings import FILE_CALLS, METADATA_DAYS
from sfnb.state.job_values import Job
from sfnb.store.bodies.index import entry_counts
from sfnb.store.settling.base import Base, Bases

A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Preparing:
    """
    What it took to plan a backup.

    Args:
        calls: all of them.
        described: objects that were described, 25 to a call.
        knows_304: the org tells by If-Modified-Since that its schema is unchanged.
    """

    calls: int
    described: int
    knows_304: bool

    @classmethod
    def of(cls, planned: Mapping[str, Any]) -> Preparing:
        """From a job's outcome; of a job that an older release planned, what is usual."""
        return cls(
            int(planned.get("preparing", 4)),
            int(planned.get("described", 0)),
            bool(planned.get("knows_304")),
        )

    def next(self, due: int) -> int:
        """Calls for a plan that describes so many objects."""
        described = ceil(self.described / DESCRIBES_PER_CALL)
        return max(self.calls - described, 1) + ceil(due / DESCRIBES_PER_CALL)


def next_price(
    job: Job, history: History, runs: Sequence[ObjectRun], now: datetime, *, metadata: Any = None
) -> Price:
    """
    The price of a backup with the same objects a day later. The snapshot has to be sealed.

    Args:
        history: of this backup: what was before it.
        metadata: this backup's ``metadata`` outcome; None: it had none.
    """
    at = now + A_DAY
    known = _known(history, runs, at)
    schemas = {run.name: run.schema for run in runs if run.schema.fields}
    counts = {run.name: run.record_count for run in runs}
    choices: dict[str, Choice] = {
        name: choose(schema, known.get(name), at, Wishes(), counts[name])
        for name, schema in schemas.items()
    }
    planned = job.outcome.get("planned") or {}
    plan = plan_backup(_facts(schemas, known, counts), preparation_calls=0, learned=_learned(runs))
    plan = plan_changes(
        plan,
        choices,
        known,
        schemas,
        runs=history.runs + 1,
        spent=history.spent_in_full | _spent(history, job.job_id),
        counted=counts,
    )
    preparing = Preparing.of(planned)
    news: News = "same" if preparing.knows_304 else "unknown"
    names = list(schemas)
    due = names if job.objects else describes_wanted(names, known, news, wishes=Wishes(), now=at)
    plan = replace(
        plan,
        preparation_calls=preparing.next(len(due)),
        learned_calls=history.learned_calls(plan.kind, job.objects),
    )
    return _with_more(plan, job, history, schemas, at, metadata).price()


def _with_more(  # noqa: PLR0917 - what the parts of a price rest on
    plan: Plan,
    job: Job,
    history: History,
    schemas: Mapping[str, ObjectSchema],
    at: datetime,
    metadata: Any,
) -> Plan:
    """The plan with files and metadata, where this backup had them."""
    options = job.options
    if options.get("files", True):
        most = int(options.get("file_calls", FILE_CALLS))
        plan = with_files(plan, schemas, entry_counts(history.store.files), most=most)
    if options.get("metadata"):
        days = float(options.get("metadata_days", METADATA_DAYS))
        earlier = [*history.metadata, metadata or {}]
        last_at = retrieved_at(last_metadata(history.store))
        plan = with_metadata(plan, earlier, last_at, at, days=days)
    return plan


def _facts(
    schemas: Mapping[str, ObjectSchema],
    known: Mapping[str, Known],
    counts: Mapping[str, int | None],
) -> Iterable[Facts]:
    for name, schema in schemas.items():
        here = known.get(name)
        count = counts[name]
        stored = here.rows + here.deleted if here else None
        yield Facts(ObjectInfo(name, is_queryable=True), schema, stored if count is None else count)


def _known(history: History, runs: Iterable[ObjectRun], at: datetime) -> dict[str, Known]:
    """What the store has now, and the pace on that day of the week, this backup included."""
    bases = Bases(history.store.files, "~")
    pace = history.pace_on(at.weekday())
    found = {}
    for run in runs:
        base = bases.get(run.name)
        if base is not None and run.schema.fields:
            touched = [*_touched(run), *pace.get(run.name, ())]
            found[run.name] = _of(base, run, touched, history.drifting.get(run.name, ()))
    return found


def _of(base: Base, run: ObjectRun, touched: Sequence[int], drifting: Sequence[str]) -> Known:
    drifted = run.change.drifted if run.change is not None else ()
    return Known(
        rows=base.rows,
        deleted=base.deleted,
        key=base.key,
        watermark=base.watermark,
        sweep_at=base.sweep_at,
        refreshed_at=base.refreshed_at,
        describe=run.schema.raw,
        touched=touched,
        drifting=tuple(dict.fromkeys((*drifting, *drifted))),
    )


def _learned(runs: Iterable[ObjectRun]) -> dict[str, Learned]:
    """What this backup found out about how its objects can be read."""
    found = {}
    for run in runs:
        if run.state is RunState.LEFT_OUT:
            found[run.name] = Learned(left_out=run.reason)
        elif run.reader in ("locator", "by_parent") and run.outcome.get("mode") == "full":
            found[run.name] = Learned(run.reader, run.parent_field, run.is_single)
    return found


def _touched(run: ObjectRun) -> list[int]:
    """Rows that changed since the backup before; nothing where all were read."""
    said = run.outcome
    if said.get("mode") != "incremental":
        return []
    touched = sum(int(said.get(key) or 0) for key in ("added", "changed", "deleted"))
    return [max(touched - int(said.get("refreshed") or 0), 0)]


def _spent(history: History, job_id: str) -> dict[str, int]:
    """Calls of the objects that this backup has read in full."""
    entries = history.state.jobs.objects(job_id).items()
    return {n: e.calls for n, e in entries if e.outcome.get("mode") == "full" and e.calls}
