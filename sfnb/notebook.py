"""The notebooks that come with sfnb, and what they share: how a job's progress is shown and its outcome recorded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sfnb.errors import CallerError
from sfnb.jobs.events import Sink

OUTCOME_TYPE = "application/vnd.sfnb.outcome+json"
"""The media type under which a notebook's last cell keeps its job's summary for `sfnb run`."""


def folder() -> Path:
    """Where the notebooks are: within the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
    return next(f for f in (here / "notebooks", here.parent / "notebooks") if f.is_dir())


def find_notebook(name: str) -> Path:
    """
    The notebook at that path, or the one of that name that comes with sfnb.

    Raises:
        CallerError: there is none.
    """
    path = Path(name)
    own = folder() / (path.name if path.suffix == ".ipynb" else f"{path.name}.ipynb")
    if path.is_file():
        return path
    if len(path.parts) == 1 and own.is_file():
        return own
    there = ", ".join(sorted(p.stem for p in folder().glob("*.ipynb")))
    raise CallerError(f"there is no notebook {name}; those that come with sfnb: {there}.")


def is_watched() -> bool:
    """Whether a person sees this notebook run. papermill and nbconvert tell the kernel that nobody can answer it."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return bool(getattr(getattr(shell, "kernel", None), "_allow_stdin", False))


def progress() -> Sink:
    """Shows a job's events: bars for each object where a person watches, steady lines of text otherwise."""
    if is_watched():
        from sfnb.ui.progress import ProgressBars

        return ProgressBars()
    from sfnb.cli.progress import Lines

    return Lines(sys.stdout)


def record_outcome(summary: dict[str, Any]) -> None:
    """Keep the job's summary in the notebook, so that `sfnb run` ends with the job's exit code."""
    from IPython.display import display

    text = f"{summary['state'].replace('_', ' ')}: {summary['rows']:,} rows, snapshot {summary['snapshot']}"
    display({OUTCOME_TYPE: summary, "text/plain": text}, raw=True)  # type: ignore[no-untyped-call]
