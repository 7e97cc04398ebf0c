"""
What the front ends say by themselves: labels, questions, and what to say when the kernel is silent.

Everything else they show comes with a screen's view. The JavaScript holds no sentence of its own;
it fills in the names in braces. A test looks for strays.
"""

from __future__ import annotations

from collections.abc import Mapping

SHARED = {
    "silent": "sfnb does not answer: the connection is lost, or it has ended or is busy.",
}

WORDS: Mapping[str, Mapping[str, str]] = {
    "job_panel": {
        "pause": "Pause",
        "resume": "Resume",
        "cancel": "Cancel",
        "overall": "the whole job",
        "happened": "What happened",
        "rows_read": "{name}: rows read",
        "show_all": "Show all {count}",
        "question": "Cancel this job?",
        "consequence": "Cancel this job? What it has stored stays readable, but it cannot be resumed.",
        "yes": "Yes, cancel the job",
        "no": "No, let it run",
        "unknown": "{silent} It is not known whether the job received “{kind}”.",
    },
    "limit_slider": {
        "save": "Save",
        "cancel": "Cancel",
        "read": "Read again",
        "read_hint": "Asks the org; costs one API call",
        "reason": "Reason for the change",
        "reason_hint": "why (kept in the audit log)",
        "replace": "Replace {old} by {new}",
        "unsaved": "● not saved (saved: {saved})",
        "meanwhile": "Changed meanwhile to {new}, you had seen {old}. {last}",
        "contested": "Not saved: somebody else has just changed the limit. Look at it and press Save again.",
        "lost": "Not saved. {silent} What you typed is kept; press Save again.",
        "uncertain": "{silent} It is not known whether this was saved: look at the last change before you try again.",
        "saving": "Saving …",
        "reading": "Asking the org …",
        "cancelled": "Nothing was changed.",
        "same": "as for all jobs",
        "no_reserve": "No limit of their own",
    },
    "browser": {
        "snapshot": "Snapshot",
        "object": "Object",
        "again": "Look again",
        "none": "No snapshot yet: make a backup first.",
        "choose": "choose an object",
        "opening": "Opening …",
        "filtering": "Filtering …",
        "rows": "Rows",
        "rows_help": "Rows: arrow keys move, Enter shows the whole value",
        "cell_help": "click, or press Enter, for the whole value",
        "whole": "Whole value",
        "empty": "(empty)",
        "place": "{column}, row {row}:",
        "filter": "filter",
        "filter_by": "filter {column}",
        "filter_help": "text, =text, = (empty), != (not empty), >5, 5..9",
        "sort_by": "sort by {column}",
        "frame": "As a frame:",
        "copy": "Copy",
        "copied": "Copied.",
        "compare": "What changed since",
        "compare_go": "Compare",
        "older": "Older snapshot",
        "no_older": "This is the oldest snapshot.",
        "comparing": "Comparing …",
        "column_object": "Object",
        "column_added": "Added",
        "column_changed": "Changed",
        "column_deleted": "Deleted",
        "column_fields": "Fields that differ",
        "column_field": "Field",
        "before": "Before",
        "after": "After",
        "value": "Value",
        "versions": "A record's history",
        "record": "Record Id",
        "record_hint": "click a cell, or type an Id",
        "show_versions": "Show its versions",
        "looking": "Looking …",
        "details": "{name}: each change",
        "not_copied": "The browser does not allow copying; select the code by hand.",
    },
    "strip": {"opening": "Opening …"},
    "picture": {},
    # The dashboard's own.
    "page": {
        "loading": "Loading …",
        "report": "Download the report",
        "lost": "The dashboard does not answer. If it was closed, start it again the way you did "
        "before (“sfnb dashboard”); this page then continues. Jobs go on without it.",
        "light": "Light",
        "dark": "Dark",
    },
    "backup_form": {
        "title": "New backup",
        "all": "All objects",
        "only": "Only these objects",
        "except": "All objects except these",
        "names": "Names of the objects",
        "names_hint": "Account, Contact",
        "options": "More options",
        "full": "Read all records again, not only what changed since the last backup",
        "sweep": "Compare all Ids with the org now, to find what was deleted for good",
        "refresh": "Read formula and roll-up columns of all records again now",
        "files": "The bodies of files, too",
        "metadata": "Metadata (objects, fields, triggers, flows …), too, when it is due",
        "start": "Start the backup",
        "plan": "Show the plan",
        "plan_hint": "Asks the org; costs a few API calls",
        "starting": "Starting the backup …",
        "planning": "Asking the org what there is to back up …",
        "runs_on": "A backup runs in a process of its own: you may close this page. It pauses at "
        "the limit, and resumes when usage falls.",
    },
    "add_org": {
        "title": "Add an org",
        "name": "Name of the org here",
        "name_hint": "acme",
        "way": "How sfnb logs in",
        "add": "Add this org",
        "demo": "Start a demo org instead",
        "trying": "Trying the login …",
        "kept": "Use a separate Salesforce user with the permissions API Enabled, View All Data, Query All Files and "
        "View Setup and Configuration. Secrets go to this machine's keyring, nowhere else.",
    },
    "usage": {
        "read": "Read again",
        "read_hint": "Asks the org; costs a few API calls",
        "asking": "Asking the org …",
    },
}
"""By script, under the keys that it uses."""


def words_of(script: str) -> dict[str, str]:
    """What one front end says, with what all of them say."""
    return {**SHARED, **WORDS.get(script, {})}
