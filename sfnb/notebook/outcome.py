"""How a notebook's job ended: on the screen, in the saved notebook, and for `sfnb run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sfnb.jobs import events
from sfnb.jobs.summary import counts_of
from sfnb.model import RESTORE
from sfnb.text import records
from sfnb.ui.differences import differences
from sfnb.ui.outcome import Outcome, outcome_html

if TYPE_CHECKING:
    from sfnb.notebook.running import Run

OUTCOME_TYPE = "application/vnd.sfnb.outcome+json"
"""The media type under which a notebook's last cell keeps its job's summary for `sfnb run`."""


def outcome(run: Run) -> None:
    """
    Show how the job ended, as soon as it has; headless, keep its summary in the notebook for `sfnb
    run`.
    """
    from IPython.display import display

    from sfnb.ui import kernel

    if kernel.is_watched():
        from sfnb.ui.elements import Picture

        display(Picture("Outcome", lambda: _html_of(run), every_s=1.0))  # type: ignore[no-untyped-call]
        return
    if not run.job_id:
        print(run.says)  # noqa: T201 - a notebook's cell says it
        return
    found = replace(outcome_of(run), is_left=True)
    html = f"<div>{outcome_html(found)}</div>"
    display({"text/html": html, "text/plain": "\n".join(found.lines())}, raw=True)  # type: ignore[no-untyped-call]
    record_outcome(found.summary)


def _html_of(run: Run) -> str:
    return outcome_html(outcome_of(run)) if run.job_id else f"<p>{run.says}</p>"


def outcome_of(run: Run) -> Outcome:
    """The job's summary, and what its plan had expected of it."""
    org, summary = run.org, run.summary()
    if summary["kind"] == RESTORE:
        return Outcome({**summary, "differences": differences(org.store.files, run.job_id)})
    planned: events.JobPlanned | None = None
    for kept in org.state.jobs.events(run.job_id):
        event = events.parse_payload(run.job_id, kept.at, kept.kind, kept.payload)
        planned = event if isinstance(event, events.JobPlanned) else planned
    # What the plan could not know: the org refused it when it was read.
    refused = {n: e["message"] or "" for n, e in summary["objects"].items() if e.get("left_out")}
    return Outcome(
        summary,
        expected=dict(planned.objects) if planned else {},
        left_out=(dict(planned.left_out) if planned else {}) | refused,
    )


def record_outcome(summary: Mapping[str, Any]) -> None:
    """Keep the job's summary in the notebook, so that `sfnb run` ends with the job's exit code."""
    from IPython.display import display

    counts = counts_of(summary)
    text = (
        f"{summary['state'].replace('_', ' ')}: {records(counts.records, counts.in_bin)}, "
        f"snapshot {summary['snapshot']}"
    )
    display({OUTCOME_TYPE: dict(summary), "text/plain": text}, raw=True)  # type: ignore[no-untyped-call]
