"""Two jobs may not work on one object of an org at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from sfnb.errors import CallerError
from sfnb.model import JobState
from sfnb.state import lease, schema


def refuse_overlap(
    connection: Connection,
    org: str,
    org_id: str,
    objects: Iterable[str] | None,
    now: datetime,
    *,
    except_job: str | None = None,
) -> None:
    """
    Refuse a job whose objects a live job of the org works on: both would spend, and write one
    table.

    Raises:
        CallerError: with the job and the objects in its way.
    """
    table = schema.jobs
    ended = [state.value for state in JobState if state.is_final]
    query = select(table).where(
        table.c.org_id == org_id, table.c.state.not_in(ended), table.c.lease_token.is_not(None)
    )
    for row in connection.execute(query).all():
        if row.job_id == except_job or lease.holder(row, now) is None:
            continue
        if objects is None or row.objects is None:
            common = list(objects or row.objects or [])
        else:
            # Names of objects have no case in Salesforce.
            theirs = {name.lower() for name in row.objects}
            common = [name for name in objects if name.lower() in theirs]
            if not common:
                continue
        doing = {"backup": "backing up", "restore": "restoring", "archive": "archiving"}.get(
            row.kind, "working on"
        )
        raise CallerError(
            f"org {org}: job {row.job_id} is already {doing} {_some(common)}; "
            "wait for it, pause or cancel it, or choose other objects."
        )


def _some(names: list[str]) -> str:
    if not names:
        return "all objects"
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
