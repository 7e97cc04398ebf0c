"""Prunes an org under its holds, and says so in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import tzinfo

from sfnb.clock import Clock
from sfnb.holds.book import held_by
from sfnb.holds.question import holds_of
from sfnb.memory import State
from sfnb.model import JobState
from sfnb.store.pruning.keep import KeepPolicy
from sfnb.store.pruning.plan import plan_prune
from sfnb.store.pruning.run import Prune, Pruned
from sfnb.store.tables import OrgStore


def prune(
    state: State,
    store: OrgStore,
    policy: KeepPolicy,
    clock: Clock,
    *,
    org: str,
    zone: tzinfo,
    is_dry: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Pruned:
    """
    Remove the snapshots of an org that a policy does not keep and no hold protects.

    Args:
        zone: whose days, weeks, months and years are meant.
        is_dry: say what that would free.

    Raises:
        CallerError: a hold's condition can no longer be asked, or another process prunes.
        StoreError: the store is damaged, or the disk is full. What was pruned so far is good.
    """
    holds = holds_of(state, store)

    def held(snapshots: Collection[str]) -> dict[str, str]:
        return {name: held_by(hold) for name, hold in holds.snapshots(snapshots).items()}

    plan = plan_prune(store.files, policy, zone=zone, held=held)
    is_quiet = not any(
        job.is_held and job.state is JobState.RUNNING for job in state.jobs.find(store.org_id)
    )
    pruning = Prune(store.files, plan, clock, is_quiet=is_quiet)
    if is_dry:
        return pruning.estimate(tell)
    details = {"keep": str(policy), "removed": list(plan.removed), "held": list(plan.held)}
    state.audit.record(
        "prune", "started", org=org, org_id=store.org_id, subject=store.org_id, details=details
    )
    done = pruning.run(tell)
    freed = {"bytes_before": done.bytes_before, "bytes_after": done.bytes_after}
    state.audit.record(
        "prune", "completed", org=org, org_id=store.org_id, subject=store.org_id, details=freed
    )
    return done
