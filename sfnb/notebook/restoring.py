"""A restore in a notebook: its preview, or why there is none now."""

from __future__ import annotations

from html import escape

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import RestoreRequest
from sfnb.errors import QuotaSignal, TransientError
from sfnb.ui.elements import Picture
from sfnb.ui.restore_preview import RestorePreview
from sfnb.ui.screen import Screen


def preview(org: Connection, request: RestoreRequest) -> Screen:
    """
    What the restore would do; where the org is over the limit of restores or away, why that cannot
    be said now.

    Cost: that of `engine.plan`.

    Raises:
        CallerError: there is no such snapshot; it is of another org and nobody said so.
    """
    try:
        return RestorePreview(org, engine.plan(org, request))
    except (QuotaSignal, TransientError) as err:
        why = (
            f"The plan could not be made now. {err} The job starts paused, plans once usage is below "
            "the limit of restores, and then runs."
        )
        return Picture("Plan", lambda: f"<p class='sfnb-problem'>{escape(why)}</p>", every_s=3600.0)
