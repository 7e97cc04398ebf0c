"""A plan with what runs by itself on its objects, and what the restore's last steps cost."""

from __future__ import annotations

import threading
from dataclasses import replace

from sfnb.model import JobWarning, Price
from sfnb.org.client import OrgClient
from sfnb.org.transport import call_context
from sfnb.restore.automation.listing import Early, Found, fetch_automation
from sfnb.restore.automation.switching import switching_calls
from sfnb.restore.plan import RestorePlan
from sfnb.restore.proof import proof_calls

FEW_RECORDS = 200
"""
Down to here the list is made with two calls: what workflow rules and processes say of themselves
takes a third.
"""

ACTIVE_KINDS = ("trigger", "validation_rule", "flow", "workflow_rule")


def written_objects(plan: RestorePlan) -> list[str]:
    """The objects of which the restore writes records."""
    return [name for name, counts in plan.objects.items() if counts.written]


def with_automation(
    plan: RestorePlan,
    client: OrgClient,
    *,
    job_id: str = "",
    stop: threading.Event | None = None,
    early: Early | None = None,
) -> RestorePlan:
    """
    The plan with its automation, warnings of it, and the price of switching it and of the proof.

    Cost: see ``fetch_automation``; nothing for a plan that writes nothing.
    """
    names = written_objects(plan)
    if not names or plan.is_stopped:
        return plan
    is_off = plan.options.get("automation") == "off"
    is_thorough = is_off or plan.counts.written > FEW_RECORDS
    calls = 0

    def on_call(price: Price) -> None:
        nonlocal calls
        calls += price.get("api", 0)

    with call_context(job_id=job_id, stop=stop, on_call=on_call):
        found = fetch_automation(client, names, is_thorough=is_thorough, early=early)
    price = dict(plan.price)
    price["api"] = price.get("api", 0) + proof_calls({n: plan.objects[n].written for n in names})
    price["api"] += switching_calls(found) if is_off else 0
    return replace(
        plan,
        automation=tuple(item.as_plan() for item in found.items),
        warnings=(*plan.warnings, *_warnings(found, is_off=is_off)),
        price=price,
        preparation_calls=plan.preparation_calls + calls,
    )


def _warnings(found: Found, *, is_off: bool) -> list[JobWarning]:
    warnings = [JobWarning("automation_not_listed", "", sentence) for sentence in found.unread]
    active: dict[str, int] = {}
    for item in found.items:
        if item.is_active and item.kind in ACTIVE_KINDS:
            active[item.object_name] = active.get(item.object_name, 0) + 1
    for name, count in active.items():
        what = (
            f"{count} triggers, rules and flows are" if count > 1 else "1 trigger, rule or flow is"
        )
        then = (
            "The restore switches off what it can."
            if is_off
            else "They may change or refuse what is restored, and send e-mails; "
            "--automation off switches them off for the restore."
        )
        warnings.append(JobWarning("automation_active", name, f"{what} active on {name}. {then}"))
    return warnings
