"""`sfnb prune`: remove the snapshots that a policy does not keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.names import ORG
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.errors import CallerError
from sfnb.text import count

P = ParamSpec("P")
R = TypeVar("R")


def _keep_options(command: Callable[P, R]) -> Callable[P, R]:
    """The rules of a policy, as options."""
    week = "The same with weeks, which begin on Monday."
    daily = "Keep the newest snapshot of each of the last N days that have one."
    command = _keep("yearly", "The same with years.")(command)
    command = _keep("monthly", "The same with months.")(command)
    command = _keep("weekly", week)(command)
    command = _keep("daily", daily)(command)
    return _keep("last", "Keep the newest N snapshots.")(command)


def _keep(name: str, what: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return click.option(
        f"--keep-{name}", type=click.IntRange(min=0), metavar="N", default=None, help=what
    )


@click.command()
@click.argument("name", type=ORG)
@_keep_options
@click.option(
    "--ungrouped",
    is_flag=True,
    help="Count backups of some objects and of the whole org together; by default a rule counts for "
    "backups of the same objects.",
)
@click.option("--dry-run", is_flag=True, help="Show what would go and what that would free.")
@click.option("--yes", is_flag=True, help="Do it.")
@as_json_option
@pass_app
def prune(
    app: App,
    /,
    *,
    name: str,
    ungrouped: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **keep: int | None,
) -> None:
    """
    Remove the snapshots of NAME that no rule keeps, and free the space that only they need.

    Without a --keep option the policy of sfnb.toml counts ([keep], or [keep.NAME]). Snapshots that
    are not finished or on hold stay, and so does every archive. What stays reads as before. Sends no call.
    """
    from sfnb.holds.pruning import prune as prune_org
    from sfnb.store.pruning.keep import KeepPolicy
    from sfnb.usage.zones import zone_of

    given = {key.removeprefix("keep_"): value for key, value in keep.items() if value is not None}
    is_from_settings = not given
    if is_from_settings:
        given = dict(app.settings.keep.get(name, app.settings.keep.get("", {})))
    policy = KeepPolicy.of(given)
    if not policy.keeps_something:
        raise CallerError(
            "say what to keep, such as --keep-daily 14 --keep-monthly 12, or put [keep] into sfnb.toml."
        )
    if not (dry_run or yes):
        raise CallerError(
            "prune removes snapshots for good. See what would go with --dry-run; do it with --yes."
        )
    if is_from_settings:
        say(f"The policy of sfnb.toml keeps: {policy}.", err=True)
    done = prune_org(
        app.state,
        app.store(name),
        policy,
        app.clock,
        org=name,
        zone=zone_of(None, now=app.clock.now()),
        is_dry=dry_run,
        is_grouped=not ungrouped,
    )
    if as_json:
        print_json(done.as_json())
        return
    plan = done.plan
    rows = [
        *((snapshot, "kept", ", ".join(why)) for snapshot, why in plan.kept.items()),
        *((snapshot, "held", why) for snapshot, why in plan.held.items()),
        *((snapshot, "would go" if dry_run else "removed", "") for snapshot in plan.removed),
    ]
    print_table(("SNAPSHOT", "IS", "WHY"), sorted(rows))
    freed = (done.bytes_before - done.bytes_after) / 1e6
    would = "would be removed and free" if dry_run else "removed; that freed"
    say(f"{count(len(plan.removed), 'snapshot')} {would} {freed:,.1f} MB.")
    if not dry_run and plan.removed and app.store(name).files.keeps_old_versions():
        say("The bucket keeps old versions of files: it is free once those are deleted.")


COMMANDS: list[click.Command] = [prune]
