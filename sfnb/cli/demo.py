"""`sfnb demo`: the demo org as a background server, registered as the org `demo`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import psutil

from sfnb.cli.context import App, Group, pass_app
from sfnb.cli.output import as_json_option, print_json, say
from sfnb.clock import Clock
from sfnb.errors import CallerError, JobError
from sfnb.file_lock import file_lock
from sfnb.model import HEADER_LAG_S
from sfnb.private import private_file, private_folder
from sfnb.settings import OrgConfig, put_org

START_TIMEOUT_S = 120


def _ready_file(app: App) -> Path:
    return app.settings.home / "demo" / "ready.json"


def _running(app: App) -> dict[str, Any] | None:
    """What the running demo org wrote about itself, or None if none is running."""
    try:
        ready: dict[str, Any] = json.loads(_ready_file(app).read_text("utf-8"))
        process = psutil.Process(ready["pid"])
        is_alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return ready if is_alive and "sfnb_demo" in " ".join(process.cmdline()) else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


@click.group(cls=Group)
def demo() -> None:
    """A Salesforce-like org on this machine, to try things on."""


@demo.command()
@click.option(
    "--size",
    default="small",
    show_default=True,
    type=click.Choice(["tiny", "small", "medium", "large"]),
    help="How many records it has.",
)
@click.option("--port", default=0, help="Port for HTTP; 0 lets the system choose.")
@click.option(
    "--max-calls", default=15_000, show_default=True, help="API calls allowed in 24 hours."
)
@click.option(
    "--minutes-per-second",
    default=1.0,
    show_default=True,
    help="Simulated minutes in one real second.",
)
@click.option(
    "--competitors",
    default="on",
    show_default=True,
    help="Other apps that spend calls: on, off or curve.",
)
@click.option(
    "--pauses",
    is_flag=True,
    help="So small an allowance that a backup of all objects pauses, and resumes within seconds.",
)
@click.option(
    "--option",
    "more",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other option of `python -m sfnb_demo serve`.",
)
@as_json_option
@pass_app
def start(
    app: App,
    /,
    *,
    size: str,
    port: int,
    max_calls: int,
    minutes_per_second: float,
    competitors: str,
    pauses: bool,
    more: tuple[str, ...],
    as_json: bool,
) -> None:
    """Start the demo org and register it as the org `demo`."""
    options = {
        "size": size,
        "port": str(port),
        "max-calls": str(max_calls),
        "minutes-per-second": str(minutes_per_second),
        "competitors": competitors,
    }
    if pauses:
        options |= PAUSING
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    # Objects that answer to one parent only would need more calls than the small allowance has.
    more = (*more, "no-oddities") if pauses and "oddities" not in more else more
    for pair in sorted(more, key=lambda pair: "=" not in pair):  # flags last: the others are pairs
        name, _, value = pair.partition("=")
        arguments += [f"--{name}", value] if value else [f"--{name}"]
    # Two that start at once: the second one waits, and finds the first one's server running.
    with file_lock(app.settings.home / "demo" / ".lock", patience_s=START_TIMEOUT_S):
        if _running(app):
            raise CallerError("the demo org is already running; stop it with `sfnb demo stop`.")
        ready = _start(app, arguments)
        lag_s = _header_lag_s(arguments)
        config = _config_of(ready, _ready_file(app).parent, lag_s)
        line = {"action": "added", "subject": config.name, "details": {"login": "demo"}}
        try:
            with app.state.audit.recorded("org", org=config.name, org_id=config.org_id, **line):
                put_org(app.settings, config)
        except BaseException:
            _end(app, ready)  # nobody would know of it
            raise
    if as_json:
        print_json(_status(ready))
        return
    say(f"Demo org at {ready['url']} (organization {ready['org_id']}).")
    say("Next: sfnb org check demo, sfnb plan demo, sfnb backup demo.")


PAUSING = {
    "max-calls": "40",
    "competitors": "off",
    "clock": "calls",
    "seconds-per-call": "150",
}
"""A clock that only calls move: the pause is certain, and does not depend on the machine's speed."""


def _start(app: App, arguments: list[str]) -> dict[str, Any]:
    ready_file = _ready_file(app)
    folder = private_folder(ready_file.parent)
    ready_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "sfnb_demo", "serve", "--folder", str(folder)]
    command += ["--ready-file", str(ready_file), *arguments]
    log = private_file(folder / "server.log")
    # A session of its own: Ctrl-C in this terminal does not reach the server.
    detach: dict[str, Any] = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
        if os.name == "nt"
        else {"start_new_session": True}
    )
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, **detach
        )
    ready = _wait_for(process, ready_file, log, app.clock)
    # It outlives this command, so nobody here waits for it, and Python need not warn of that.
    process.returncode = 0
    return ready


def _wait_for(
    process: subprocess.Popen[bytes], ready_file: Path, log: Path, clock: Clock
) -> dict[str, Any]:
    deadline = clock.monotonic() + START_TIMEOUT_S
    while clock.monotonic() < deadline:
        if ready_file.exists():
            ready: dict[str, Any] = json.loads(ready_file.read_text("utf-8"))
            return ready
        if process.poll() is not None:
            last = log.read_text("utf-8", errors="replace").strip().splitlines()[-1:]
            raise JobError(
                f"the demo org ended at once: {last[0] if last else 'no output'} (log: {log})"
            )
        clock.wait(0.05)
    process.kill()
    raise JobError(f"the demo org did not answer within {START_TIMEOUT_S} s; its log is {log}.")


def _header_lag_s(arguments: list[str]) -> float:
    """Two minutes of the demo org's time, in real seconds."""
    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if options.get("--clock") == "calls":
        # Where each call moves the clock by more than the header's age, the header misses one at most.
        return 1.0 if float(options.get("--seconds-per-call", 0)) > HEADER_LAG_S else 5.0
    simulated_s = max(float(options["--minutes-per-second"]) * 60.0, 1.0)
    return round(max(HEADER_LAG_S / simulated_s, 1.0), 1)


def _config_of(ready: dict[str, Any], folder: Path, header_lag_s: float) -> OrgConfig:
    password = private_file(folder / "password")
    password.write_text(ready["password"] + ready["security_token"], "utf-8")
    return OrgConfig(
        name="demo",
        login="password",
        instance_url=ready["url"],
        domain=ready["url"],
        username=ready["username"],
        secrets={"password": f"file:{password}"},
        org_id=ready["org_id"],
        header_lag_s=header_lag_s,
    )


@demo.command()
@as_json_option
@pass_app
def stop(app: App, as_json: bool) -> None:
    """Stop the demo org. Its registration and its backups stay."""
    with file_lock(app.settings.home / "demo" / ".lock", patience_s=START_TIMEOUT_S):
        ready = _running(app)
        if ready is not None:
            _end(app, ready)
    if as_json:
        print_json({"running": False, "stopped": ready is not None})
    else:
        say("The demo org is stopped." if ready else "The demo org is not running.")


def _end(app: App, ready: Mapping[str, Any]) -> None:
    process = psutil.Process(ready["pid"])
    process.terminate()
    try:
        process.wait(10)
    except psutil.TimeoutExpired:
        process.kill()
    _ready_file(app).unlink(missing_ok=True)


@demo.command()
@as_json_option
@pass_app
def status(app: App, as_json: bool) -> None:
    """Show whether the demo org is running, and where."""
    ready = _running(app)
    if as_json:
        print_json(_status(ready))
    elif ready:
        say(f"The demo org is running at {ready['url']} (process {ready['pid']}).")
    else:
        say("The demo org is not running; start it with `sfnb demo start`.")


def _status(ready: dict[str, Any] | None) -> dict[str, Any]:
    shown = ("url", "https_url", "org_id", "pid")
    return {"running": ready is not None, **{k: v for k, v in (ready or {}).items() if k in shown}}


@demo.command()
@click.argument("do")
@click.argument("object_name", metavar="OBJECT")
@click.argument("options", nargs=-1, metavar="[NAME=VALUE]...")
@as_json_option
@pass_app
def rows(app: App, do: str, object_name: str, options: tuple[str, ...], as_json: bool) -> None:
    """
    Write rows as others would; OBJECT may be "*", each object that has rows.

    \b
    insert       new rows                      rows=25000 late_s=300
    change       another value in a field      rows=10 field=Description value=x
    touch        a new SystemModstamp alone    rows=1000
    delete       into the recycle bin          rows=5, or ids='["003…"]'
    undelete     back from it                  rows=5
    hard_delete  gone for good                 rows=5
    purge        empty the object's bin        older_than_s=3600
    merge        rows others into one          rows=2 into=001…
    drift        a value without a new stamp   field=Days_Left__c rows=5
    commit       make visible what is late
    forget       empty the log of deletions

    late_s: visible so many seconds later, with the stamp of now. spread_s: stamps spread over the
    seconds before. Times are the demo org's.
    """
    _happen(app, "rows", {"do": do, "object": object_name, **_named(options)}, as_json)


@demo.command()
@click.argument("do")
@click.argument("object_name", metavar="OBJECT")
@click.argument("options", nargs=-1, metavar="[NAME=VALUE]...")
@as_json_option
@pass_app
def schema(app: App, do: str, object_name: str, options: tuple[str, ...], as_json: bool) -> None:
    """
    Change the schema as an admin would.

    \b
    add_field       field=Grade__c type=double value=1 (or formula='{Amount} * 2')
    remove_field    field=Grade__c
    retype_field    field=Grade__c type=string length=10
    rename_field    field=Grade__c to=GRADE__c
    change_formula  field=Display__c formula="{LastName} || '!'"
    picklist        field=Level__c add='["New"]' retire='["Primary"]' rename='{"Secondary": "2nd"}'
    add_object      fields='[{"field": "Where__c", "type": "string"}]' rows=10
    remove_object   with its rows
    rename_object   to=Trip__c
    flags           replicateable=false deletable=false undeletable=false queryable=false
    """
    _happen(app, "schema", {"do": do, "object": object_name, **_named(options)}, as_json)


@demo.command()
@click.argument("options", nargs=-1, required=True, metavar="NAME=VALUE...")
@as_json_option
@pass_app
def access(app: App, options: tuple[str, ...], as_json: bool) -> None:
    """Change what a user may see: hide=Contact.Email, show=Lead, permission=ViewAllData has=false."""
    _happen(app, "access", _named(options), as_json)


def _named(options: tuple[str, ...]) -> dict[str, Any]:
    """``NAME=VALUE`` pairs; a value is JSON where it reads as such, else text."""
    found: dict[str, Any] = {}
    for pair in options:
        name, sign, text = pair.partition("=")
        if not (name and sign):
            raise CallerError(f"{pair!r} is not like NAME=VALUE, such as rows=40.")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _happen(app: App, what: str, entry: dict[str, Any], as_json: bool) -> None:
    """Ask the running demo org to let something happen; its control API refuses what is wrong."""
    from urllib import request
    from urllib.error import HTTPError

    ready = _running(app)
    if ready is None:
        raise CallerError("the demo org is not running; start it with `sfnb demo start`.")
    headers = {"X-Demo-Control": ready["control_token"], "Content-Type": "application/json"}
    body = json.dumps(entry).encode()
    call = request.Request(f"{ready['url']}/control/{what}", body, headers)  # noqa: S310
    try:
        with request.urlopen(call, timeout=START_TIMEOUT_S) as answer:  # noqa: S310
            done = json.load(answer)["done"]
    except HTTPError as refused:
        raise CallerError(f"{json.load(refused)['error']}.") from refused
    if as_json:
        print_json({"done": done})
        return
    for one in done:
        about = one.get("object") or one.get("user") or ""
        many = f": {one['rows']:,} row(s)" if "rows" in one else ""
        say(f"{one.get('do', what)} {about}{many}")


COMMANDS: list[click.Command] = [demo]
