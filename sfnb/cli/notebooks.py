"""`sfnb run`: a notebook, headless, through papermill; its exit code is that of the job in it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from sfnb.cli.context import App, pass_app
from sfnb.engine import EXIT_CODES
from sfnb.errors import CallerError, JobError
from sfnb.notebook import OUTCOME_TYPE, find_notebook


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
    help="Where the executed notebook goes.",
)
@pass_app
def run(
    app: App, notebook: str, parameters: tuple[tuple[str, str], ...], output: Path | None
) -> int:
    """Run NOTEBOOK (a path, or the name of one that comes with sfnb) from start to end."""
    source = find_notebook(notebook)
    now = app.clock.now()
    output = output or app.settings.home / "runs" / f"{source.stem}-{now:%Y%m%dT%H%M%SZ}.ipynb"
    output.parent.mkdir(parents=True, exist_ok=True)
    executed = execute(source, output, {name: _value(text) for name, text in parameters})
    click.echo(f"notebook: {output}")
    summary = outcome_of(executed)
    if summary is None:
        return 0
    click.echo(
        f"job {summary['job_id']} {summary['state'].replace('_', ' ')}; snapshot {summary['snapshot']}."
    )
    return EXIT_CODES[summary["state"]]


def execute(source: Path, output: Path, parameters: dict[str, Any]) -> Any:
    """
    The executed notebook; also at ``output``, up to the cell that failed if one did.

    Raises:
        CallerError: the notebook has no such parameter.
        JobError: a cell failed; the last line of its error.
    """
    # papermill is heavy and only this command needs it.
    import papermill
    from papermill.exceptions import PapermillExecutionError

    known = papermill.inspect_notebook(str(source))
    if strange := sorted(set(parameters) - set(known)):
        raise CallerError(
            f"{source.name} has no parameter {strange[0]}; it has {', '.join(known)}."
        )
    # Python 3.11's debugger otherwise prints a warning into every notebook.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    try:
        return papermill.execute_notebook(
            str(source),
            str(output),
            parameters,
            kernel_name="python3",
            progress_bar=sys.stderr.isatty(),
            cwd=output.parent,
        )
    except PapermillExecutionError as err:
        raise JobError(
            f"{source.name} failed: {err.ename}: {err.evalue} The executed notebook is {output}."
        ) from err


def outcome_of(notebook: Any) -> dict[str, Any] | None:
    """The summary that the last cell of an executed notebook left, if there is one."""
    for cell in reversed(notebook.cells):
        for out in cell.get("outputs", ()):
            summary: dict[str, Any] | None = out.get("data", {}).get(OUTCOME_TYPE)
            if summary is not None:
                return summary
    return None


def _value(text: str) -> Any:
    """A parameter as papermill's own command line understands it: True, False, None and numbers are what they say."""
    words = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


COMMANDS: list[click.Command] = [run]
