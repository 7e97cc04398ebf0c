"""
What this installation has of records beside the store: rejects of restores, executed notebooks,
reports, logs of the dashboard's commands, and what the state says of jobs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from sfnb.state.database import Database
from sfnb.state.scrubbing import scrub

FOLDERS = ("runs", "reports", "dashboard", "rejects", "notebooks")
"""Below SFNB_HOME. What sfnb wrote in the first three can be made again."""

OURS = ("runs", "reports", "dashboard")


def clear_traces(home: Path, database: Database, ids: Collection[str]) -> list[str]:
    """
    Take out what names one of some Ids; it can be repeated.

    Executed notebooks, reports and logs that name one are removed. Rejects lose the rows, notebooks
    the outputs of the cells that show one.

    Returns:
        Files that still have one because a person wrote it there.
    """
    short = [one[:15] for one in ids]
    scrub(database, [*ids, *short])
    left = []
    for path in _files(home):
        if not _names(path, short):
            continue
        if path.relative_to(home).parts[0] in OURS:
            path.unlink()
        elif path.suffix == ".csv":
            _without_rows(path, short)
        elif path.suffix == ".ipynb":
            _without_outputs(path, short)
        if path.exists() and _names(path, short):
            left.append(str(path))
    return left


def _files(home: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted(path for path in (home / folder).rglob("*") if path.is_file())


def _names(path: Path, texts: Collection[str]) -> bool:
    content = path.read_bytes()
    return any(text.encode() in content for text in texts)


def _without_rows(path: Path, texts: Collection[str]) -> None:
    """A row may go over several lines, so whole records are read and written."""
    import csv
    import io

    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            row for row in csv.reader(file) if not any(t in cell for t in texts for cell in row)
        ]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8", newline="")


def _without_outputs(path: Path, texts: Collection[str]) -> None:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return  # named in the outcome
    for cell in notebook.get("cells", ()):
        if any(text in json.dumps(cell.get("outputs", [])) for text in texts):
            cell["outputs"] = []
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
