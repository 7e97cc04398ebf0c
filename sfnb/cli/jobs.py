"""`sfnb jobs`, `sfnb pause`, `sfnb cancel`: what runs, what waits, and how to stop it."""

from __future__ import annotations

from typing import Any

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.output import as_json_option, number, print_json, print_table
from sfnb.errors import CallerError
from sfnb.jobs.summary import job_summary


@click.command()
@click.argument("name", required=False)
@as_json_option
@pass_app
def jobs(app: App, name: str | None, as_json: bool) -> None:
    """List all jobs, oldest first; with NAME, those of one org."""
    found = app.state.jobs.find(name)
    summaries = [job_summary(app.state, job.job_id) for job in found]
    if as_json:
        print_json(summaries)
    elif not found:
        click.echo("There are no jobs yet. Start one with `sfnb backup NAME`.")
    else:
        heads = ("JOB", "KIND", "ORG", "STARTED", "CALLS", "ROWS", "STATE")
        print_table(heads, map(_row, summaries, [job.is_held for job in found]), right=(4, 5))


def _row(summary: dict[str, Any], is_held: bool) -> tuple[str, ...]:
    state = summary["state"]
    if state == "running" and not is_held:
        state = f"{state} (stopped; `sfnb resume {summary['job_id']}`)"
    return (
        summary["job_id"],
        summary["kind"],
        summary["org"],
        summary["started_at"][:19] + "Z",
        number(summary["calls"]["api"]),
        number(summary["rows"]),
        state,
    )


@click.command()
@click.argument("job")
@pass_app
def pause(app: App, job: str) -> None:
    """Pause a running job; `sfnb resume JOB` continues it. JOB may be the start of an id."""
    found = app.state.jobs.get(app.job_id(job))
    if found.state.is_final:
        raise CallerError(
            f"Job {found.job_id} has already ended ({found.state}); there is nothing to pause."
        )
    if not found.is_held:
        click.echo(
            f"Job {found.job_id} is not running. Resume it with `sfnb resume {found.job_id}`."
        )
        return
    app.state.jobs.want(found.job_id, "pause")
    click.echo(f"Job {found.job_id} pauses as soon as its calls in flight have returned.")


@click.command()
@click.argument("job")
@pass_app
def cancel(app: App, job: str) -> None:
    """End a job for good. Its snapshot stays readable. JOB may be the start of an id."""
    found = app.state.jobs.get(app.job_id(job))
    if found.state.is_final:
        raise CallerError(
            f"Job {found.job_id} has already ended ({found.state}); there is nothing to cancel."
        )
    after = app.state.jobs.cancel(found.job_id)
    if after.state.is_final:
        click.echo(f"Job {found.job_id} is {after.state}.")
    else:
        click.echo(f"Job {found.job_id} ends as soon as its calls in flight have returned.")


COMMANDS: list[click.Command] = [jobs, pause, cancel]
