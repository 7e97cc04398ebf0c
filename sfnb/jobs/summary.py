"""A job as JSON: the contract that other programs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sfnb.jobs import states
from sfnb.memory import State
from sfnb.model import JobWarning
from sfnb.state.job_values import Job
from sfnb.text import count, records


def job_summary(state: State, job_id: str) -> dict[str, Any]:
    """
    The job's JSON summary; moments are ISO 8601 UTC with ``Z``.

    Keys: ``job_id, kind, org, org_id, state, interrupted, snapshot, started_at, ended_at, calls {api, bulk,
    bulk2, bulk2_mb}, rows, error, objects {name: {state, rows, calls, message, mode, added, changed,
    deleted, org_count, our_count, ids_match}}, schema [{object, field, change, old, new}], warnings
    [{code, object, message}], pauses [{api, at, resumed_at, used, max, reason}]``.
    """
    job = state.jobs.get(job_id)
    objects = state.jobs.objects(job_id)
    return {
        "job_id": job.job_id,
        "kind": job.kind,
        "org": job.org,
        "org_id": job.org_id,
        "state": job.state.value,
        "interrupted": states.is_interrupted(job.state, is_held=job.is_held),
        "snapshot": job.snapshot,
        "started_at": iso(job.started_at),
        "ended_at": iso(job.ended_at),
        "calls": state.usage.job_calls(job_id),
        "rows": sum(entry.rows for entry in objects.values()) if objects else job.rows,
        "error": job.error,
        "objects": {
            name: {
                "state": str(entry.state),
                "rows": entry.rows,
                "calls": entry.calls,
                "message": entry.message,
                **entry.outcome,
            }
            for name, entry in objects.items()
        },
        "schema": [],
        "warnings": [],
        **job.outcome,
        "pauses": [
            {
                "api": pause.api,
                "at": iso(pause.at),
                "resumed_at": iso(pause.resumed_at),
                "used": pause.used,
                "max": pause.maximum,
                "reason": pause.reason,
            }
            for pause in state.jobs.pauses(job_id)
        ],
    }


def job_warnings(job: Job) -> list[JobWarning]:
    """What the job warned of."""
    return [JobWarning.of(one) for one in job.outcome.get("warnings") or ()]


@dataclass(frozen=True, slots=True)
class Counts:
    """
    A job's numbers as people read them, the same in every front end.

    Args:
        complete, objects: of the objects that can be queried; those left out are in neither.
        records: all that are stored, those in the recycle bin included.
        in_bin: how many of them are in the recycle bin.
    """

    complete: int
    objects: int
    records: int
    in_bin: int


def counts_of(summary: Mapping[str, Any]) -> Counts:
    """The numbers of a summary."""
    entries = [one for one in summary["objects"].values() if not one.get("left_out")]
    rows = sum(one["rows"] for one in entries)
    # Rows are live records; `our_count` has those in the recycle bin, too.
    total = sum(max(one["rows"], one.get("our_count") or 0) for one in entries)
    complete = sum(one["state"] == "complete" for one in entries)
    return Counts(complete, len(entries), total, total - rows)


CHANGES = ("added", "changed", "deleted")
"""What a backup counts of each object against the one before."""


def change_lines(summary: Mapping[str, Any]) -> list[str]:
    """
    What changed since the last backup, and what came with the records; empty: nothing to say.
    """
    entries = [one for one in summary["objects"].values() if one.get("mode") == "incremental"]
    said = []
    if entries:
        added, changed, deleted = (sum(one.get(key) or 0 for one in entries) for key in CHANGES)
        same = sum(not any(one.get(key) for key in CHANGES) for one in entries)
        said.append(
            f"Since the last backup: {added:,} records added, {changed:,} changed, {deleted:,} "
            f"deleted; {count(same, 'object')} unchanged."
        )
    if (files := summary.get("files")) and files.get("known"):
        missing = f", {files['missing']:,} missing" if files.get("missing") else ""
        said.append(
            f"Files: {files['known']:,} known, {files['fetched']:,} fetched now "
            f"({files['bytes'] / 1e6:,.1f} MB){missing}."
        )
    if (metadata := summary.get("metadata")) and metadata.get("components"):
        state = "unchanged" if metadata.get("unchanged") else "read"
        said.append(f"Metadata: {count(metadata['components'], 'component')}, {state}.")
    return said


def schema_lines(summary: Mapping[str, Any]) -> list[str]:
    """The changes of objects and fields, a line each."""
    return [
        f"  Schema: {one['object']}{'.' + one['field'] if one.get('field') else ''}: "
        f"{str(one['change']).replace('_', ' ')}"
        for one in summary.get("schema") or ()
    ]


def records_held(state: State, job: Job) -> int:
    """What the job has stored so far, those in the recycle bin included."""
    if job.state.is_final:
        return job.rows + int(job.outcome.get("in_bin") or 0)
    return sum(found.rows for found in state.jobs.objects(job.job_id).values())


def job_records(job: Job) -> str:
    """The records of an ended job, in words."""
    in_bin = int(job.outcome.get("in_bin") or 0)
    return records(job.rows + in_bin, in_bin)


SHOWN_WARNINGS = 10


def warning_lines(summary: Mapping[str, Any]) -> list[str]:
    """The warnings of a summary for people: the first ten, then how many more."""
    lines = [JobWarning.of(one).text for one in summary.get("warnings") or ()]
    more = len(lines) - SHOWN_WARNINGS
    return lines[:SHOWN_WARNINGS] + ([f"and {more:,} more"] if more > 0 else [])


def iso(moment_at: datetime | None) -> str | None:
    """``2026-11-22T04:38:12.123Z``; None stays None."""
    if moment_at is None:
        return None
    return moment_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
