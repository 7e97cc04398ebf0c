"""`sfnb run`: a notebook, headless, through papermill; its exit code is that of the job in it."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.output import Unbroken, as_json_option, plain, print_json, say
from sfnb.engine import EXIT_CODES
from sfnb.errors import CallerError, JobError
from sfnb.jobs import states
from sfnb.notebook import OUTCOME_TYPE, find_notebook
from sfnb.private import private_folder


@click.command()
@click.argument("notebook")
@click.option(
    "-p",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter of the notebook.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the executed notebook goes; default: the folder runs in SFNB_HOME.",
)
@as_json_option
@pass_app
def run(
    app: App,
    notebook: str,
    parameters: tuple[tuple[str, str], ...],
    output: Path | None,
    as_json: bool,
) -> int:
    """
    Run NOTEBOOK (a path, or the name of one that comes with sfnb) from start to end.

    What its cells print is shown while they run. The exit code is that of the job in it.
    """
    source = find_notebook(notebook)
    began_at = app.clock.now()
    if output is None:
        runs = private_folder(app.settings.home / "runs")
        output = runs / f"{source.stem}-{began_at:%Y%m%dT%H%M%SZ}.ipynb"
    output.parent.mkdir(parents=True, exist_ok=True)
    given = {name: _value(text) for name, text in parameters}
    try:
        executed = execute(source, output, given, sys.stderr if as_json else sys.stdout)
    except KernelDied as err:
        raise JobError(f"{err} {_interrupted(app, began_at)}".rstrip()) from err
    summary = outcome_of(executed)
    if as_json:
        print_json({"notebook": str(output), "job": summary})
    else:
        say(f"Notebook: {output}")
        if summary:
            state = states.shown_of(summary).replace("_", " ")
            say(f"Job {summary['job_id']} {state}; snapshot {summary['snapshot']}.")
    return EXIT_CODES[states.shown_of(summary)] if summary else 0


class KernelDied(Exception):
    """The process that ran the cells is gone: killed, or out of memory."""


def execute(source: Path, output: Path, parameters: dict[str, Any], shown: TextIO) -> Any:
    """
    The executed notebook; also at ``output``, up to the cell that failed if one did.

    Args:
        shown: gets what the cells print, as they print it.

    Raises:
        CallerError: the notebook has no such parameter, or refuses the value of one.
        JobError: a cell failed; the last line of its error.
        KernelDied: the kernel ended before the notebook did.
    """
    # papermill is heavy and only this command needs it.
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    known = papermill.inspect_notebook(str(source))
    if strange := sorted(set(parameters) - set(known)):
        raise CallerError(
            f"{source.name} has no parameter {strange[0]}; it has {', '.join(known)}."
        )
    # Python 3.11's debugger otherwise prints a warning into every notebook.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    # What it would log is what we raise.
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    relay = Relay(shown)
    try:
        return papermill.execute_notebook(
            str(source),
            str(output),
            parameters,
            kernel_name="python3",
            progress_bar=False,
            # Its warnings (a transport without encryption on this machine) are not the notebook's.
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
            stdout_file=relay,
            stderr_file=relay,
            cwd=output.parent,
        )
    except PapermillExecutionError as err:
        if err.ename == "CallerError":
            # A parameter that a cell refused is wrong usage, as an option of the command line would be.
            raise CallerError(f"{err.evalue} The executed notebook is {output}.") from err
        raise JobError(
            f"{source.name} failed: {err.ename}: {plain(err.evalue)} "
            f"The executed notebook is {output}."
        ) from err
    except DeadKernelError as err:
        raise KernelDied(
            f"{source.name} stopped: its kernel ended unexpectedly (killed, or out of memory)."
        ) from err


class Relay:
    """A file that shows what cells print, for as long as somebody reads it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._printing = Unbroken(out)

    def write(self, text: str) -> None:
        self._printing(lambda: click.echo(plain(text), file=self._out, nl=False))

    def flush(self) -> None:
        self._printing(self._out.flush)


def _interrupted(app: App, began_at: datetime) -> str:
    """What became of the job that the dead kernel ran."""
    lost = [job for job in app.state.jobs.find() if job.started_at >= began_at and not job.is_held]
    if not lost or lost[-1].state.is_final:
        return "It had no job in progress."
    job = lost[-1]
    return f"Job {job.job_id} is interrupted. Resume it with `sfnb resume {job.job_id}`."


def outcome_of(notebook: Any) -> dict[str, Any] | None:
    """The summary that the last cell of an executed notebook left, if there is one."""
    for cell in reversed(notebook.cells):
        for out in cell.get("outputs", ()):
            summary: dict[str, Any] | None = out.get("data", {}).get(OUTCOME_TYPE)
            if summary is not None:
                return summary
    return None


def _value(text: str) -> Any:
    """A parameter as papermill's own command line reads it: True, False, None, numbers, else text."""
    words = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


COMMANDS: list[click.Command] = [run]
