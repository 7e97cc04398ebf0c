"""
What the notebooks that come with sfnb share: checked parameters, a plan, a run, an outcome.

::

    options = notebook.run_options(on_pause="exit", poll_minutes=30)   # refuses wrong usage
    plan = notebook.plan(connection, request)    # also where the org is over its limit
    job = notebook.run(connection, request, **options)
    notebook.outcome(job)
"""

from __future__ import annotations

from sfnb.notebook.archiving import PlannedArchive, archive_plan, archive_request
from sfnb.notebook.files import find_notebook, folder
from sfnb.notebook.outcome import OUTCOME_TYPE, outcome, record_outcome
from sfnb.notebook.parameters import names, request, restore_request, run_options
from sfnb.notebook.restoring import preview
from sfnb.notebook.running import Run, run
from sfnb.notebook.tables import fleet_frame, orgs_frame, outcome_frame, plan_frame
from sfnb.ui.planned import Planned, plan

__all__ = [
    "OUTCOME_TYPE",
    "Planned",
    "PlannedArchive",
    "Run",
    "archive_plan",
    "archive_request",
    "find_notebook",
    "fleet_frame",
    "folder",
    "names",
    "orgs_frame",
    "outcome",
    "outcome_frame",
    "plan",
    "plan_frame",
    "preview",
    "record_outcome",
    "request",
    "restore_request",
    "run",
    "run_options",
]
