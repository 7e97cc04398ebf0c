"""`sfnb backup` and `sfnb resume`: run a job, with progress, to its end or to a pause."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from sfnb import engine
from sfnb.cli.context import App, pass_app
from sfnb.cli.names import JOB, ORG
from sfnb.cli.options import dask_option, request_options, run_options
from sfnb.cli.output import Unbroken, as_json_option, print_json, say
from sfnb.cli.running import COLOURS, run_with_progress, stopped_by_signals
from sfnb.engine import EXIT_CODES, RunOptions
from sfnb.errors import CallerError, SfnbError
from sfnb.jobs import states
from sfnb.jobs.summary import change_lines, counts_of, schema_lines, warning_lines
from sfnb.model import ARCHIVE, ERASE, RESTORE, JobState
from sfnb.text import count, records

if TYPE_CHECKING:
    from sfnb.engine import BackupRequest
    from sfnb.jobs.loop import OnPause


@click.command()
@click.argument("name", type=ORG)
@request_options
@run_options
@dask_option
@as_json_option
@pass_app
def backup(  # noqa: PLR0917 - click gives them by name
    app: App,
    name: str,
    request: BackupRequest,
    on_pause: OnPause,
    poll_seconds: float | None,
    workers: int | None,
    dask: str | None,
    as_json: bool,
) -> int:
    """
    Back up an org, pausing at its limit: what changed since the last backup, or everything.

    With --json the summary goes to standard output and progress to standard error. Exit code 75: the
    job is paused; resume it with `sfnb resume`.
    """
    options: RunOptions = {"on_pause": on_pause, "poll_s": poll_seconds, "workers": workers}
    with ExitStack() as opened:
        _run_on(opened, app, dask, options)
        org = opened.enter_context(app.installation.connect(name))
        options["stop"] = opened.enter_context(stopped_by_signals())
        summary = run_with_progress(as_json, partial(engine.run, org, request, **options))
    _report(summary, as_json=as_json)
    return EXIT_CODES[states.shown_of(summary)]


@click.command()
@click.argument("job", required=False, type=JOB)
@click.option("--all", "all_jobs", is_flag=True, help="Every job that is paused or interrupted.")
@run_options
@dask_option
@as_json_option
@pass_app
def resume(  # noqa: PLR0917 - click gives them by name
    app: App,
    job: str | None,
    all_jobs: bool,
    on_pause: OnPause,
    poll_seconds: float | None,
    workers: int | None,
    dask: str | None,
    as_json: bool,
) -> int:
    """
    Resume a paused, failed or interrupted job, in its snapshot.

    JOB may be the start of an id. With --all, --json prints a list of summaries.
    """
    if bool(job) == all_jobs:
        raise CallerError("name a job or give --all; `sfnb jobs` lists them.")
    options: RunOptions = {"on_pause": on_pause, "poll_s": poll_seconds, "workers": workers}
    with ExitStack() as opened:
        _run_on(opened, app, dask, options)
        if not job:
            return _resume_all(app, as_json, options)
        summary = _resume(app, app.job_id(job), as_json, options)
    _report(summary, as_json=as_json)
    return EXIT_CODES.get(states.shown_of(summary), 0)  # 0: it runs in another process


def _run_on(opened: ExitStack, app: App, dask: str | None, options: RunOptions) -> None:
    """Have units run on a Dask cluster, if one is named: found good before the first call."""
    if dask is not None:
        options["executor"] = opened.enter_context(engine.cluster(app.installation, dask))


def _resume_all(app: App, as_json: bool, options: RunOptions) -> int:
    summaries, codes = [], []
    waiting = [one for one in app.state.jobs.find() if not (one.state.is_final or one.is_held)]
    for each in waiting:
        try:
            summary = _resume(app, each.job_id, as_json, options)
        except SfnbError as err:
            # One job that cannot continue does not hold up the others.
            say(f"sfnb: job {each.job_id}: {err}", err=True)
            codes.append(1)
            continue
        summaries.append(summary)
        codes.append(EXIT_CODES.get(states.shown_of(summary), 0))
        if not as_json:
            _report(summary, as_json=False)
    if not waiting:
        say("No job is waiting to be resumed.", err=True)
    if as_json:
        print_json(summaries)
    return next(filter(None, codes), 0)


def _resume(app: App, job_id: str, as_json: bool, options: RunOptions) -> dict[str, Any]:
    """The summary of the job once it has ended or paused, or at once if another process runs it."""
    job = app.state.jobs.get(job_id)
    if job.kind == RESTORE and not states.may_resume(JobState(job.state)):
        # A restore that has ended may have left automation off, which the org or the limit refused.
        with app.installation.connect(job.org) as org:
            return engine.resume(org, job_id)
    answer = app.control.resume(job_id)
    if answer.is_asked:
        from sfnb.jobs.summary import job_summary

        say(answer.says, err=True)
        return job_summary(app.state, job_id)
    installation = app.installation
    connect = installation.connect_unasked if job.kind == ERASE else installation.connect
    with connect(answer.job.org) as org, stopped_by_signals() as stop:
        options["stop"] = stop
        return run_with_progress(as_json, partial(engine.resume, org, job_id, **options))


def _report(summary: dict[str, Any], *, as_json: bool) -> None:
    """Print the outcome. The job is over: its exit code does not depend on who reads this."""
    if summary["kind"] == RESTORE:
        from sfnb.cli.restore_report import report

        report(summary, as_json=as_json)
        return
    if summary["kind"] == ARCHIVE:
        from sfnb.cli.archive import report as report_archive

        report_archive(summary, as_json=as_json)
        return
    if summary["kind"] == ERASE:
        from sfnb.cli.erase import report as report_erase

        report_erase(summary, as_json=as_json)
        return
    printing = Unbroken(sys.stdout)
    printing(lambda: print_json(summary) if as_json else _print_summary(summary))


def _print_summary(summary: dict[str, Any]) -> None:
    objects, state = summary["objects"], summary["state"]
    counts = counts_of(summary)
    for name, entry in objects.items():
        if entry.get("message") and entry["state"] != "complete" and not entry.get("left_out"):
            say(f"  {name}: {entry['message']}")
    for warning in warning_lines(summary):
        say(f"  Warning: {warning}", colour="yellow")
    say(
        f"Job {summary['job_id']} {state.replace('_', ' ')}: {counts.complete:,} of "
        f"{count(counts.objects, 'object')}, {records(counts.records, counts.in_bin)}, "
        f"{count(summary['calls']['api'], 'API call')}; "
        f"{'snapshot ' + summary['snapshot'] if summary['snapshot'] else 'no snapshot yet'}.",
        colour=COLOURS.get(state, "yellow"),
    )
    for line in [*change_lines(summary), *schema_lines(summary)]:
        say(line)
    if state == "paused":
        readable = " The partial snapshot is already readable." if summary["snapshot"] else ""
        say(f"Resume with `sfnb resume {summary['job_id']}`.{readable}")


COMMANDS: list[click.Command] = [backup, resume]
