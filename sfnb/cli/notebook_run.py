"""Runs a notebook headless: which kernel, which parameters, what its cells print, how its job ended."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, TextIO

import click

from sfnb.cli.output import Unbroken, plain
from sfnb.errors import CallerError, JobError
from sfnb.notebook import OUTCOME_TYPE


class KernelDied(Exception):
    """The process that ran the cells is gone: killed, or out of memory."""


def execute(
    source: Path, output: Path, parameters: dict[str, Any], shown: TextIO, *, kernel: str
) -> Any:
    """
    The executed notebook; also at ``output``, up to the cell that failed if one did.

    Args:
        shown: gets what the cells print, as they print it.
        kernel: from `kernel_for`.

    Raises:
        CallerError: a cell refused the value of a parameter.
        JobError: a cell failed; the last line of its error.
        KernelDied: the kernel ended before the notebook did.
    """
    # papermill is heavy and only this command needs it.
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

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
            kernel_name=kernel,
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
            f"{source.name} failed: {err.ename}: {plain(err.evalue).rstrip('. ')}. "
            f"The executed notebook is {output}."
        ) from err
    except DeadKernelError as err:
        raise KernelDied(
            f"{source.name} stopped: its kernel ended unexpectedly (killed, or out of memory)."
        ) from err


def load(source: Path) -> Any:
    """
    The notebook in a file.

    Raises:
        CallerError: the file is no notebook.
    """
    import nbformat

    try:
        return nbformat.read(source, as_version=4)  # type: ignore[no-untyped-call]
    except (ValueError, OSError, AttributeError, KeyError) as err:
        raise CallerError(f"{source} is no notebook: {type(err).__name__}.") from err


def known_parameters(source: Path, notebook: Any, given: dict[str, Any]) -> dict[str, Any]:
    """
    The notebook's parameters with their defaults, as far as those are plain values.

    Raises:
        CallerError: one is given that it does not have.
    """
    import papermill

    tagged = any(
        "parameters" in cell.get("metadata", {}).get("tags", ()) for cell in notebook.cells
    )
    if not tagged:
        if given:
            raise CallerError(
                f"{source.name} has no parameters: none of its cells has the tag `parameters`. Tag "
                "the cell that sets them (JupyterLab: property inspector), or leave -p out."
            )
        return {}
    known = papermill.inspect_notebook(str(source))
    if strange := sorted(set(given) - set(known)):
        has = (
            f"it has {', '.join(known)}"
            if known
            else "its cell with the tag `parameters` sets none"
        )
        raise CallerError(f"{source.name} has no parameter {strange[0]}; {has}.")
    return {name: parse_value(str(one["default"]).strip("\"'")) for name, one in known.items()}


def kernel_for(source: Path, notebook: Any, wanted: str | None) -> str:
    """
    The kernel to run it with: the one that was asked for, else the notebook's own. For Python that
    is this installation's where the notebook's own is not here: its name is only another machine's.

    Raises:
        CallerError: there is no such kernel here.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    spec = notebook.metadata.get("kernelspec", {})
    language = spec.get("language") or notebook.metadata.get("language_info", {}).get("name")
    here = sorted(KernelSpecManager().find_kernel_specs())
    own = spec.get("name") or "python3"
    name = wanted or own
    if name in here:
        return str(name)
    if not wanted and str(language or "python").lower() == "python" and "python3" in here:
        return "python3"
    raise CallerError(
        f"{source.name} needs the kernel {name!r}, which is not here; there is "
        f"{', '.join(here) or 'none'}. Install it, or name another with --kernel."
    )


class Relay:
    """A file that shows what cells print, for as long as somebody reads it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._printing = Unbroken(out)

    def write(self, text: str) -> None:
        self._printing(lambda: click.echo(plain(text), file=self._out, nl=False))

    def flush(self) -> None:
        self._printing(self._out.flush)


def outcome_of(notebook: Any) -> dict[str, Any] | None:
    """The summary that the last cell of an executed notebook left, if there is one."""
    for cell in reversed(notebook.cells):
        for out in cell.get("outputs", ()):
            summary: dict[str, Any] | None = out.get("data", {}).get(OUTCOME_TYPE)
            if summary is not None:
                return summary
    return None


def parse_value(text: str) -> Any:
    """A parameter as papermill's own command line reads it: True, False, None, numbers, else text."""
    words = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    try:
        return json.loads(text)
    except ValueError:
        return text
