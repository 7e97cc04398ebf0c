"""`sfnb demo`: the demo org as a background server, registered as the org `demo`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import psutil

from sfnb.cli.context import App, pass_app
from sfnb.clock import Clock
from sfnb.errors import CallerError, JobError
from sfnb.settings import OrgConfig, put_org

START_TIMEOUT_S = 120


def _ready_file(app: App) -> Path:
    return app.settings.home / "demo" / "ready.json"


def _running(app: App) -> dict[str, Any] | None:
    """What the running demo org tells of itself, or None if there is none."""
    try:
        ready: dict[str, Any] = json.loads(_ready_file(app).read_text("utf-8"))
        process = psutil.Process(ready["pid"])
        alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return ready if alive and "sfnb_demo" in " ".join(process.cmdline()) else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


@click.group()
def demo() -> None:
    """A Salesforce-like org on this machine, to try things on."""


@demo.command()
@click.option(
    "--size",
    default="small",
    show_default=True,
    type=click.Choice(["tiny", "small", "medium", "large"]),
)
@click.option("--port", default=0, help="Port for HTTP; 0 lets the system choose.")
@click.option(
    "--max-calls", default=15_000, show_default=True, help="Calls that the org allows in 24 hours."
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
    "--option",
    "more",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other option of `python -m sfnb_demo serve`.",
)
@pass_app
def start(  # noqa: PLR0917 - click gives them by name
    app: App,
    size: str,
    port: int,
    max_calls: int,
    minutes_per_second: float,
    competitors: str,
    more: tuple[str, ...],
) -> None:
    """Start the demo org and register it as the org `demo`."""
    if _running(app):
        raise CallerError("the demo org is running already; `sfnb demo stop` ends it.")
    ready_file = _ready_file(app)
    folder = ready_file.parent
    folder.mkdir(parents=True, exist_ok=True)
    ready_file.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "sfnb_demo",
        "serve",
        "--folder",
        str(folder),
        "--ready-file",
        str(ready_file),
    ]
    command += ["--size", size, "--port", str(port), "--max-calls", str(max_calls)]
    command += ["--minutes-per-second", str(minutes_per_second), "--competitors", competitors]
    for pair in more:
        name, _, value = pair.partition("=")
        command += [f"--{name}", value] if value else [f"--{name}"]
    log = folder / "server.log"
    with log.open("wb") as out:
        detach: dict[str, Any] = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
            if os.name == "nt"
            else {"start_new_session": True}
        )
        process = subprocess.Popen(  # noqa: S603
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, **detach
        )
    ready = _wait_for(process, ready_file, log, app.clock)
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text(ready["password"] + ready["security_token"], "utf-8")
    config = OrgConfig(
        name="demo",
        login="password",
        instance_url=ready["url"],
        domain=ready["url"],
        username=ready["username"],
        secrets={"password": f"file:{password}"},
        org_id=ready["org_id"],
    )
    put_org(app.settings, config)
    click.echo(
        f"demo org at {ready['url']} (organization {ready['org_id']}, {max_calls:,} calls in 24 hours)."
    )
    click.echo("Next: sfnb org check demo, sfnb plan demo, sfnb backup demo.")


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
                f"the demo org ended at once: {last[0] if last else 'it said nothing'} (whole log: {log})"
            )
        clock.wait(0.05)
    process.kill()
    raise JobError(f"the demo org did not answer within {START_TIMEOUT_S} s; its log is {log}.")


@demo.command()
@pass_app
def stop(app: App) -> None:
    """Stop the demo org. Its registration and what was backed up stay."""
    ready = _running(app)
    if ready is None:
        click.echo("the demo org is not running.")
        return
    process = psutil.Process(ready["pid"])
    process.terminate()
    try:
        process.wait(10)
    except psutil.TimeoutExpired:
        process.kill()
    _ready_file(app).unlink(missing_ok=True)
    click.echo("demo org stopped.")


@demo.command()
@click.option("--json", "as_json", is_flag=True)
@pass_app
def status(app: App, as_json: bool) -> None:
    """Say whether the demo org runs, and where."""
    ready = _running(app)
    if as_json:
        shown = (
            {k: ready[k] for k in ("url", "https_url", "org_id", "pid") if k in ready}
            if ready
            else {}
        )
        click.echo(json.dumps({"running": ready is not None, **shown}))
    elif ready:
        click.echo(f"the demo org runs at {ready['url']} (process {ready['pid']}).")
    else:
        click.echo("the demo org is not running; `sfnb demo start` starts it.")


COMMANDS: list[click.Command] = [demo]
