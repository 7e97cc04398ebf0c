"""Why a paused job resumed, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sfnb.quota.policy import UNITS
from sfnb.state.audit import AuditEntry

USAGE_FELL = "usage is below the limit again"


def reason_of(entries: Iterable[AuditEntry], api: str, paused_at: datetime) -> str:
    """
    Who raised the limit of this budget since the job paused, from what to what; else that usage
    fell.

    Args:
        entries: the org's audit log, oldest first.
    """
    changes = [
        entry
        for entry in entries
        if entry.api in (api, "all") and datetime.fromisoformat(entry.at) >= paused_at
    ]
    if not changes or changes[-1].new <= changes[0].old:
        return USAGE_FELL
    first, last = changes[0], changes[-1]
    unit = UNITS[api]  # type: ignore[index]
    return f"{last.who} raised the limit for {unit} from {first.old} % to {last.new} %"
