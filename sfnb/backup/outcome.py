"""What a finished backup tells people beyond its counts: warnings, those of mass changes first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sfnb.backup.alerts import ChangeLimits, ObjectChanges, mass_changes
from sfnb.backup.object_run import ObjectRun
from sfnb.model import JobWarning

HIDDEN = {
    "field_hidden": "The field {field} is gone or hidden from this user. Older snapshots keep its values.",
    "object_hidden": "The object is gone or hidden from this user. Older snapshots keep its records.",
}
"""Changes of the schema that are warnings, too: describe cannot tell a removed field from a hidden one."""


def job_warnings_of(
    runs: Iterable[ObjectRun],
    schema: Sequence[Mapping[str, Any]],
    before: Mapping[str, int],
    limits: ChangeLimits,
    archived: Mapping[str, int] | None = None,
) -> list[JobWarning]:
    """
    The warnings of a backup.

    Args:
        schema: changes of the schema, see `SchemaChange`.
        before: by object, live records of the snapshot before; missing: there is none.
        limits: from which share on a change is a mass change.
        archived: by object, records that have left the org by an archive since then: nobody has to
            look after those.
    """
    counts = {
        # What a formula or a new field says now, nobody has changed.
        run.name: ObjectChanges(
            before[run.name],
            run.outcome["changed"] - run.outcome.get("refreshed", 0),
            max(0, run.outcome["deleted"] - (archived or {}).get(run.name, 0)),
        )
        for run in runs
        if run.name in before and "changed" in run.outcome
    }
    found = [JobWarning.of(one) for one in mass_changes(counts, limits)]
    for change in schema:
        if text := HIDDEN.get(str(change["change"])):
            message = text.format(field=change["field"])
            found.append(JobWarning(str(change["change"]), str(change["object"]), message))
    for run in runs:
        found += [JobWarning(code, run.name, text) for code, text in run.warnings.items()]
    return found


def drift_of(runs: Iterable[ObjectRun]) -> dict[str, Any]:
    """What the samples of a backup found: how much was compared, and the fields that drift."""
    sampled = [r for r in runs if r.change is not None and r.change.sampled]
    return {
        "objects": len(sampled),
        "rows": sum(r.change.sampled or 0 for r in sampled if r.change),
        "fields": {
            r.name: list(r.change.drifted) for r in sampled if r.change and r.change.drifted
        },
    }
