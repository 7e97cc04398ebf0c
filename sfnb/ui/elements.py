"""Small parts of the screen: a picture that is kept up to date, and a strip of tabs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from sfnb.errors import SfnbError
from sfnb.ui.kernel import Timer
from sfnb.ui.screen import Screen, picture


class Picture(Screen):
    """
    HTML without buttons, made anew every ``every_s`` seconds.

    Args:
        label: what a screen reader calls it.
        make: the HTML, escaped; what it raises is shown in its place.
    """

    script = "picture"

    def __init__(self, label: str, make: Callable[[], str], *, every_s: float) -> None:
        self._label = label
        self._make = make
        self._body = ""
        self.refresh()
        self._timer = Timer(self._look, every_s)
        self._timer.start()

    def refresh(self) -> None:
        """Make it again."""
        try:
            self._body = self._make()
        except SfnbError as err:
            self._body = f"<p class='sfnb-problem'>{escape(str(err))}</p>"

    def _look(self) -> None:
        before = self._body
        self.refresh()
        if self._body != before:
            self.show()

    def __repr__(self) -> str:
        return f"<{self._label}>"

    def view(self) -> dict[str, Any]:
        return {"label": self._label, "html": self._body}

    def html(self) -> str:
        return picture(self._body)


class Strip(Screen):
    """
    A row of tabs, moved through with the arrow keys.

    Args:
        choose: called with the number of the tab that a person chose.
    """

    script = "strip"

    def __init__(self, label: str, names: Sequence[str], choose: Callable[[int], None]) -> None:
        self._label = label
        self._names = tuple(names)
        self._choose = choose
        self.selected = 0

    def __repr__(self) -> str:
        return f"<tabs: {', '.join(self._names)}>"

    def view(self) -> dict[str, Any]:
        return {"label": self._label, "names": self._names, "selected": self.selected}

    def html(self) -> str:
        return picture(f"<p>{escape(', '.join(self._names))}</p>")

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        if message.get("kind") != "choose":
            return None
        self.selected = min(max(int(message["number"]), 0), len(self._names) - 1)
        self._choose(self.selected)
        return {"ok": True, "selected": self.selected}
