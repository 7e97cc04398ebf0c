"""
Where executed notebooks are kept, each with an HTML page that needs no network.

A target is a local file or folder, an object store (``s3://``, ``gs://``, ``az://``), written as a
store of backups is, or any other address that papermill writes to. What goes elsewhere is written
here first, so that a target that is away costs no run: then the files stay here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from sfnb.errors import CallerError, JobError, StoreError
from sfnb.private import private_folder

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
OBJECT_STORE = re.compile(r"(s3|gs|az)://")

POLICY = (
    # Charts bring their scripts along and run in frames of their own; nothing is ever loaded.
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1100px; padding: 24px; }
pre { overflow-x: auto; font-size: 13px; } table { border-collapse: collapse; }
td, th { padding: 2px 10px; text-align: right; } .anchor-link { display: none; }
"""


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where one run goes.

    Args:
        local: the file that the run writes.
        target: the address of the executed notebook; empty: it stays here.
    """

    local: Path
    target: str = ""

    @property
    def notebook(self) -> str:
        return self.target or str(self.local)

    @property
    def html(self) -> str:
        return _html_name(self.notebook)


def place_of(output: str | None, runs: str, name: str, scratch: Path) -> Place:
    """
    Where a run is kept.

    Args:
        output: a file or folder, here or at an address; None: the folder of all runs.
        runs: that folder, here or at an address.
        name: of the run, without a suffix.
        scratch: where what goes elsewhere is written first.

    Raises:
        JobError: the folder cannot be made.
    """
    wanted = output or f"{runs.rstrip('/')}/"
    is_file = wanted.endswith(".ipynb")
    if ADDRESS.match(wanted):
        target = wanted if is_file else f"{wanted.rstrip('/')}/{name}.ipynb"
        return Place(private_folder(scratch) / f"{name}.ipynb", target)
    path = Path(wanted).expanduser()
    local = path if is_file or (output and path.suffix) else path / f"{name}.ipynb"
    try:
        private_folder(local.parent)
    except OSError as err:
        raise JobError(
            f"{local.parent} cannot be made ({err.strerror}); choose another --output."
        ) from err
    return Place(local)


def check(place: Place, source: str) -> None:
    """
    Write the notebook as it is to a target elsewhere, before any call is spent.

    Raises:
        CallerError: that cannot be written to.
    """
    if place.target:
        try:
            _send(source, place.target)
        except StoreError as err:
            raise CallerError(f"the run cannot be kept: {err} Or give another --output.") from err
        except Exception as err:
            raise CallerError(
                f"{place.target} cannot be written to ({_first_line(err)}). Give another --output, or "
                "install what papermill needs for it."
            ) from err


def keep(place: Place) -> str:
    """
    Write the page beside the notebook, and send both where they belong; where the page is.

    Raises:
        JobError: the target does not take them; they stay here.
    """
    page = html_page(place.local)
    here = Path(_html_name(str(place.local)))
    here.write_text(page, "utf-8")
    if not place.target:
        return str(here)
    try:
        _send(place.local.read_text("utf-8"), place.target)
        if not place.target.startswith("http"):  # papermill's way there takes notebooks alone
            _send(page, place.html)
    except Exception as err:
        raise JobError(
            f"{place.target} could not be written ({_first_line(err)}); the executed notebook and its "
            f"page are {place.local} and {here}."
        ) from err
    for path in (place.local, here):
        path.unlink(missing_ok=True)
    return "" if place.target.startswith("http") else place.html


def html_page(notebook: Path) -> str:
    """An executed notebook as one page: what its cells put out, without their code."""
    import nbformat
    from nbconvert import HTMLExporter

    exporter: Any = HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]
    exporter.exclude_input = exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    executed = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(executed)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light">'
        f"<title>{escape(notebook.stem)}</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


def run_name(stem: str, org: str, at: datetime) -> str:
    """The name of a run: notebook, org, time."""
    safe = re.sub(r"[^\w.-]+", "_", org)[:64]
    return "-".join(filter(None, (stem, safe, f"{at:%Y%m%dT%H%M%SZ}")))


def prune(runs: str, stem: str, org: str, *, keeps: int) -> int:
    """
    Remove the oldest runs of a notebook and org but ``keeps``; how many went.

    Args:
        runs: the folder of all runs. What papermill alone can write to is left as it is.

    Raises:
        StoreError: one cannot be deleted, as on Windows while somebody has it open.
    """
    if ADDRESS.match(runs) and not OBJECT_STORE.match(runs):
        return 0
    from sfnb.store.files import Files

    files = Files(runs)
    name = re.compile(
        re.escape(run_name(stem, org, datetime(2000, 1, 1, tzinfo=UTC))[:-17])
        + r"-?\d{8}T\d{6}Z\.ipynb"
    )
    old = [one for one in files.names("") if name.fullmatch(one)]
    for one in old[:-keeps]:
        files.delete(_html_name(one))  # first: what is listed is what is left to delete
        files.delete(one)
    return len(old[:-keeps])


def _html_name(notebook: str) -> str:
    return f"{notebook.removesuffix('.ipynb')}.html"


def _send(text: str, target: str) -> None:
    if OBJECT_STORE.match(target):
        from sfnb.store.files import Files

        folder, _, name = target.rpartition("/")
        Files(folder).put(name, text.encode())
        return
    from papermill.iorw import papermill_io

    papermill_io.get_handler(target).write(text, target)


def _first_line(err: Any) -> str:
    return next(iter(str(err).strip().splitlines()), type(err).__name__)
