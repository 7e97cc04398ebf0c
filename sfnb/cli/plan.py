"""`sfnb plan`: what a backup would cost, and where it would pause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sfnb import engine
from sfnb.cli.context import App, pass_app
from sfnb.cli.names import ORG
from sfnb.cli.options import request_options
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.text import count

if TYPE_CHECKING:
    from sfnb.connection import Connection
    from sfnb.engine import BackupRequest, Estimate
    from sfnb.model import Api
    from sfnb.quota.forecast import Finish


@click.command()
@click.argument("name", type=ORG)
@request_options
@click.option(
    "--left-out",
    "shows_left_out",
    is_flag=True,
    help="List the objects that cannot be queried, too.",
)
@as_json_option
@pass_app
def plan(
    app: App,
    /,
    *,
    name: str,
    request: BackupRequest,
    shows_left_out: bool,
    as_json: bool,
) -> None:
    """
    Show what a backup would cost: records, calls and MB by object, and where it would pause.

    Costs about one API call for 25 objects. Stores nothing.
    """
    with app.installation.connect(name) as org:
        estimate = engine.plan(org, request)
        finishes = _finishes(org, estimate)
    if as_json:
        from sfnb.usage.what_if import finishes_json, worst_of

        worst = finishes_json(worst_of(finishes.values()))
        print_json(plan_json(name, estimate) | {"finishes": worst})
    else:
        _print_objects(estimate, shows_left_out=shows_left_out)
        _print_verdict(name, estimate)
        _print_finish(app, estimate, finishes)


def _finishes(org: Connection, estimate: Estimate) -> dict[Api, dict[int, Finish]]:
    """When the backup would end, by budget and limit percent; empty without usage readings."""
    from sfnb.usage.what_if import budgets_of, finishes_by_budget

    budgets = budgets_of(org.state, org.org_id, now=org.clock.now())
    return finishes_by_budget(estimate.plan.price(), budgets)


def plan_json(name: str, estimate: Estimate) -> dict[str, Any]:
    """The plan as `sfnb plan --json` prints it."""
    made = estimate.plan
    return {
        "org": name,
        "calls": dict(made.price()),
        "rows": sum(o.expected_rows or 0 for o in made.objects.values()),
        "objects": {n: o.as_json() for n, o in made.objects.items()},
        "files": {"calls": made.file_calls, "mb": round(made.file_mb, 1)},
        "metadata": {"calls": made.metadata_calls},
        "left_out": dict(made.left_out),
        "failed": dict(made.failed),
        "limits": {
            api: {
                "used": budget.used,
                "max": budget.maximum,
                "limit_percent": budget.limit_percent,
                "threshold": budget.threshold,
            }
            for api, budget in estimate.standing.items()
            if budget.is_known
        },
        "pauses": estimate.pauses,
        "warnings": [warning.as_json() for warning in made.warnings],
    }


def _print_objects(estimate: Estimate, *, shows_left_out: bool) -> None:
    """
    One line for each object, the largest first; then those that are not read, with reasons. What
    nobody can ever query deserves no look, unless somebody asks.
    """
    made = estimate.plan
    rows = [
        (
            planned.name,
            "?" if planned.expected_rows is None else f"{planned.expected_rows:,}",
            planned.reader,
            f"{planned.calls:,.1f}",
            f"{planned.mb:,.1f}",
        )
        for planned in sorted(made.objects.values(), key=lambda o: -(o.expected_rows or 0))
    ]
    print_table(("OBJECT", "RECORDS", "READER", "CALLS", "MB"), rows, right=(1, 3, 4))
    for planned in made.objects.values():
        if planned.queries > 1:
            say(
                f"\n{planned.name} has too many fields for one query: its columns are read by "
                f"{planned.queries} queries and joined."
            )
    left_out = made.left_out if shows_left_out else {}
    if made.left_out and not shows_left_out:
        say(f"\n{count(len(made.left_out), 'object')} cannot be queried (--left-out lists them).")
    for title, reasons in (("Cannot be queried", left_out), ("Failed", made.failed)):
        if reasons:
            say(f"\n{title}:")
            print_table(("OBJECT", "REASON"), sorted(reasons.items()))


def _print_verdict(name: str, estimate: Estimate) -> None:
    made, price = estimate.plan, estimate.plan.price()
    for warning in made.warnings:
        say(f"\nWarning: {warning.message}", colour="yellow")
    say(
        f"\n{name}: {len(made.objects)} objects, about {price['api']:,} API calls "
        f"({made.preparation_calls} of them spent on this plan), {price['bulk2']:,} Bulk API 2.0 "
        f"jobs, {price['bulk2_mb']:,} MB."
    )
    if made.file_calls or made.metadata_calls:
        say(
            f"Of these calls {made.file_calls:,} are for bodies of files and {made.metadata_calls:,} "
            "for metadata (--no-files, --no-metadata)."
        )
    for budget in estimate.standing.values():
        if budget.is_known:
            say(
                f"{budget.api}: {budget.used:,} of {budget.maximum:,} used; jobs stop at "
                f"{budget.threshold:,} ({budget.limit_percent} %)."
            )
    for sentence in estimate.pauses or ["It fits under the current limits; no pause expected."]:
        say(sentence)


def _print_finish(app: App, estimate: Estimate, finishes: dict[Api, dict[int, Finish]]) -> None:
    from sfnb.usage.what_if import finish_sentence, last_finish, unpaused_percent
    from sfnb.usage.zones import zone_of

    percents = {api: budget.limit_percent for api, budget in estimate.standing.items()}
    last = last_finish(finishes, percents)
    if last is None:
        return
    api, finish = last
    say(finish_sentence(finish, zone_of(None, now=app.clock.now())))
    through = unpaused_percent(finishes[api])
    if finish.pauses and through is not None:
        say(f"With a limit of {through} % or more it would run through without a pause.")


COMMANDS: list[click.Command] = [plan]
