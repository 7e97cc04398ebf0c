"""
The places that the page has, in the order of its navigation.

A new place is a module of its own (its screens; their words in `sfnb/ui/words.py`, their layout in
`static/`) and one entry here. It then has an address, a link, jobs' pages below it, and is among
the places that the browser tests open.
"""

from __future__ import annotations

from sfnb.dashboard.archive_form import ArchiveForm
from sfnb.dashboard.archives_part import Retention, archives_part
from sfnb.dashboard.backup_form import BackupForm
from sfnb.dashboard.fleet_part import fleet_part
from sfnb.dashboard.job_parts import AttachedPanel, jobs_part, outcome_part
from sfnb.dashboard.org_parts import (
    Browser,
    Slider,
    add_org_part,
    audit_part,
    bulk_limits_part,
    notice_part,
    orgs_part,
)
from sfnb.dashboard.places import Entry, Fold, Part
from sfnb.dashboard.restore_form import RestoreForm
from sfnb.dashboard.schedule_part import schedule_part
from sfnb.dashboard.usage_part import UsagePart
from sfnb.model import ARCHIVE, RESTORE

NOTICE = Part("notice", notice_part)
"""Why the org could not be asked, if so. The first part of each place of an org."""

LIMITS = (
    Fold("Configure limit", Part("limit_api", lambda at: Slider(at.org, ("api",), closes=True))),
    Fold("Configure Bulk limits", Part("limit_bulk", bulk_limits_part)),
)
"""The limits, in place: a paused job resumes when its limit is raised."""

JOB = (
    NOTICE,
    Part("job", lambda at: AttachedPanel(at.detail, at.org)),
    Part("outcome", lambda at: outcome_part(at.detail, at.org)),
)
"""The page of a job of any kind."""

PLACES = (
    Entry("orgs", "Orgs", (Part("orgs", orgs_part), Part("add_org", add_org_part)), is_of_all=True),
    Entry(
        "usage",
        "Usage",
        (NOTICE, Part("usage", lambda at: UsagePart(at.org))),
        folds=LIMITS,
        reads_event_log=True,
    ),
    Entry(
        "limits",
        "Limits",
        (
            NOTICE,
            Part("limits", lambda at: Slider(at.org, closes=False)),
            Part("audit", audit_part),
        ),
    ),
    Entry(
        "backup",
        "Backup",
        (
            NOTICE,
            Part("backup", lambda at: BackupForm(at.org)),
            Part("jobs", lambda at: jobs_part(at.org)),
        ),
        job_kinds=("backup",),
        job_parts=JOB,
        job_folds=LIMITS,
    ),
    Entry("snapshots", "Snapshots", (NOTICE, Part("snapshots", lambda at: Browser(at.org)))),
    Entry(
        "restore",
        "Restore",
        (
            NOTICE,
            Part("restore", lambda at: RestoreForm(at.org, at.orgs)),
            Part("restores", lambda at: jobs_part(at.org, RESTORE)),
        ),
        job_kinds=(RESTORE,),
        job_parts=JOB,
        job_folds=LIMITS,
    ),
    Entry(
        "archive",
        "Archive",
        (
            NOTICE,
            Part("archive", lambda at: ArchiveForm(at.org)),
            Part("archive_jobs", lambda at: jobs_part(at.org, ARCHIVE)),
            Part("archives", lambda at: archives_part(at.org)),
            Part("retention", lambda at: Retention(at.org)),
        ),
        job_kinds=(ARCHIVE,),
        job_parts=JOB,
        job_folds=LIMITS,
    ),
    Entry("fleet", "Fleet", (Part("fleet", fleet_part),), is_of_all=True),
    Entry("schedule", "Schedule", (Part("schedule", schedule_part),), is_of_all=True),
)
