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
from sfnb.cli.output import say
from sfnb.errors import StoreError
from sfnb.settings import elsewhere

WELCOME = "welcome.ipynb"

LEDGER = ".sfnb-notebooks.json"
"""Digests of the notebooks as copied, in the user's folder: tells an edited one from an old one."""

folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of your copies; default: the folder notebooks in SFNB_HOME.",
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
    Open JupyterLab on copies of the notebooks.

    A copy that you have changed is never overwritten.
    """
    there = _copied(app, folder)
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={there}",
        "--LabApp.default_url=/lab/tree/" + WELCOME,
        # Else tabs come back that other folders' notebooks had, and hide ours.
        f"--LabApp.workspaces_dir={app.settings.home / 'lab'}",
    ]
    os.environ.update(elsewhere(app.settings))
    return _serve(command, port, browser, there)


def _serve(command: list[str], port: int | None, browser: bool, there: Path) -> int:
    if port is not None:
        command.append(f"--port={port}")
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "jupyterlab" in command:
        # JupyterLab refuses to run as root without this; containers run as root.
        command.append("--allow-root")
    say(f"Notebooks: {there}")
    say("Press Ctrl-C to stop.")
    # In the notebooks' folder, since extensions write their files beside where the server was
    # started: jupyter-scheduler's executed notebooks would be nowhere in JupyterLab.
    os.chdir(there)
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
            say(line, err=True)
    except OSError as err:
        raise StoreError(
            f"cannot copy the notebooks to {there}: {err.strerror}; choose another --folder."
        ) from err
    return there


def copy_notebooks(source: Path, there: Path) -> list[str]:
    """
    Copy missing notebooks, update unchanged copies, and leave edited ones alone.

    Returns:
        A sentence for each edited copy of which there is a newer version.

    Raises:
        OSError: the folder cannot be written.
    """
    there.mkdir(parents=True, exist_ok=True)
    ledger = there / LEDGER
    copied: dict[str, str] = json.loads(ledger.read_text("utf-8")) if ledger.exists() else {}
    kept = []
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
                kept.append(
                    f"{new.name} has your changes and is kept; move it away to get the newer one."
                )
                continue
        part = old.with_suffix(".part")
        part.write_bytes(content)
        part.replace(old)
        copied[new.name] = digest
    ledger.write_text(json.dumps(copied, indent=2, sort_keys=True), "utf-8")
    return kept


COMMANDS: list[click.Command] = [lab]
