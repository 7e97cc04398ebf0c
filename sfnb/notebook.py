"""The notebooks that come with sfnb, and what they share: how a job's progress is shown and its outcome recorded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import BackupRequest, Estimate
from sfnb.errors import CallerError
from sfnb.jobs.loop import OnPause
from sfnb.jobs.summary import job_summary
from sfnb.settings import load_settings

if TYPE_CHECKING:
    import pandas as pd

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


def run(
    org: Connection,
    request: BackupRequest,
    *,
    on_pause: OnPause = "wait",
    poll_s: float | None = None,
    max_wait_s: float | None = None,
    workers: int | None = None,
) -> Run:
    """
    Run a backup as fits the place; arguments as for `engine.run`.

    Where a person watches it runs in the background under a job panel, and the cell ends at once. Headless the cell
    ends with the job, with a line of text for what happens.
    """
    from sfnb.ui import kernel

    options: Any = {
        "on_pause": on_pause,
        "poll_s": poll_s,
        "max_wait_s": max_wait_s,
        "workers": workers,
    }
    if not kernel.is_watched():
        from sfnb.jobs.event_text import Lines

        return Run(org, engine.run(org, request, emit=Lines(sys.stdout), **options)["job_id"])
    from IPython.display import display

    from sfnb.widgets import job_panel

    handle = engine.start(org, request, **options)
    display(job_panel(handle))  # type: ignore[no-untyped-call]
    return Run(org, handle.job_id)


@dataclass
class Run:
    """A notebook's job: over, under way, or not begun yet (``job_id`` empty)."""

    org: Connection
    job_id: str = ""

    def summary(self) -> dict[str, Any] | None:
        """The job's summary as of now; None if it has not begun."""
        return job_summary(self.org.state, self.job_id) if self.job_id else None

    def __repr__(self) -> str:
        summary = self.summary()
        return (
            "<no job yet>"
            if summary is None
            else f"<job {self.job_id} of {self.org.name}: {summary['state']}>"
        )


def outcome(run: Run) -> None:
    """Show how the job ended, as soon as it has; headless, keep its summary in the notebook for `sfnb run`."""
    from IPython.display import display

    from sfnb.ui import kernel

    if kernel.is_watched():
        from sfnb.ui.elements import Picture
        from sfnb.ui.outcome import outcome_html

        display(Picture("Outcome", lambda: outcome_html(run.summary()), every_s=1.0))  # type: ignore[no-untyped-call]
        return
    summary = run.summary()
    if summary is not None:
        display(outcome_frame(summary))  # type: ignore[no-untyped-call]
        record_outcome(summary)


def orgs_frame() -> pd.DataFrame:
    """The registered orgs: ``org``, ``organization_id``, ``address`` (string). Empty if there is none. No API calls."""
    import pandas as pd

    orgs = [org for _, org in sorted(load_settings().orgs.items())]
    return pd.DataFrame(
        {
            "org": pd.Series([org.name for org in orgs], dtype="string"),
            "organization_id": pd.Series([org.org_id for org in orgs], dtype="string"),
            "address": pd.Series([org.instance_url or org.domain for org in orgs], dtype="string"),
        }
    )


def names(value: str | Sequence[str] | None) -> list[str] | None:
    """Names of objects from a parameter: ``"Account,Contact"``, a list, or None."""
    if value is None or isinstance(value, str):
        return [name.strip() for name in (value or "").split(",") if name.strip()] or None
    return list(value)


def plan_frame(forecast: Estimate) -> pd.DataFrame:
    """
    One row for each object of the plan, largest first: ``object`` (string), ``rows`` (Int64, as the org estimates
    them), ``reader`` (string), ``calls`` (float64, its share of shared calls), ``mb`` (float64).
    """
    import pandas as pd

    planned = sorted(
        forecast.plan.objects.values(), key=lambda o: (-(o.expected_rows or 0), o.name)
    )
    return pd.DataFrame(
        {
            "object": pd.Series([o.name for o in planned], dtype="string"),
            "rows": pd.Series([o.expected_rows for o in planned], dtype="Int64"),
            "reader": pd.Series([o.reader for o in planned], dtype="string"),
            "calls": pd.Series([round(o.calls, 1) for o in planned], dtype="float64"),
            "mb": pd.Series([round(o.mb, 1) for o in planned], dtype="float64"),
        }
    )


def print_plan(forecast: Estimate) -> None:
    """The plan in a few sentences: its price, where use stands, where it will pause."""
    price = forecast.plan.price()
    print(
        f"{len(forecast.plan.objects)} objects, about {price['api']:,} calls, {price['bulk2']:,} Bulk 2 jobs"
    )
    for name, reason in forecast.plan.left_out.items():
        print(f"left out: {name}: {reason}")
    for name, reason in forecast.plan.failed.items():
        print(f"failed: {name}: {reason}")
    for sentence in forecast.pauses or ["no pause expected as use stands now"]:
        print(sentence)


def outcome_frame(summary: dict[str, Any]) -> pd.DataFrame:
    """
    One row for each object of a job, failed and unfinished ones first: ``object`` (string), ``state`` (string),
    ``rows`` (Int64), ``calls`` (Int64), ``message`` (string).
    """
    import pandas as pd

    entries = sorted(
        summary["objects"].items(), key=lambda item: (item[1]["state"] == "complete", item[0])
    )
    columns = {"state": "string", "rows": "Int64", "calls": "Int64", "message": "string"}
    return pd.DataFrame(
        {"object": pd.Series([name for name, _ in entries], dtype="string")}
        | {
            key: pd.Series([entry.get(key) for _, entry in entries], dtype=kind)
            for key, kind in columns.items()
        }
    )


def record_outcome(summary: dict[str, Any]) -> None:
    """Keep the job's summary in the notebook, so that `sfnb run` ends with the job's exit code."""
    from IPython.display import display

    text = f"{summary['state'].replace('_', ' ')}: {summary['rows']:,} rows, snapshot {summary['snapshot']}"
    display({OUTCOME_TYPE: summary, "text/plain": text}, raw=True)  # type: ignore[no-untyped-call]
