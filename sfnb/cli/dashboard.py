"""`sfnb dashboard`: the screens in one page, for people who never see Python."""

from __future__ import annotations

import asyncio
import threading
import webbrowser
from html import escape
from pathlib import Path

import click

from sfnb.cli.context import App, pass_app
from sfnb.errors import CallerError
from sfnb.private import private_file, private_folder

PORT = 8866
"""The port when none is named and it is free; then a bookmark of a place finds its way again."""


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port; 0 lets the system choose. Default: {PORT}, or a free one when it is taken.",
)
@click.option("--browser/--no-browser", default=True, help="Open a browser window.")
@pass_app
def dashboard(app: App, port: int | None, browser: bool) -> int:
    """
    Serve usage, limits, backups, snapshots and restores of all orgs as one page, to this machine alone.

    The address that it prints holds a key; without it nobody else on this machine can use the page.
    A job that is started there goes on when the page or this command ends.
    """
    from sfnb.dashboard.parts import PartMaker
    from sfnb.dashboard.server import serve

    app.state  # noqa: B018 - a database that cannot be opened is said before anything is served
    makes = PartMaker(app.installation)
    folder = app.settings.home / "dashboard"

    def ready(with_key: str) -> None:
        click.echo(f"dashboard: {with_key}")
        click.echo("Ctrl-C ends it; backups that were started there go on.")
        threading.Thread(target=_load, name="sfnb-load", daemon=True).start()
        if browser:
            webbrowser.open(way_in(folder, with_key).as_uri())

    try:
        asyncio.run(serve(makes, port=PORT if port is None else port, ready=ready))
    except OSError as err:
        if port is not None:
            raise CallerError(f"Port {port} cannot be used: {err.strerror}.") from err
        asyncio.run(serve(makes, port=0, ready=ready))
    return 0


def _load() -> None:
    """Load what the places need while the page is opened: pandas, Plotly and DuckDB take seconds."""
    import sfnb.report.page
    import sfnb.store.views
    import sfnb.usage.review  # noqa: F401


def way_in(folder: Path, address: str) -> Path:
    """A file that leads to the page. The address itself would show the key to who lists processes."""
    path = private_file(private_folder(folder) / "open.html")
    target = escape(address, quote=True)
    path.write_text(f'<meta http-equiv="refresh" content="0; url={target}">', "utf-8")
    return path


COMMANDS: list[click.Command] = [dashboard]
