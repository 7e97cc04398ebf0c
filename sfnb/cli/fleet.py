"""`sfnb fleet`: all orgs beside each other, the worst first, without a call to any of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.text import count, moment, percent, span

if TYPE_CHECKING:
    from sfnb.fleet import FleetOrg


@click.command()
@as_json_option
@pass_app
def fleet(app: App, as_json: bool) -> None:
    """
    Show all orgs, the worst first: use, last good backup, failures, damage, running jobs.

    From what is stored: no call to an org. `sfnb usage sample` on a schedule keeps use up to date,
    `sfnb verify` looks for damage.
    """
    from sfnb.fleet import fleet_of

    now = app.clock.now()
    orgs = fleet_of(app.installation)
    if as_json:
        print_json([org_json(org, now) for org in orgs])
    elif not orgs:
        say("No org is registered yet. Add one with `sfnb org add NAME …`, or `sfnb demo start`.")
    else:
        heads = ("ORG", "USE", "LIMIT", "LAST GOOD", "AGE", "NEXT PAUSE", "JOBS", "WHAT IS WRONG")
        print_table(heads, [_row(org, now) for org in orgs], right=(1, 2))


def org_json(org: FleetOrg, now: datetime) -> dict[str, Any]:
    """
    One org as programs read it: ``org, org_id, level, worries [{level, text}], use {used, max,
    used_pct, limit_pct, threshold, read_at, known} (null: never reported), last_good {snapshot, at,
    age_s} (null: none), next_pause_at, failures, last_error, damage, verified_at, jobs [{job_id,
    kind, state, interrupted, started_at}]``. Moments are ISO 8601 UTC; ``level`` is ``fine, notice,
    warning, bad`` or ``damaged``.
    """
    from sfnb.jobs import states
    from sfnb.jobs.summary import iso

    use, good, check = org.use, org.good, org.check
    return {
        "org": org.name,
        "org_id": org.org_id,
        "level": org.level.word,
        "worries": [{"level": one.level.word, "text": one.text} for one in org.worries],
        "use": {
            "used": use.used,
            "max": use.maximum,
            "used_pct": round(100 * use.used / use.maximum, 1),
            "limit_pct": use.limit_percent,
            "threshold": use.threshold,
            "read_at": iso(use.read_at),
            "known": use.is_known,
        }
        if use is not None and use.has_numbers
        else None,
        "last_good": {
            "snapshot": good.snapshot,
            "at": iso(good.started_at),
            "age_s": round(org.age_s(now) or 0),
        }
        if good is not None
        else None,
        "next_pause_at": iso(org.next_pause_at),
        "failures": org.trouble.jobs if org.trouble else 0,
        "last_error": org.trouble.error if org.trouble else None,
        "damage": check.damage if check else None,
        "verified_at": iso(check.at) if check else None,
        "jobs": [
            {
                "job_id": job.job_id,
                "kind": job.kind,
                "state": job.state.value,
                "interrupted": states.is_interrupted(job.state, is_held=job.is_held),
                "started_at": iso(job.started_at),
            }
            for job in org.jobs
        ],
    }


def _row(org: FleetOrg, now: datetime) -> tuple[str, ...]:
    use, good, age_s = org.use, org.good, org.age_s(now)
    has_use = use is not None and use.has_numbers
    return (
        org.name,
        percent(use.used, use.maximum) if use is not None and has_use else "?",
        f"{use.limit_percent} %" if use is not None else "",
        good.snapshot if good is not None else "none",
        span(age_s) if age_s is not None else "",
        moment(org.next_pause_at) if org.next_pause_at is not None else "",
        count(len(org.jobs)) if org.jobs else "",
        org.worries[0].text + (f" (+{len(org.worries) - 1})" if len(org.worries) > 1 else "")
        if org.worries
        else "",
    )


COMMANDS: list[click.Command] = [fleet]
