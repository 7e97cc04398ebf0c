"""The command `sfnb`: puts the commands together and turns errors into one sentence and an exit code."""

from __future__ import annotations

import sys
from importlib import import_module

import click

import sfnb
from sfnb.cli.context import App
from sfnb.errors import CallerError, QuotaSignal, SfnbError

FAILED, WRONG_USAGE, PAUSED, STOPPED = 1, 2, 75, 130

ROOMS = ("demo", "orgs", "limits", "backup", "snapshots", "usage", "notebooks")
"""The modules of this package that have commands, in the order of the help page."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(sfnb.__version__, prog_name="sfnb")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Back up a Salesforce org without eating its API allowance."""
    app = App()
    ctx.obj = app
    ctx.call_on_close(app.close)


for room in ROOMS:
    for command in import_module(f"sfnb.cli.{room}").COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Run the command line and exit. 0 completed, 1 failed, 2 wrong usage, 3 with errors, 75 paused, 130 stopped."""
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """The exit code of one command."""
    try:
        outcome = cli.main(args, prog_name="sfnb", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as err:
        err.show()
        return WRONG_USAGE
    except CallerError as err:
        return _say(err, WRONG_USAGE)
    except SfnbError as err:
        return _say(err, FAILED)
    except QuotaSignal as signal:
        return _say(signal, PAUSED)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped.", err=True)
        return STOPPED


def _say(err: BaseException, code: int) -> int:
    click.echo(f"sfnb: {err}", err=True)
    return code
