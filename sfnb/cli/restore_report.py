"""What `sfnb restore` prints: the plan of a dry run, and a job's outcome."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sfnb.cli.output import Unbroken, print_json, print_table, say
from sfnb.cli.running import COLOURS
from sfnb.jobs.summary import warning_lines
from sfnb.text import count

if TYPE_CHECKING:
    from sfnb.restore.starting import RestoreEstimate

ACTIONS = ("create", "update", "undelete", "skip", "refuse")
SHOWN_REFUSALS = 20


def report(summary: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the outcome. The job is over: its exit code does not depend on who reads this."""
    printing = Unbroken(sys.stdout)
    printing(lambda: print_json(summary) if as_json else print_summary(summary))


def print_plan(estimate: RestoreEstimate) -> None:
    """A dry run for people."""
    plan = estimate.plan
    rows = [
        (name, *(f"{getattr(counts, action):,}" for action in ACTIONS))
        for name, counts in sorted(plan.objects.items())
    ]
    print_table(("OBJECT", *map(str.upper, ACTIONS)), rows, right=(1, 2, 3, 4, 5))
    for refusal in plan.refusals[:SHOWN_REFUSALS]:
        where = f"{refusal.object_name}{'.' + refusal.field if refusal.field else ''}"
        rows_said = f", {count(refusal.rows, 'record')}" if refusal.rows else ""
        say(f"Refused: {where}: {refusal.message or refusal.reason}{rows_said}", colour="yellow")
    if (more := len(plan.refusals) - SHOWN_REFUSALS) > 0:
        say(f"and {count(more, 'more refusal')}", colour="yellow")
    for warning in plan.warnings:
        say(f"Warning: {warning.text}", colour="yellow")
    for name, fields in sorted(plan.not_written.items()):
        say(f"Not written in {name}: {', '.join(sorted(fields))}")
    active = [one for one in plan.automation if one.is_active]
    if active:
        say(
            f"Active on these objects: {len(active):,} triggers, flows and rules; "
            "--automation off switches them off meanwhile."
        )
    if plan.files:
        say(plan.files_text)
    price = plan.price
    say(f"About {count(price.get('api', 0), 'API call')}, {price.get('bulk', 0):,} Bulk batches.")
    for sentence in estimate.pauses or ["It fits under the current limits; no pause expected."]:
        say(sentence)
    if plan.is_stopped:
        say("Records have changed since: with --on-conflict fail nothing would be written.")


def print_summary(summary: Mapping[str, Any]) -> None:
    """A restore's outcome for people."""
    state = summary["state"]
    for warning in warning_lines(summary):
        say(f"  Warning: {warning}", colour="yellow")
    found = summary.get("restored") or {}
    parts = [f"{found.get(key, 0):,} {key}" for key in ("undeleted", "updated", "created")]
    say(
        f"Job {summary['job_id']} {state.replace('_', ' ')}: {', '.join(parts)}, "
        f"{found.get('skipped', 0):,} left as they are, {found.get('refused', 0):,} refused; "
        f"{count(summary['calls']['api'], 'API call')}.",
        colour=COLOURS.get(state, "yellow"),
    )
    if summary.get("rejects"):
        say(f"Refused rows: {summary['rejects']}; mend it and give it with --from-rejects.")
    if summary.get("id_map"):
        say(f"New Ids: {summary['id_map']}")
    if state == "paused":
        say(f"Resume with `sfnb resume {summary['job_id']}`.")
