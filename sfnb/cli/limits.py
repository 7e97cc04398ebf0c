"""`sfnb limit`, `sfnb audit`, `sfnb jobs`, `sfnb pause`, `sfnb cancel`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from sfnb.cli.context import App, pass_app
from sfnb.errors import CallerError
from sfnb.jobs.summary import iso, job_summary
from sfnb.model import APIS, Api, BudgetStatus
from sfnb.quota.gate import Gate

DAMAGED = 1

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


# A percent such as -5 is to be refused as a percent, not as an option nobody knows.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("percent", required=False)
@click.option("--api", type=click.Choice(APIS), help="Only this budget; otherwise all four.")
@click.option("--reason", default="", help="Why; kept in the audit log.")
@as_json_option
@pass_app
def limit(  # noqa: PLR0917 — click gives them by name
    app: App, name: str, percent: str | None, api: Api | None, reason: str, as_json: bool
) -> None:
    """
    Show org NAME's limits, or set them to PERCENT (1 to 100).

    Jobs stop sending when the whole org's use, other apps included, reaches this share of the maximum.
    """
    if percent is not None:
        value = parse_percent(percent)
        org_id = app.org_id(name)
        percents = value if api is None else {api: value}
        app.state.ledger.set_limits(org_id, percents, reason=reason, org=name)
    else:
        org_id = app.org_id(name)
    standings = Gate(app.state.ledger, org_id, clock=app.clock).standing()
    shown = [standings[one] for one in APIS if api in (None, one)]
    if as_json:
        click.echo(
            json.dumps(
                {"org": name, "org_id": org_id, "limits": [_standing_json(here) for here in shown]},
                indent=2,
            )
        )
    else:
        click.echo(_table(LIMIT_HEADER, [_standing_row(here) for here in shown]))


def parse_percent(text: str) -> int:
    """
    The limit percent in a text.

    Raises:
        CallerError: it is no whole number from 1 to 100.
    """
    # Only the digits people type: int() would also take "5_0" or other scripts' digits.
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise CallerError(
            f"The limit must be a whole percent from 1 to 100, not {text!r}; as in `sfnb limit NAME 60`."
        )
    return int(text)


LIMIT_HEADER = ("API", "LIMIT %", "USED", "MAX", "THRESHOLD", "IN FLIGHT", "LAST READ")


def _standing_row(here: BudgetStatus) -> tuple[str, ...]:
    told = [
        _number(here.used) + ("" if here.is_known or here.used < 0 else "?"),
        _number(here.maximum),
    ]
    return (
        here.api,
        str(here.limit_percent),
        *told,
        _number(here.threshold),
        _number(here.in_flight),
        iso(here.read_at) or "never",
    )


def _standing_json(here: BudgetStatus) -> dict[str, Any]:
    return {
        "api": here.api,
        "percent": here.limit_percent,
        "used": _told(here.used),
        "max": _told(here.maximum),
        "threshold": _told(here.threshold),
        "lower_mark": _told(here.lower_mark),
        "in_flight": here.in_flight,
        "read_at": iso(here.read_at),
        "is_known": here.is_known,
    }


@click.command()
@click.argument("name", required=False)
@as_json_option
@pass_app
def audit(app: App, name: str | None, as_json: bool) -> int:
    """
    Who changed which limit when, from what to what, why; of org NAME or of all.

    `sfnb audit verify` checks the log instead, and exits 1 if a line was changed, is missing or was put in.
    """
    if name == "verify":
        return _verify(app, as_json)
    entries = app.state.audit.entries(name)
    if name is not None and not entries and name not in app.org_names:
        raise CallerError(
            f"There is no org {name!r}, and the audit log knows none; `sfnb org list` shows them."
        )
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=2, ensure_ascii=False))
    elif not entries:
        click.echo("No limit has been changed yet.")
    else:
        rows = [
            (
                str(e.seq),
                e.at[:19] + "Z",
                e.org or e.org_id,
                e.api,
                e.who,
                f"{e.old} % → {e.new} %",
                e.reason,
            )
            for e in entries
        ]
        click.echo(_table(("LINE", "AT", "ORG", "API", "WHO", "LIMIT", "REASON"), rows))
    return 0


def _verify(app: App, as_json: bool) -> int:
    findings = app.state.audit.verify()
    seq, digest = app.state.audit.head()
    if as_json:
        click.echo(
            json.dumps(
                {"is_good": not findings, "findings": findings, "lines": seq, "head": digest},
                indent=2,
            )
        )
    elif findings:
        for finding in findings:
            click.echo(finding)
        click.echo(
            "The audit log was tampered with or damaged; compare it with a backup of the state database."
        )
    else:
        # The head is for people to note elsewhere: see the page of state/audit.py.
        click.echo(f"The audit log is good: {seq} line{'' if seq == 1 else 's'}, head {digest}.")
    return DAMAGED if findings else 0


@click.command()
@click.argument("name", required=False)
@as_json_option
@pass_app
def jobs(app: App, name: str | None, as_json: bool) -> None:
    """All jobs, oldest first; or those of org NAME."""
    found = app.state.jobs.find(name)
    if as_json:
        click.echo(
            json.dumps(
                [job_summary(app.state, job.job_id) for job in found], indent=2, ensure_ascii=False
            )
        )
        return
    if not found:
        click.echo("There are no jobs yet; `sfnb backup NAME` starts one.")
        return
    rows = []
    for job in found:
        told = job_summary(app.state, job.job_id)
        is_lost = job.state == "running" and not job.is_held
        state = f"{job.state} (stopped; `sfnb resume {job.job_id}`)" if is_lost else str(job.state)
        calls = _number(told["calls"]["api"])
        rows.append(
            (
                job.job_id,
                job.kind,
                job.org,
                told["started_at"][:19] + "Z",
                calls,
                _number(told["rows"]),
                state,
            )
        )
    click.echo(_table(("JOB", "KIND", "ORG", "STARTED", "CALLS", "ROWS", "STATE"), rows))


@click.command()
@click.argument("job")
@pass_app
def pause(app: App, job: str) -> None:
    """Ask a running job to pause; `sfnb resume JOB` goes on with it. JOB may be the start of an id."""
    found = app.state.jobs.get(app.job_id(job))
    if found.state.is_final:
        raise CallerError(
            f"Job {found.job_id} has already ended ({found.state}); there is nothing to pause."
        )
    if not found.is_held:
        click.echo(
            f"Job {found.job_id} is not running; `sfnb resume {found.job_id}` would go on with it."
        )
        return
    app.state.jobs.want(found.job_id, "pause")
    click.echo(f"Job {found.job_id} pauses as soon as the calls under way have come back.")


@click.command()
@click.argument("job")
@pass_app
def cancel(app: App, job: str) -> None:
    """End a job for good; what it has stored can be read. JOB may be the start of an id."""
    found = app.state.jobs.get(app.job_id(job))
    if found.state.is_final:
        raise CallerError(
            f"Job {found.job_id} has already ended ({found.state}); there is nothing to cancel."
        )
    after = app.state.jobs.cancel(found.job_id)
    if after.state.is_final:
        click.echo(f"Job {found.job_id} is {after.state}.")
    else:
        click.echo(f"Job {found.job_id} ends as soon as the calls under way have come back.")


def _told(number: int) -> int | None:
    return None if number < 0 else number


def _number(number: int) -> str:
    return "unknown" if number < 0 else f"{number:,}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in (header, *rows)
    ]
    return "\n".join(line.rstrip() for line in lines)


COMMANDS: list[click.Command] = [limit, audit, jobs, pause, cancel]
