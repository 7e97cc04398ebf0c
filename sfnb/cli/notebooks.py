"""`sfnb run`: a notebook, headless, through papermill; its exit code is that of the job in it."""

from __future__ import annotations

import os
import sys
from datetime import datetime

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.notebook_files import check, keep, place_of, prune, run_name
from sfnb.cli.notebook_run import (
    KernelDied,
    execute,
    kernel_for,
    known_parameters,
    load,
    outcome_of,
    parse_value,
)
from sfnb.cli.output import as_json_option, print_json, say
from sfnb.engine import EXIT_CODES
from sfnb.errors import JobError, StoreError
from sfnb.jobs import states
from sfnb.notebook import find_notebook
from sfnb.settings import elsewhere


@click.command()
@click.argument("notebook")
@click.option(
    "-p",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter of the notebook.",
)
@click.option(
    "--output",
    metavar="TARGET",
    help="A file or folder, here or at an address such as s3://bucket/runs/; default: the setting runs.",
)
@click.option("--kernel", help="The kernel to run it with; default: the notebook's own.")
@click.option(
    "--keep",
    "keeps",
    type=click.IntRange(min=1),
    help="Keep so many runs of this notebook and org in the folder of runs; default: keep_runs (100).",
)
@as_json_option
@pass_app
def run(  # noqa: PLR0917 - click gives them by name
    app: App,
    notebook: str,
    parameters: tuple[tuple[str, str], ...],
    output: str | None,
    kernel: str | None,
    keeps: int | None,
    as_json: bool,
) -> int:
    """
    Run NOTEBOOK (a path, or the name of one that comes with sfnb) from start to end.

    What its cells print is shown while they run. The executed notebook is kept, and beside it a
    page of what it shows. The exit code is that of the job in it. A notebook runs once at a time
    for an org.
    """
    source = find_notebook(notebook)
    read = load(source)
    given = {name: parse_value(text) for name, text in parameters}
    values = known_parameters(source, read, given) | given
    org = str(values.get("org") or values.get("orgs") or "")
    chosen = kernel_for(source, read, kernel)
    began_at = app.clock.now()
    settings = app.settings
    os.environ.update(elsewhere(settings))  # the kernel's folder is another
    name = run_name(source.stem, org, began_at)
    runs = settings.runs or str(settings.home / "runs")
    place = place_of(output, runs, name, settings.home / "runs")
    with app.state.locks.held(f"notebook {source.stem} {org}"[:255]) as other:
        if other is not None:
            raise JobError(
                f"{source.name} already runs{f' for {org}' if org else ''}, since "
                f"{other.taken_at:%Y-%m-%d %H:%M:%S}Z in process {other.owner.pid} of "
                f"{other.owner.host.split()[0]}. Wait for it, or stop it there."
            )
        check(place, source.read_text("utf-8"))
        shown = sys.stderr if as_json else sys.stdout
        try:
            executed = execute(source, place.local, given, shown, kernel=chosen)
        except KernelDied as err:
            raise JobError(f"{err} {_interrupted(app, began_at)}".rstrip()) from err
        finally:
            html = keep(place) if place.local.exists() else ""
            if output is None:
                _prune(runs, source.stem, org, keeps or settings.keep_runs)
    summary = outcome_of(executed)
    if as_json:
        print_json({"notebook": place.notebook, "html": html or None, "job": summary})
    else:
        say(f"Notebook: {place.notebook}")
        if html:
            say(f"Page: {html}")
        if summary:
            state = states.shown_of(summary).replace("_", " ")
            snapshot = summary["snapshot"] or "not begun"
            say(f"Job {summary['job_id']} {state}; snapshot {snapshot}.")
    return EXIT_CODES[states.shown_of(summary)] if summary else 0


def _prune(runs: str, stem: str, org: str, keeps: int) -> None:
    """The run is what counts: old ones that cannot be removed are said, and tried again next time."""
    try:
        prune(runs, stem, org, keeps=keeps)
    except StoreError as err:
        say(f"Old runs stay: {err}", err=True)


def _interrupted(app: App, began_at: datetime) -> str:
    """What became of the job that the dead kernel ran."""
    lost = [job for job in app.state.jobs.find() if job.started_at >= began_at and not job.is_held]
    if not lost or lost[-1].state.is_final:
        return "It had no job in progress."
    job = lost[-1]
    return f"Job {job.job_id} is interrupted. Resume it with `sfnb resume {job.job_id}`."


COMMANDS: list[click.Command] = [run]
