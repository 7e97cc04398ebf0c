"""`sfnb jobs`, `sfnb pause`, `sfnb cancel`: what runs, what waits, and how to stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.names import JOB, ORG
from sfnb.cli.output import as_json_option, number, print_json, print_table, say
from sfnb.jobs import states
from sfnb.jobs.summary import counts_of, job_summary

if TYPE_CHECKING:
    from sfnb.jobs.control import Answer


@click.command()
@click.argument("name", required=False, type=ORG)
@as_json_option
@pass_app
def jobs(app: App, name: str | None, as_json: bool) -> None:
    """List all jobs, oldest first; with NAME, those of one org."""
    found = app.state.jobs.find(name)
    summaries = [job_summary(app.state, job.job_id) for job in found]
    if as_json:
        print_json(summaries)
    elif not found and name is not None and name not in app.org_names:
        say(
            f"No job is of {name!r}, and no such org is registered; `sfnb org list` shows the orgs."
        )
    elif not found:
        say("There are no jobs yet. Start one with `sfnb backup NAME`.")
    else:
        heads = ("JOB", "KIND", "ORG", "STARTED", "CALLS", "RECORDS", "STATE")
        print_table(heads, map(_row, summaries), right=(4, 5))


def _row(summary: dict[str, Any]) -> tuple[str, ...]:
    state = states.shown_of(summary)
    if state == states.INTERRUPTED:
        state = f"{state} (continue with `sfnb resume {summary['job_id']}`)"
    return (
        summary["job_id"],
        summary["kind"],
        summary["org"],
        summary["started_at"][:19] + "Z",
        number(summary["calls"]["api"]),
        number(counts_of(summary).records),
        state,
    )


@click.command()
@click.argument("job", type=JOB)
@as_json_option
@pass_app
def pause(app: App, job: str, as_json: bool) -> None:
    """Pause a running job; `sfnb resume JOB` continues it. JOB may be the start of an id."""
    _answer(app, app.control.pause(app.job_id(job)), as_json=as_json)


@click.command()
@click.argument("job", type=JOB)
@as_json_option
@pass_app
def cancel(app: App, job: str, as_json: bool) -> None:
    """End a job for good. Its snapshot stays readable. JOB may be the start of an id."""
    _answer(app, app.control.cancel(app.job_id(job)), as_json=as_json)


def _answer(app: App, answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print_json(job_summary(app.state, answer.job.job_id))
    else:
        say(answer.says)


COMMANDS: list[click.Command] = [jobs, pause, cancel]
