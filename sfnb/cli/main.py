"""The command `sfnb`: puts the commands together and turns errors into one sentence and an exit code."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import click

import sfnb
from sfnb.cli.context import App
from sfnb.errors import CallerError, QuotaSignal, SfnbError

FAILED, WRONG_USAGE, PAUSED, STOPPED = 1, 2, 75, 130

ROOMS = {
    "demo": "demo",
    "org": "orgs",
    "limit": "limits",
    "audit": "limits",
    "plan": "backup",
    "backup": "backup",
    "resume": "backup",
    "pause": "limits",
    "cancel": "limits",
    "jobs": "limits",
    "snapshots": "snapshots",
    "show": "snapshots",
    "export": "snapshots",
    "verify": "snapshots",
    "usage": "usage",
    "report": "usage",
    "run": "notebooks",
    "lab": "lab",
    "dashboard": "lab",
}
"""Each command and the module of this package that has it among its ``COMMANDS``."""


class Rooms(click.Group):
    """Loads a command's module when the command is asked for: half a second of imports that others need not pay."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(ROOMS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in ROOMS:
            return None
        with _no_collecting():
            commands: list[click.Command] = import_module(f"sfnb.cli.{ROOMS[cmd_name]}").COMMANDS
        return next(command for command in commands if command.name == cmd_name)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Imports throw nothing away: looking for garbage meanwhile is a seventh of a start's CPU time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@click.group(
    cls=Rooms, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(sfnb.__version__, prog_name="sfnb")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Back up a Salesforce org without eating its API allowance."""
    app = App()
    ctx.obj = app
    ctx.call_on_close(app.close)


def main() -> None:
    """Run the command line and exit. 0 completed, 1 failed, 2 wrong usage, 3 with errors, 75 paused, 130 stopped."""
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """The exit code of one command; what went wrong is one sentence on standard error."""
    try:
        outcome = cli.main(args, prog_name="sfnb", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        outcome = exit_.exit_code
    except click.ClickException as err:
        err.show()
        outcome = WRONG_USAGE
    except CallerError as err:
        outcome = _say(err, WRONG_USAGE)
    except SfnbError as err:
        outcome = _say(err, FAILED)
    except QuotaSignal as signal:
        outcome = _say(signal, PAUSED)
    except (KeyboardInterrupt, click.Abort):
        outcome = _say("stopped.", STOPPED)
    return outcome if isinstance(outcome, int) else 0


def _say(what: object, code: int) -> int:
    click.echo(f"sfnb: {what}", err=True)
    return code
