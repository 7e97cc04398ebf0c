"""Prunes an org under its holds, and says so in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import tzinfo

from sfnb.clock import Clock
from sfnb.errors import CallerError
from sfnb.holds.book import HoldBook, held_by
from sfnb.holds.question import holds_of
from sfnb.memory import State
from sfnb.model import JobState
from sfnb.state.job_values import Job
from sfnb.store.pruning.keep import KeepPolicy
from sfnb.store.pruning.plan import plan_prune
from sfnb.store.pruning.run import Prune, Pruned
from sfnb.store.tables import OrgStore

AT_WORK = (JobState.QUEUED, JobState.RUNNING)


class Quiet:
    """Says whether no job of an org is at work, nor was at any moment since it was first asked."""

    def __init__(self, state: State, org_id: str) -> None:
        self._state = state
        self._org_id = org_id
        self._first: list[Job] | None = None

    def __call__(self) -> bool:
        now = self._state.jobs.find(self._org_id)
        if self._first is None:
            self._first = now
        return now == self._first and not any(j.is_held and j.state in AT_WORK for j in now)


def prune(
    state: State,
    store: OrgStore,
    policy: KeepPolicy,
    clock: Clock,
    *,
    org: str,
    zone: tzinfo,
    is_dry: bool = False,
    is_grouped: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> Pruned:
    """
    Remove the snapshots of an org that a policy does not keep and no hold protects.

    Args:
        zone: whose days, weeks, months and years are meant.
        is_dry: say what that would free.
        is_grouped: see ``plan_prune``.

    Raises:
        CallerError: a hold's condition can no longer be asked, or another process prunes.
        StoreError: the store is damaged, or the disk is full. What was pruned so far is good.
    """
    book = HoldBook(state.database)
    listed = book.holds(store.org_id)
    holds = holds_of(state, store)

    def held(snapshots: Collection[str]) -> dict[str, str]:
        return {name: held_by(hold) for name, hold in holds.snapshots(snapshots).items()}

    plan = plan_prune(store.files, policy, zone=zone, held=held, is_grouped=is_grouped)
    pruning = Prune(store.files, plan, clock, is_quiet=Quiet(state, store.org_id))
    if is_dry:
        return pruning.estimate(tell)
    keep = str(policy) if is_grouped else f"{policy}, ungrouped"
    details = {"keep": keep, "removed": list(plan.removed), "held": list(plan.held)}
    state.audit.record(
        "prune", "started", org=org, org_id=store.org_id, subject=store.org_id, details=details
    )

    def look_again() -> None:
        if book.holds(store.org_id) != listed:
            raise CallerError(
                "a hold was added or removed while the prune was planned, so nothing was removed. "
                "Run it again."
            )

    done = pruning.run(tell, look_again=look_again)
    freed = {"bytes_before": done.bytes_before, "bytes_after": done.bytes_after}
    state.audit.record(
        "prune", "completed", org=org, org_id=store.org_id, subject=store.org_id, details=freed
    )
    return done
