"""`sfnb lab`: the notebooks in JupyterLab."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import click

from sfnb import notebook
from sfnb.cli.context import App, pass_app
from sfnb.errors import StoreError

WELCOME = "welcome.ipynb"

LEDGER = ".sfnb-notebooks.json"
"""In the user's folder: the digest of each notebook as it was copied, to tell a changed one from an old one."""

folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the notebooks are copied to and kept; default: the folder notebooks in SFNB_HOME.",
)
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), help="Port; 0 lets the system choose."
)
browser_option = click.option("--browser/--no-browser", default=True, help="Open a browser window.")


@click.command()
@folder_option
@port_option
@browser_option
@pass_app
def lab(app: App, folder: Path | None, port: int | None, browser: bool) -> int:
    """
    Open JupyterLab on the notebooks, beginning with a welcome.

    They are copied into a folder of yours and never overwritten once you have changed them.
    """
    there = _copied(app, folder)
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={there}",
        "--LabApp.default_url=/lab/tree/" + WELCOME,
    ]
    return _serve(command, port, browser, there)


def _serve(command: list[str], port: int | None, browser: bool, there: Path) -> int:
    if port is not None:
        command.append(f"--port={port}")
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "jupyterlab" in command:
        # As root JupyterLab refuses to start unless it is told so; containers run as root.
        command.append("--allow-root")
    click.echo(f"notebooks: {there}")
    click.echo("Ctrl-C ends it.")
    if os.name == "posix":
        # The server takes this process's place, so that whoever ends it ends the server.
        sys.stdout.flush()
        os.execv(command[0], command)  # noqa: S606 - our own interpreter, a folder and a port
    # The server hears Ctrl-C itself; we wait for it to end in its own way.
    with subprocess.Popen(command) as server:  # noqa: S603 - likewise
        while True:
            try:
                return server.wait()
            except KeyboardInterrupt:
                continue


def _copied(app: App, folder: Path | None) -> Path:
    there = (folder or app.settings.home / "notebooks").expanduser().resolve()
    try:
        for line in copy_notebooks(notebook.folder(), there):
            click.echo(line)
    except OSError as err:
        raise StoreError(
            f"the notebooks cannot be copied to {there}: {err.strerror}; choose another --folder."
        ) from err
    return there


def copy_notebooks(source: Path, there: Path) -> list[str]:
    """
    Copy the notebooks that are not there, renew those that are as we once copied them, and leave changed ones alone.

    Returns:
        A sentence for each notebook that is newer here but was not renewed.

    Raises:
        OSError: the folder cannot be written.
    """
    there.mkdir(parents=True, exist_ok=True)
    ledger = there / LEDGER
    copied: dict[str, str] = json.loads(ledger.read_text("utf-8")) if ledger.exists() else {}
    told = []
    for new in sorted(source.glob("*.ipynb")):
        old, content = there / new.name, new.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if old.exists():
            now = hashlib.sha256(old.read_bytes()).hexdigest()
            if now == digest:
                copied[new.name] = digest
                continue
            if copied.get(new.name) == digest:
                continue  # changed by its owner, and no newer one has come since
            if copied.get(new.name) != now:
                told.append(
                    f"{new.name} was changed by you and is kept; to take the newer one, move yours away."
                )
                continue
        part = old.with_suffix(".part")
        part.write_bytes(content)
        part.replace(old)
        copied[new.name] = digest
    ledger.write_text(json.dumps(copied, indent=2, sort_keys=True), "utf-8")
    return told


COMMANDS: list[click.Command] = [lab]
