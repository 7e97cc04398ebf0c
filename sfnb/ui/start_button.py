"""A button in a notebook that starts what writes into an org."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets


def start_button(name: str, start: Callable[[], Any]) -> Any:
    """
    A button that starts the restore, and then the job's panel in its place: running all cells of a
    notebook must not write into an org that nobody has looked at.

    Args:
        name: the org's.
        start: starts it; the panel.
    """
    button = ipywidgets.Button(description=f"Write into {name}", button_style="primary")
    button.layout.width = "auto"
    note = ipywidgets.Label(value="Nothing is written before you press this.")
    box = ipywidgets.VBox([ipywidgets.HBox([button, note])])

    def pressed(_: Any) -> None:
        button.disabled = True
        box.children = (start().widget,)

    button.on_click(pressed)
    return box
