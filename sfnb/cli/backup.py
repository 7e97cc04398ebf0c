"""`sfnb plan`, `sfnb backup`, `sfnb resume`."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from sfnb import engine
from sfnb.cli.context import App, pass_app
from sfnb.cli.progress import progress_for
from sfnb.engine import EXIT_CODES, Estimate
from sfnb.errors import CallerError, SfnbError

if TYPE_CHECKING:
    from sfnb.connection import Connection
    from sfnb.jobs.loop import OnPause
    from sfnb.model import Api
    from sfnb.quota.forecast import Finish


def _names(_ctx: click.Context, _param: click.Parameter, value: str | None) -> list[str] | None:
    if value is None:
        return None
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("names of objects, separated by commas, as in Account,Contact")
    return names


def _positive(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 < value <= 7 * 86_400:
        raise click.BadParameter("seconds, more than 0 and at most a week")
    return value


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(fn: Any) -> Any:
        for option in reversed(options):
            fn = option(fn)
        return fn

    return decorate


choice_options = _options(
    click.option("--objects", callback=_names, metavar="A,B", help="Only these objects."),
    click.option("--exclude", callback=_names, metavar="A,B", help="All objects but these."),
)
run_options = _options(
    click.option(
        "--on-pause", type=click.Choice(["wait", "exit"]), default="wait", show_default=True
    ),
    click.option(
        "--poll-seconds",
        type=float,
        callback=_positive,
        help="Seconds between questions while paused.",
    ),
    click.option(
        "--workers", type=click.IntRange(1, 32), help="Units of work under way at a time."
    ),
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print the summary as JSON; progress goes to standard error.",
    ),
)


@click.command()
@click.argument("name")
@choice_options
@click.option("--json", "as_json", is_flag=True)
@pass_app
def plan(
    app: App, name: str, objects: list[str] | None, exclude: list[str] | None, as_json: bool
) -> None:
    """What a backup would cost: rows, calls and MB by object, and where it would pause."""
    with app.installation.connect(name) as org:
        forecast = engine.plan(org, engine.backup(objects=objects, exclude=exclude or ()))
        finishes = _finishes(org, forecast)
    if as_json:
        from sfnb.usage.what_if import finishes_json, worst_of

        worst = finishes_json(worst_of(finishes.values()))
        told = forecast_json(name, forecast) | {"finishes": worst}
        click.echo(json.dumps(told, indent=2))
    else:
        _print_plan(name, forecast)
        _print_finish(app, forecast, finishes)


def _finishes(org: Connection, forecast: Estimate) -> dict[Api, dict[int, Finish]]:
    """How the backup would go, each budget under each limit percent; empty without usage readings."""
    from sfnb.usage.what_if import budgets_of, finishes_by_budget

    budgets = budgets_of(org.state, org.org_id, now=org.clock.now())
    return finishes_by_budget(forecast.plan.price(), budgets)


def _print_finish(app: App, forecast: Estimate, finishes: dict[Api, dict[int, Finish]]) -> None:
    from sfnb.usage.what_if import finish_sentence, last_finish, unpaused_percent
    from sfnb.usage.zones import zone_of

    percents = {api: budget.limit_percent for api, budget in forecast.standing.items()}
    last = last_finish(finishes, percents)
    if last is None:
        return
    api, finish = last
    click.echo(finish_sentence(finish, zone_of(None, now=app.clock.now())))
    through = unpaused_percent(finishes[api])
    if finish.pauses and through is not None:
        click.echo(f"With a limit of {through} % or more it would run through without a pause.")


def forecast_json(name: str, forecast: Estimate) -> dict[str, Any]:
    """The plan as `sfnb plan --json` prints it."""
    made = forecast.plan
    return {
        "org": name,
        "calls": dict(made.price()),
        "rows": sum(o.expected_rows or 0 for o in made.objects.values()),
        "objects": {n: o.as_json() for n, o in made.objects.items()},
        "left_out": dict(made.left_out),
        "failed": dict(made.failed),
        "limits": {
            api: {
                "used": s.used,
                "max": s.maximum,
                "limit_percent": s.limit_percent,
                "threshold": s.threshold,
            }
            for api, s in forecast.standing.items()
            if s.is_known
        },
        "pauses": forecast.pauses,
    }


def _print_plan(name: str, forecast: Estimate) -> None:
    made = forecast.plan
    click.echo(f"{'object':40} {'rows':>12}  {'reader':8} {'calls':>8} {'MB':>10}")
    for planned in sorted(made.objects.values(), key=lambda o: -(o.expected_rows or 0)):
        rows = "?" if planned.expected_rows is None else f"{planned.expected_rows:,}"
        click.echo(
            f"{planned.name:40} {rows:>12}  {planned.reader:8} {planned.calls:8.1f} {planned.mb:10,.1f}"
        )
    for title, reasons in (("cannot be queried", made.left_out), ("failed", made.failed)):
        if reasons:
            click.echo(f"\n{title}:")
            for object_name, reason in reasons.items():
                click.echo(f"  {object_name}: {reason}")
    price = made.price()
    click.echo(
        f"\n{name}: {len(made.objects)} objects, about {price['api']:,} calls "
        f"({made.preparation_calls} of them spent on this plan), {price['bulk2']:,} Bulk 2 jobs, "
        f"{price['bulk2_mb']:,} MB."
    )
    for budget in forecast.standing.values():
        if budget.is_known:
            click.echo(
                f"{budget.api}: {budget.used:,} of {budget.maximum:,} used; jobs stop at {budget.threshold:,} "
                f"({budget.limit_percent} %)."
            )
    for sentence in forecast.pauses or [
        "It fits under the limits as they stand now: no pause expected."
    ]:
        click.echo(sentence)


@click.command()
@click.argument("name")
@choice_options
@click.option(
    "--full",
    is_flag=True,
    help="Read everything (what sfnb does until it has incremental backups).",
)
@run_options
@pass_app
def backup(  # noqa: PLR0917 - click gives them by name
    app: App,
    name: str,
    objects: list[str] | None,
    exclude: list[str] | None,
    full: bool,  # noqa: ARG001 - a full backup is the only kind yet; the option is part of the contract
    on_pause: OnPause,
    poll_seconds: float | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """Back up an org, pausing at its limit. Exit code 75: paused, `sfnb resume` goes on."""
    request = engine.backup(objects=objects, exclude=exclude or ())
    with (
        app.installation.connect(name) as org,
        _stopped_by_signals() as stop,
    ):
        run = partial(
            engine.run,
            org,
            request,
            on_pause=on_pause,
            poll_s=poll_seconds,
            workers=workers,
            stop=stop,
        )
        return _run(as_json, run)


@click.command()
@click.argument("job", required=False)
@click.option(
    "--all", "all_jobs", is_flag=True, help="Every job that is paused or whose process is gone."
)
@run_options
@pass_app
def resume(  # noqa: PLR0917 - click gives them by name
    app: App,
    job: str | None,
    all_jobs: bool,
    on_pause: OnPause,
    poll_seconds: float | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """Go on with a paused, failed or killed job, in the same snapshot."""
    if bool(job) == all_jobs:
        raise CallerError("name a job or say --all; `sfnb jobs` lists them.")
    job_ids = (
        [app.job_id(job)]
        if job
        else [j.job_id for j in app.state.jobs.find() if not (j.state.is_final or j.is_held)]
    )
    if not job_ids:
        click.echo("no job is waiting to be resumed.", err=True)
    worst = 0
    for job_id in job_ids:
        answer = app.control.resume(job_id)
        if answer.is_asked:
            click.echo(answer.says, err=True)
            continue
        name = app.state.jobs.get(job_id).org
        try:
            with (
                app.installation.connect(name) as org,
                _stopped_by_signals() as stop,
            ):
                run = partial(
                    engine.resume,
                    org,
                    job_id,
                    on_pause=on_pause,
                    poll_s=poll_seconds,
                    workers=workers,
                    stop=stop,
                )
                code = _run(as_json, run)
        except SfnbError as err:
            # One job that cannot go on does not hold up the others.
            if job:
                raise
            click.echo(f"sfnb: job {job_id}: {err}", err=True)
            code = 1
        worst = worst or code
    return worst


def _run(as_json: bool, work: Callable[..., dict[str, Any]]) -> int:
    progress = progress_for(sys.stderr if as_json else sys.stdout)
    try:
        summary = work(emit=progress)
    finally:
        progress.close()
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        _print_summary(summary)
    return EXIT_CODES[summary["state"]]


def _print_summary(summary: dict[str, Any]) -> None:
    objects = summary["objects"].values()
    complete = sum(1 for o in objects if o["state"] == "complete")
    click.echo(
        f"job {summary['job_id']} {summary['state'].replace('_', ' ')}: {complete} of {len(objects)} objects, "
        f"{summary['rows']:,} rows, {summary['calls']['api']:,} calls; snapshot {summary['snapshot']}."
    )
    for name, entry in summary["objects"].items():
        if entry.get("message") and entry["state"] != "complete":
            click.echo(f"  {name}: {entry['message']}")
    if summary["state"] == "paused":
        click.echo(f"`sfnb resume {summary['job_id']}` goes on; what is there can be read already.")


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """
    An event that ctrl-C and SIGTERM (a scheduler, a shutdown) set; both leave a paused job.

    A KeyboardInterrupt would come in the middle of anything, a database's commit too. Who asks twice gets one.
    """
    stop = threading.Event()

    def ask(_signal: int, _frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


COMMANDS: list[click.Command] = [plan, backup, resume]
