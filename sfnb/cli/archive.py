"""
`sfnb archive`: take records out of an org once the store has proven to have them; find them again.

What runs jobs is imported where one is run: a search has to answer within a second.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from sfnb.archive.request import MAX_ROWS
from sfnb.cli.context import App, Group, pass_app
from sfnb.cli.names import OBJECT, ORG
from sfnb.cli.options import run_options
from sfnb.cli.output import Unbroken, as_json_option, print_json, print_table, say
from sfnb.errors import CallerError
from sfnb.text import count

if TYPE_CHECKING:
    from sfnb.archive.starting import ArchiveEstimate
    from sfnb.engine import RunOptions
    from sfnb.jobs.loop import OnPause

SHOWN_KEPT = 20


class ArchiveGroup(Group):
    """`sfnb archive NAME …` archives; `sfnb archive search NAME …` looks for what was archived."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            return "run", self.commands["run"], args
        return super().resolve_command(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "NAME --object O --where SOQL [OPTIONS]")
        formatter.write_usage(ctx.command_path, "search NAME [TEXT] [OPTIONS]")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Those of archiving itself, then the commands below it."""
        click.Command.format_options(self.commands["run"], ctx, formatter)
        self.format_commands(ctx, formatter)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Archiving itself has no name of its own."""
        return [name for name in super().list_commands(ctx) if name != "run"]


@click.group(cls=ArchiveGroup)
def archive() -> None:
    """
    Archive records: `sfnb archive NAME --object Case --where "…" --dry-run`, then with --yes.

    `sfnb archive search NAME TEXT` finds archived records.
    """


@archive.command("run", hidden=True)
@click.argument("name", type=ORG)
@click.option("--object", "object_name", type=OBJECT, required=True, help="The object.")
@click.option("--where", required=True, metavar="SOQL", help="Which of its records may leave.")
@click.option(
    "--with-children",
    is_flag=True,
    help="Also records that would forbid the deletion, such as the cases of an account.",
)
@click.option("--hard", is_flag=True, help="Gone for good, not into the recycle bin.")
@click.option(
    "--max-rows",
    type=click.IntRange(1),
    default=MAX_ROWS,
    show_default=True,
    help="Records of the object that this run takes; the rest is kept.",
)
@click.option("--dry-run", is_flag=True, help="Show what would go. Stores and deletes nothing.")
@click.option("--yes", is_flag=True, help="Confirm that the records are to be deleted in the org.")
@run_options
@as_json_option
@pass_app
def run_archive(  # noqa: PLR0917 - click gives them by name
    app: App,
    name: str,
    object_name: str,
    where: str,
    with_children: bool,
    hard: bool,
    max_rows: int,
    dry_run: bool,
    yes: bool,
    on_pause: OnPause,
    poll_seconds: float | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """Archive the records of an object that meet a condition, with all that goes with them."""
    from sfnb import engine
    from sfnb.cli.running import run_job, stopped_by_signals

    request = engine.archive(
        object_name, where, with_children=with_children, hard=hard, max_rows=max_rows
    )
    if not (dry_run or yes):
        raise CallerError(
            f"records of {object_name} would be deleted in {name}: look at it with --dry-run, then "
            "confirm with --yes."
        )
    options: RunOptions = {"on_pause": on_pause, "poll_s": poll_seconds, "workers": workers}
    with app.installation.connect(name) as org, stopped_by_signals() as stop:
        if dry_run:
            _print_plan(engine.plan(org, request), as_json=as_json)
            return 0
        options["stop"] = stop
        return run_job(org, request, options, report, as_json=as_json)


def report(summary: dict[str, Any], *, as_json: bool) -> None:
    """Print the outcome. The job is over: its exit code does not depend on who reads this."""
    printing = Unbroken(sys.stdout)
    printing(lambda: print_json(summary) if as_json else _print_summary(summary))


def _print_plan(estimate: ArchiveEstimate, *, as_json: bool) -> None:
    if as_json:
        print_json(estimate.as_json())
        return
    from sfnb.ui.archived import emptied_sentences

    sizes = estimate.bytes
    rows = [
        (name, f"{rows:,}", f"{sizes[name] / 1_048_576:,.2f}")
        for name, rows in sorted(estimate.going.rows.items())
    ]
    print_table(("OBJECT", "RECORDS", "MB FREED"), rows, right=(1, 2))
    said = estimate.as_json()
    for line in emptied_sentences(said):
        say(f"  {line}")
    _say_kept(said)
    say(
        f"The condition matches {count(estimate.matched, 'record')}. "
        f"{estimate.going.freed_mb:,.2f} MB of storage would be freed. Nothing was changed."
    )


def _print_summary(summary: dict[str, Any]) -> None:
    from sfnb.cli.running import COLOURS
    from sfnb.jobs.summary import warning_lines

    for warning in warning_lines(summary):
        say(f"  Warning: {warning}", colour="yellow")
    deleted = summary.get("deleted") or {}
    for name, rows in deleted.items():
        say(f"  {name}: {count(rows, 'record')} archived and deleted")
    _say_kept(summary)
    state = summary["state"]
    say(
        f"Job {summary['job_id']} {state.replace('_', ' ')}: "
        f"{count(sum(deleted.values()), 'record')} archived, "
        f"{summary.get('storage_freed_mb', 0):,.2f} MB freed, "
        f"{count(summary['calls']['api'], 'API call')}; snapshot {summary['snapshot']}.",
        colour=COLOURS.get(state, "yellow"),
    )
    if state == "paused":
        say(f"Resume with `sfnb resume {summary['job_id']}`.")


def _say_kept(said: dict[str, Any]) -> None:
    kept = said.get("kept") or []
    for one in kept[:SHOWN_KEPT]:
        why = one["reason"].replace("_", " ")
        message = f": {one['message']}" if one.get("message") else ""
        say(f"  Kept: {one['object']} {one['id']}, {why}{message}", colour="yellow")
    more = sum((said.get("kept_counts") or {}).values()) - min(len(kept), SHOWN_KEPT)
    if more > 0:
        say(f"  and {count(more, 'more record')} kept", colour="yellow")


@archive.command("search")
@click.argument("name", type=ORG)
@click.argument("text", required=False, default="")
@click.option("--object", "object_name", type=OBJECT, default="", help="Only this object.")
@click.option("--id", "record_id", default="", metavar="ID", help="The record of this Id.")
@click.option("--where", default="", metavar="SQL", help="An SQL condition over its fields.")
@click.option("--limit", type=click.IntRange(1), default=1_000, show_default=True, help="At most.")
@as_json_option
@pass_app
def search_archives(  # noqa: PLR0917 - click gives them by name
    app: App,
    name: str,
    text: str,
    object_name: str,
    record_id: str,
    where: str,
    limit: int,
    as_json: bool,
) -> None:
    """Find archived records by a text in any field, by Id, or by a condition. No API calls."""
    from sfnb.org.ids import to18
    from sfnb.store.archive_search import Asked, search

    asked = Asked(text, object_name, to18(record_id) if record_id else "", where, limit)
    found = list(search(app.store(name).files, asked))
    if as_json:
        print_json(
            [
                {
                    "object": one.object_name,
                    "id": one.id,
                    "archived_at": one.archived_at,
                    "snapshot": one.snapshot,
                    "record": {field: _plain(value) for field, value in one.record.items()},
                }
                for one in found
            ]
        )
        return
    rows = [
        (
            one.object_name,
            one.id,
            str(one.record.get("Name") or one.record.get("Subject") or ""),
            one.archived_at[:19] + "Z",
            one.snapshot,
        )
        for one in found
    ]
    if not rows:
        say("Nothing that is archived fits.")
        return
    print_table(("OBJECT", "ID", "NAME", "ARCHIVED", "SNAPSHOT"), rows)
    if len(rows) == limit:
        say(f"Shown: the first {limit:,}; --limit shows more.")


def _plain(value: Any) -> Any:
    """A value as Salesforce's JSON has it."""
    from datetime import UTC, date, datetime

    if isinstance(value, datetime):
        moment = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return moment.replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


COMMANDS: list[click.Command] = [archive]
