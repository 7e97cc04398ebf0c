"""A restore in a notebook: its preview, and the button that starts it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

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


def start_button(org: Connection, start: Callable[[], Any]) -> Any:
    """
    A button that starts the restore, and then the job's panel in its place: running all cells of a
    notebook must not write into an org that nobody has looked at.

    Args:
        start: starts it; the panel.
    """
    import ipywidgets

    button = ipywidgets.Button(description=f"Write into {org.name}", button_style="primary")
    button.layout.width = "auto"
    note = ipywidgets.Label(value="Nothing is written before you press this.")
    box = ipywidgets.VBox([ipywidgets.HBox([button, note])])

    def pressed(_: Any) -> None:
        button.disabled = True
        box.children = (start().widget,)

    button.on_click(pressed)
    return box
