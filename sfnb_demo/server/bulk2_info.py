"""What query and ingest jobs of Bulk API 2.0 say of themselves alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

from sfnb_demo.server.clock import rest_time


class Job(Protocol):
    """
    A job of either kind.

    Args:
        made_s, changed_s: seconds since 1970, on the org's clock.
    """

    job_id: str
    operation: str
    made_s: float
    changed_s: float
    version: str
    line_ending: str
    delimiter: str


def job_info(job: Job, state: str, *, object_name: str, user_id: str) -> dict[str, Any]:
    """A new job as JSON; ``apiVersion`` is a number."""
    return {
        "id": job.job_id,
        "operation": job.operation,
        "object": object_name,
        "createdById": user_id,
        "createdDate": rest_time(datetime.fromtimestamp(job.made_s, UTC)),
        "systemModstamp": rest_time(datetime.fromtimestamp(job.changed_s, UTC)),
        "state": state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": float(job.version),
        "lineEnding": job.line_ending,
        "columnDelimiter": job.delimiter,
    }
