"""Why a paused job resumed, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sfnb.model import RESTORE
from sfnb.quota.policy import DEFAULT_LIMIT_PERCENT, UNITS
from sfnb.state.audit import LIMIT, AuditEntry

USAGE_FELL = "usage is below the limit again"


def reason_of(
    entries: Iterable[AuditEntry], api: str, paused_at: datetime, *, kind: str = ""
) -> str:
    """
    Who raised the limit of this budget since the job paused, from what to what; else that usage
    fell.

    Args:
        entries: the org's audit log, oldest first.
        kind: the job's. A restore obeys the limit of restores where there is one.
    """
    changes = [
        change
        for change in _changes(entries, api, kind)
        if datetime.fromisoformat(change.entry.at) >= paused_at
    ]
    if not changes or changes[-1].new <= changes[0].old:
        return USAGE_FELL
    first, last = changes[0], changes[-1]
    whose = "limit of restores" if kind == RESTORE else "limit"
    unit = UNITS[api]  # type: ignore[index]
    return f"{last.entry.who} raised the {whose} for {unit} from {first.old} % to {last.new} %"


@dataclass(frozen=True, slots=True)
class _Change:
    """What a line of the log changed for one kind of work."""

    entry: AuditEntry
    old: int
    new: int


def _changes(entries: Iterable[AuditEntry], api: str, kind: str) -> Iterator[_Change]:
    ordinary, own = DEFAULT_LIMIT_PERCENT, 0
    for entry in entries:
        if entry.kind != LIMIT or entry.api not in (api, "all"):
            continue
        if entry.limit_of not in ("", kind):
            continue
        if entry.limit_of:
            old, own = own or ordinary, entry.new
        else:
            old, ordinary = own or entry.old, entry.new
        new = own or ordinary
        if new != old:
            yield _Change(entry, old, new)
