"""
Widgets for notebooks.

::

    limit_slider(org)                 # where jobs stop, with Save and Cancel
    job_panel(job)                    # a job with its bars and buttons
    job_panel("4b93801b", org=org)    # the same for a job that was started elsewhere
    org_tabs(["demo", "acme"])        # a tab for each org
    snapshot_browser(org)             # snapshots, their objects, their rows
    restore_preview(org, estimate)    # what a restore would write, before it does
    retention_panel(org)              # what is on hold, and what a policy lets go

Shown in a notebook that a person watches, each is a live widget; executed by papermill or
converted, a static picture of its last state. `.widget` gives the ipywidget for those who arrange
widgets themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from sfnb.connection import Connection
from sfnb.engine import Estimate, JobHandle, RestoreEstimate
from sfnb.model import Api
from sfnb.ui.browser import SnapshotBrowser
from sfnb.ui.elements import Picture
from sfnb.ui.panel import JobPanel
from sfnb.ui.restore_preview import RestorePreview
from sfnb.ui.retention import RetentionPanel
from sfnb.ui.slider import LimitSlider
from sfnb.ui.tabs import OrgTabs


def limit_slider(
    org: Connection, *, plan: Estimate | None = None, apis: Sequence[Api] | None = None
) -> LimitSlider:
    """
    A slider for each budget of the org: its use, where jobs stop, what stays for others.

    Args:
        plan: of the next backup, as `engine.plan` gives it; default: what the last backup cost.
        apis: the budgets to show; default: ``api``, and ``bulk`` and ``bulk2`` where the org has
            them.

    Cost: one call if the org's use was not read in the last five minutes.

    Raises:
        CallerError: there is no such API.
    """
    return LimitSlider(org, plan, apis)


def job_panel(job: JobHandle | str, *, org: Connection | None = None) -> JobPanel:
    """
    A job with its bars, pauses, errors and events, and the buttons Pause, Resume and Cancel.

    Args:
        job: what `engine.start` gave, or the id of any job of the org, wherever it runs or ran.
        org: needed with an id.

    Cost: no API calls.

    Raises:
        CallerError: there is no such job of this org.
    """
    return JobPanel(job, org)


def snapshot_browser(org: Connection) -> SnapshotBrowser:
    """
    The org's snapshots and archives, their objects, and an object's rows: paged from the store,
    filtered, sorted.

    ``browser.frame()`` gives what the table shows as a pandas frame. Cost: no API calls.
    """
    return SnapshotBrowser(org)


def restore_preview(org: Connection, estimate: RestoreEstimate) -> RestorePreview:
    """
    What a restore would do: records by object and action, refusals with their reasons, and single
    records field by field, as the org has them now beside the snapshot.

    Args:
        org: the one that would be written.
        estimate: from `engine.plan` of a restore.

    Cost: one call for each record that is opened.
    """
    return RestorePreview(org, estimate)


def retention_panel(org: Connection) -> RetentionPanel:
    """
    The org's holds, the policy of `sfnb.toml`, and what a prune would remove: shown first, confirmed
    twice. Cost: no API calls.
    """
    return RetentionPanel(org)


def org_tabs(orgs: Sequence[str | Connection] | None = None) -> OrgTabs:
    """
    A tab for each org with its use, limits and jobs; a tab is made when it is first opened.

    Args:
        orgs: names or connected orgs; None: all that are registered.

    Cost: for each tab that is opened, a login, a call for the limits, and the event log files that
    were not read yet (`sfnb.usage.collect`).

    Raises:
        CallerError: a name that is not registered, or none is.
    """
    return OrgTabs(orgs)


def fleet() -> Picture:
    """
    All orgs beside each other, the worst first: use, last good backup, next pause, jobs, what is
    wrong. Kept up to date; costs no API calls.
    """
    from sfnb.fleet import fleet_of
    from sfnb.installation import Installation
    from sfnb.ui.fleet import fleet_html

    here = Installation()
    return Picture("Fleet", lambda: fleet_html(fleet_of(here), here.clock.now()), every_s=15.0)
