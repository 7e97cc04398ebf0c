"""`sfnb schedule`: commands that run at set times, and the service that runs them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sfnb.cli.command_check import checked_command
from sfnb.cli.context import App, Group, pass_app
from sfnb.cli.names import ORG, Name
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.cli.running import stopped_by_signals
from sfnb.errors import CallerError, StateUnavailable
from sfnb.jobs.summary import iso
from sfnb.text import count

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sfnb.state.schedule_values import Entry, ScheduledRun

ENTRY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

DEFAULT_PORT = 8765

STALE_S = 30.0
"""A service that has not looked for so long does not answer."""


class EntryName(Name):
    def choices(self, app: App, org: str) -> Iterable[str]:  # noqa: ARG002
        return [entry.name for entry in app.state.schedule.entries()]


ENTRY = EntryName()


@click.group(cls=Group)
def schedule() -> None:
    """Run commands at set times."""


tz_option = click.option(
    "--tz", default="UTC", show_default=True, help="Time zone, such as Europe/Paris."
)


@schedule.command(context_settings={"ignore_unknown_options": False})
@click.argument("entry", type=ENTRY)
@click.option(
    "--cron",
    required=True,
    metavar='"M H DOM MON DOW"',
    help="When: a cron line; with six fields the first one is seconds.",
)
@tz_option
@click.option("--replace", "replaces", is_flag=True, help="Change the entry if there is one.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@as_json_option
@pass_app
def add(  # noqa: PLR0917 - click gives them by name
    app: App,
    entry: str,
    cron: str,
    tz: str,
    replaces: bool,
    command: tuple[str, ...],
    as_json: bool,
) -> None:
    """
    Run COMMAND at set times: any sfnb command, without `sfnb`, after `--`.

    `sfnb schedule add nightly --cron "0 2 * * *" --tz Europe/Paris -- backup acme --on-pause exit`
    """
    from sfnb.schedule.cron import parse_cron

    _check_name(entry)
    parse_cron(cron, tz)
    words, orgs = checked_command(command)
    added = app.state.schedule.add(entry, cron=cron, tz=tz, command=words, replaces=replaces)
    for name in sorted(orgs - set(app.org_names)):
        # Another home that shares the state may know it, and run the entry.
        say(f"No org {name!r} is registered here: check the name.", err=True, colour="yellow")
    if as_json:
        print_json(_entry_json(added, app.clock.now()))
    else:
        say(f"{entry} is due next at {_local(added, app.clock.now())}.")
        _hint()


@schedule.command("list")
@as_json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List what is scheduled, when it is due next, and how it ended last."""
    found, now = app.state.schedule.entries(), app.clock.now()
    if as_json:
        print_json([_entry_json(entry, now, has_last=True) for entry in found])
    elif not found:
        say("Nothing is scheduled. `sfnb schedule init NAME` sets up what an org usually needs.")
    else:
        heads = ("ENTRY", "CRON", "TIME ZONE", "NEXT", "LAST", "ENDED", "COMMAND")
        print_table(
            heads,
            [
                (
                    one.name,
                    one.cron,
                    one.tz,
                    _local(one, now),
                    iso(one.last.due_at) if one.last else "never",
                    _ended(one.last) if one.last else "",
                    "sfnb " + " ".join(one.command),
                )
                for one in found
            ],
        )


@schedule.command()
@click.argument("entry", type=ENTRY)
@as_json_option
@pass_app
def remove(app: App, entry: str, as_json: bool) -> None:
    """Take an entry off the schedule. What runs is not stopped; its runs stay in the list."""
    removed = app.state.schedule.remove(entry)
    if as_json:
        print_json(_entry_json(removed, app.clock.now(), has_last=True))
    else:
        say(f"{entry} is not scheduled any more.")


@schedule.command()
@click.argument("entry", type=ENTRY, required=False)
@as_json_option
@pass_app
def runs(app: App, entry: str | None, as_json: bool) -> None:
    """List what became of each due time, oldest first; with ENTRY, of one entry."""
    found = app.state.schedule.runs(entry)
    if entry is not None and not found:
        app.state.schedule.entry(entry)  # a name that is none is refused
    if as_json:
        print_json([_run_json(run) for run in found])
    elif not found:
        say("Nothing was due yet. `sfnb schedule serve` runs what is due.")
    else:
        heads = ("ENTRY", "DUE", "STARTED", "ENDED", "EXIT CODE", "JOB", "NOTE")
        print_table(heads, map(_run_row, found), right=(4,))


@schedule.command()
@click.argument("name", type=ORG)
@tz_option
@click.option("--replace", "replaces", is_flag=True, help="Change entries that there are.")
@as_json_option
@pass_app
def init(app: App, name: str, tz: str, replaces: bool, as_json: bool) -> None:
    """
    Schedule what org NAME usually needs.

    A backup each night, on Sundays as a sweep; a usage sample every 15 minutes; a report each
    morning; retention on Sundays. Entries that there are stay as they are.
    """
    from sfnb.cli.main import COMMANDS as KNOWN
    from sfnb.schedule.cron import parse_cron
    from sfnb.schedule.usual import usual_entries

    app.settings.org(name)
    book, now = app.state.schedule, app.clock.now()
    have = {entry.name for entry in book.entries()}
    done = []
    for usual in usual_entries(name):
        full = f"{name}-{usual.suffix}"
        if usual.command[0] not in KNOWN:
            continue
        parse_cron(usual.cron, tz)
        if full in have and not replaces:
            say(f"{full} is scheduled already and stays as it is.", err=True)
            continue
        words, _ = checked_command(usual.command)
        done.append(book.add(full, cron=usual.cron, tz=tz, command=words, replaces=replaces))
        if not as_json:
            say(f"{full}: {usual.what}, next {_local(done[-1], now)}.")
    if as_json:
        print_json([_entry_json(entry, now) for entry in done])
    else:
        _hint()


@schedule.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Of the health page, http://127.0.0.1:PORT/healthz; 0: any free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address of the health page; 0.0.0.0 in a container.",
)
@pass_app
def serve(app: App, port: int, host: str) -> int:
    """
    Run what is due, until SIGTERM or ctrl-C.

    Several services may share one state database: each due time runs once. Commands that still run
    at the end are asked to stop; their jobs pause, and the next service resumes them.
    """
    from sfnb.schedule.health import health_page
    from sfnb.schedule.service import Service
    from sfnb.schedule.starting import Process

    folder = app.settings.home / "schedule"
    service = Service(
        app.state,
        lambda what, token: Process(what, token, folder),
        poll_s=app.settings.poll_s,
        say=lambda line: say(f"{app.clock.now():%Y-%m-%d %H:%M:%S}Z {line}", err=True),
    )

    def health() -> tuple[bool, dict[str, Any]]:
        quiet_s = service.seconds_since_look
        if quiet_s > STALE_S:
            return False, {"ok": False, "error": f"no look at the schedule for {quiet_s:.0f} s"}
        try:
            entries, opened = app.state.schedule.entries(), app.state.schedule.open_runs()
        except StateUnavailable as err:
            return False, {"ok": False, "error": str(err)}
        running = sum(run.is_running for run in opened)
        return True, {"ok": True, "entries": len(entries), "running": running}

    with (
        stopped_by_signals() as stop,
        health_page(host, port, health) as address,
        _notices(app, stop),
    ):
        say(f"Serving the schedule; health page {address}", err=True)
        service.run(stop)
        if left := service.let_go():
            say(f"{count(left, 'command')} did not end within 20 seconds and still run.", err=True)
    return 0


NOTICES_S = 15.0
"""How often there is a look at what is to be told."""


@contextmanager
def _notices(app: App, stop: threading.Event) -> Iterator[None]:
    """Within the block people get notices, if they have given an address."""
    from sfnb.notices.sending import Notifier, addresses

    if not addresses(app.settings):
        yield
        return
    notifier = Notifier(app.state, app.settings, lambda line: say(f"Notices: {line}", err=True))

    def work() -> None:
        while not stop.is_set():
            notifier.look()
            app.clock.wait(NOTICES_S, stop)

    thread = threading.Thread(target=work, name="sfnb-notices", daemon=True)
    thread.start()
    yield
    thread.join(NOTICES_S)


def _check_name(name: str) -> None:
    if not ENTRY_NAME.fullmatch(name):
        raise CallerError(
            f"{name!r} cannot be the name of an entry: use up to 64 letters, digits, dots, dashes "
            "and underscores."
        )


def _entry_json(entry: Entry, now: datetime, *, has_last: bool = False) -> dict[str, Any]:
    last = entry.last
    found: dict[str, Any] = {
        "name": entry.name,
        "cron": entry.cron,
        "tz": entry.tz,
        "command": list(entry.command),
        "next_at": iso(_next_at(entry, now)),
    }
    if has_last:
        found |= {
            "last_due_at": iso(last.due_at) if last else None,
            "last_exit": last.exit_code if last else None,
            "last_job": last.job_id if last else None,
        }
    return found


def _run_json(run: ScheduledRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "due_at": iso(run.due_at),
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "exit_code": run.exit_code,
        "job_id": run.job_id,
        "command": list(run.command),
        "note": run.note,
        "covered_by": iso(run.covered_by),
        "again_at": iso(run.again_at),
        "attempts": run.attempts,
    }


def _run_row(run: ScheduledRun) -> tuple[str, ...]:
    return (
        run.name,
        _short(run.due_at),
        _short(run.started_at),
        _short(run.ended_at),
        "" if run.exit_code is None else str(run.exit_code),
        run.job_id or "",
        run.note,
    )


def _short(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z" if at else ""


def _ended(run: ScheduledRun) -> str:
    if run.exit_code is None:
        return "still runs"
    return f"exit code {run.exit_code}"


def _next_at(entry: Entry, now: datetime) -> datetime | None:
    from sfnb.schedule.cron import parse_cron

    return parse_cron(entry.cron, entry.tz).next_after(now)


def _local(entry: Entry, now: datetime) -> str:
    """The next due time on the entry's own clock."""
    from zoneinfo import ZoneInfo

    due = _next_at(entry, now)
    return f"{due.astimezone(ZoneInfo(entry.tz)):%Y-%m-%d %H:%M:%S %Z}" if due else "never"


def _hint() -> None:
    say(
        "It runs while `sfnb schedule serve` does; docs/schedule.md has files for systemd and more."
    )


COMMANDS: list[click.Command] = [schedule]
