"""Buttons in a notebook that start what writes into an org, or deletes in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets


def start_button(name: str, start: Callable[[], Any], *, refusal: str = "") -> Any:
    """
    A button that starts the restore, and then the job's panel in its place: running all cells of a
    notebook must not write into an org that nobody has looked at.

    Args:
        name: the org's.
        start: starts it; the panel.
        refusal: why whoever looks may not; the button then stays disabled.
    """
    button = ipywidgets.Button(description=f"Write into {name}", button_style="primary")
    button.layout.width = "auto"
    button.disabled = bool(refusal)
    note = ipywidgets.Label(value=refusal or "Nothing is written before you press this.")
    box = ipywidgets.VBox([ipywidgets.HBox([button, note])])

    def pressed(_: Any) -> None:
        button.disabled = True
        box.children = (start().widget,)

    button.on_click(pressed)
    return box


def delete_button(
    name: str, question_text: str, start: Callable[[], Any], *, refusal: str = ""
) -> Any:
    """
    A button that asks, and a second one that starts the archive, then the job's panel in their
    place: what is deleted is confirmed twice.

    Args:
        name: the org's.
        question_text: what a person says yes to.
        start: starts it; the panel.
        refusal: why whoever looks may not; the buttons then stay disabled.
    """
    first = ipywidgets.Button(description="Archive and delete …", button_style="warning")
    yes = ipywidgets.Button(description=f"Yes, delete in {name}", button_style="danger")
    no = ipywidgets.Button(description="No")
    for button in (first, yes):
        button.layout.width = "auto"
    first.disabled = bool(refusal)
    note = ipywidgets.Label(
        value=refusal or "Nothing is deleted before you have confirmed it twice."
    )
    question = ipywidgets.Label(value=f"{question_text} Go on?")
    asked = ipywidgets.HBox([first, note])
    box = ipywidgets.VBox([asked])

    def ask(_: Any) -> None:
        box.children = (question, ipywidgets.HBox([yes, no]))

    def leave(_: Any) -> None:
        box.children = (asked,)

    def pressed(_: Any) -> None:
        yes.disabled = True
        box.children = (start().widget,)

    first.on_click(ask)
    no.on_click(leave)
    yes.on_click(pressed)
    return box
