"""The command `sfnb`: all commands, and errors as one sentence and an exit code."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

import click

import sfnb
from sfnb.cli.context import App, Group
from sfnb.cli.output import Unbroken, answer, print_json, say, settle_streams
from sfnb.errors import CallerError, PausedForState, QuotaSignal, SfnbError
from sfnb.process_memory import give_back_free_memory
from sfnb.text import SAY_UTF8, is_unicode

FAILED, WRONG_USAGE, PAUSED, STOPPED = 1, 2, 75, 130

COMMANDS = {
    "demo": ("demo", "A Salesforce-like org on this machine, to try things on."),
    "org": ("orgs", "Register Salesforce orgs, list and check them."),
    "limit": ("limits", "Show an org's limits, or set how far jobs may go."),
    "audit": ("limits", "Show who did what when and why, or verify the audit log."),
    "prune": ("prune", "Remove snapshots that a policy does not keep."),
    "erase": ("erase", "Take records out of everything that is stored."),
    "hold": ("holds", "Protect records from pruning, archiving and erasure."),
    "team": ("team", "Say who may do what on a state that several people share."),
    "plan": ("plan", "Show what a backup would cost and where it would pause."),
    "backup": ("backup", "Back up an org, pausing at its limit."),
    "restore": ("restore", "Restore what was deleted or changed since a snapshot."),
    "archive": ("archive", "Move records out of an org into the store, or search what was moved."),
    "resume": ("backup", "Resume a paused, failed or killed job in its snapshot."),
    "pause": ("jobs", "Pause a running job."),
    "cancel": ("jobs", "End a job for good; its snapshot stays readable."),
    "jobs": ("jobs", "List all jobs, or those of one org."),
    "snapshots": ("snapshots", "List the snapshots of an org, oldest first."),
    "show": ("snapshots", "Show what a snapshot contains."),
    "export": ("snapshots", "Write an object's records as of a snapshot to a file."),
    "files": ("files", "List the bodies of files in a snapshot, or write one to a file."),
    "diff": ("history", "Show what changed between two snapshots."),
    "history": ("history", "Show the versions of one record."),
    "metadata": ("metadata", "Write the org's metadata as of a snapshot to a folder."),
    "store": ("store", "Compact what is stored, or rewrite what an older sfnb stored."),
    "verify": ("snapshots", "Check that everything stored is as it was written."),
    "usage": ("usage", "Show who used an org's API allowance, by day and app."),
    "fleet": ("fleet", "Show all orgs, the worst first, without a call to any of them."),
    "report": ("usage", "Write an HTML page or PDF on the API use of orgs."),
    "run": ("notebooks", "Run a notebook without a browser."),
    "schedule": ("schedule", "Run commands at set times."),
    "notices": ("notices", "Tell people by mail or chat what happens to jobs and limits."),
    "lab": ("lab", "Open JupyterLab on the notebooks."),
    "dashboard": ("dashboard", "Serve the screens of all orgs as one page without code."),
}
"""Each command: the module that has it among its ``COMMANDS``, and its line in `sfnb --help`."""


class LazyCommands(Group):
    """
    Imports a command's module when the command is called.

    `sfnb --help` imports none of them: its lines stand in the table above.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        commands: list[click.Command] = import_module(f"sfnb.cli.{COMMANDS[cmd_name][0]}").COMMANDS
        return next(command for command in commands if command.name == cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(sfnb.__version__, prog_name="sfnb")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Back up a Salesforce org without eating its API allowance."""
    app = App()
    ctx.obj = app
    ctx.call_on_close(app.close)


def main() -> None:
    """
    Run the command line and exit.

    0 completed, 1 failed, 2 wrong usage, 3 completed with errors, 75 paused, 130 stopped.
    """
    # Imports make many objects and no garbage. Python's usual threshold of 700 new objects, and its
    # collections at the end, cost a third of the CPU time of a short command.
    gc.set_threshold(20_000)
    give_back_free_memory()
    settle_streams()
    code = run(sys.argv[1:])
    if "duckdb" not in sys.modules:  # it would call what is frozen a leak, and say so at length
        gc.freeze()
    sys.exit(code)


def run(args: list[str]) -> int:
    """
    The exit code of one command. An error is one sentence on standard error.

    With ``--json`` a command that failed before it had a result prints ``{error, exit_code}``, so
    that standard output is one JSON value whatever happens.
    """
    answer.is_given = False
    failures: list[str] = []
    code = _run(args, failures)
    own = args[: args.index("--")] if "--" in args else args
    if failures and "--json" in own and not answer.is_given and sys.stdout is not None:
        value = {"error": failures[0], "exit_code": code}
        Unbroken(sys.stdout)(lambda: print_json(value))
    return code


def _run(args: list[str], failures: list[str]) -> int:
    # https://no-color.org: set and not empty means no colours, whatever the terminal can.
    color = False if os.environ.get("NO_COLOR") else None
    try:
        if odd := [one for one in args if not is_unicode(one)]:
            raise CallerError(f"{odd[0]!a} cannot be read as text in this locale. {SAY_UTF8}.")
        outcome = cli.main(args, prog_name="sfnb", standalone_mode=False, color=color)
    except click.exceptions.Exit as exit_:
        outcome = exit_.exit_code
    except click.ClickException as err:
        err.show()
        failures.append(err.format_message())
        outcome = WRONG_USAGE
    except CallerError as err:
        outcome = _failed(err, WRONG_USAGE, failures)
    except PausedForState as err:
        outcome = _failed(err, PAUSED, failures)
    except SfnbError as err:
        outcome = _failed(err, FAILED, failures)
    except QuotaSignal as signal:
        outcome = _failed(signal, PAUSED, failures)
    except (KeyboardInterrupt, click.Abort):
        outcome = _failed("stopped.", STOPPED, failures)
    return outcome if isinstance(outcome, int) else 0


def _failed(what: object, code: int, failures: list[str]) -> int:
    failures.append(str(what))
    if sys.stderr is not None:
        Unbroken(sys.stderr)(lambda: say(f"sfnb: {what}", err=True))
    return code
