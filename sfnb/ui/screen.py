"""
What all parts of the screen have in common.

A `Screen` is a plain object: it knows what there is to show, says it as JSON (`view`) and as HTML
(`html`), and hears what a person does (`hear`). Where somebody watches, a `ScreenWidget` carries it
into the browser; where nobody does (papermill, nbconvert), its HTML is left in the notebook and
kept up to date until the last cell has run.
"""

from __future__ import annotations

import json
from functools import cached_property
from importlib.resources import files
from typing import Any, ClassVar, Protocol

import anywidget
import traitlets
from IPython.display import HTML, display

from sfnb.errors import QuotaSignal, SfnbError
from sfnb.series import COLORS
from sfnb.state.team import Team
from sfnb.ui import kernel
from sfnb.ui.words import words_of

STATIC = files("sfnb.ui") / "static"


def script(name: str) -> str:
    """The front end of that name as one module."""
    return module(name, (STATIC / f"{name}.js").read_text("utf-8"))


def module(name: str, own: str) -> str:
    """A front end as one module: its words, what all of them share, and its own code."""
    words = f"const WORDS = {json.dumps(words_of(name))};\n"
    return words + (STATIC / "shared.js").read_text("utf-8") + own


def styles() -> str:
    """The style sheet of all parts, in the colours of all figures (`sfnb.series`)."""
    sheet = (STATIC / "sfnb.css").read_text("utf-8")
    for name, key in (("OWN", "sfnb"), ("OTHERS", "other_apps"), ("LIMIT", "limit")):
        sheet = sheet.replace(f": {name};", f": {COLORS[key]};")
    return sheet


def picture(body: str) -> str:
    """
    A static picture: its own style sheet and light colours, no script, no request to anywhere.
    """
    css = styles()
    return f'<style>{css}</style><div class="sfnb sfnb-static" data-theme="light">{body}</div>'


class ScreenWidget(anywidget.AnyWidget):
    """
    The browser's side of a screen. ``view`` is what it shows first; later changes come as messages.
    """

    view = traitlets.Dict().tag(sync=True)

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._esm = script(screen.script)
        self._css = styles()
        super().__init__(view=screen.view())
        self.on_msg(self._on_message)

    def _on_message(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        answer = self._screen.heard(message)
        if answer is not None:
            self.send({"answer": message.get("id"), **answer})

    def _repr_mimebundle_(self, **_options: Any) -> Any:
        bundle = super()._repr_mimebundle_()
        if bundle is None:
            return None
        data, metadata = bundle
        # For whoever opens the saved notebook where no kernel runs: a converter, a web page, a
        # mail.
        return {
            **data,
            "text/html": self._screen.html(),
            "text/plain": repr(self._screen),
        }, metadata


class Outlet(Protocol):
    """
    What carries a screen into a browser: a widget of a notebook, or a part of the dashboard's page.
    """

    view: Any
    """What the browser shows; setting it shows anew."""

    def send(self, content: dict[str, Any]) -> None:
        """Tell the browser something."""


class Screen:
    """
    Base of the parts of the screen. Not safe for threads: the loop on which it was made, and cells,
    only.
    """

    script: ClassVar[str]
    deeds: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Kinds of messages that not every role may send, each with its deed (`sfnb.state.roles`)."""
    outlet: Outlet | None = None

    def view(self) -> dict[str, Any]:
        """What the browser is to show, as JSON."""
        raise NotImplementedError

    def refused(self, team: Team) -> dict[str, Any]:
        """
        For ``view``: the kinds of messages that whoever looks may not send, whose buttons the browser
        keeps disabled, and why in a sentence. What is sent all the same is refused by the state.
        """
        found, says = team.refused(deed for _, deed in self.deeds)
        return {"kinds": [kind for kind, deed in self.deeds if deed in found], "says": says}

    def html(self) -> str:
        """The same as one piece of HTML without script, for where there is no kernel."""
        raise NotImplementedError

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Do what a person asks; the answer goes back to the browser that asked."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Read again what is shown, where no event brings it. Nothing to do by default."""

    def heard(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """
        `hear`, with what went wrong as an answer: what is shown in place is never a stack trace.
        """
        if message.get("kind") == "hello":
            return {"view": self.view()}
        try:
            return self.hear(message)
        except (SfnbError, QuotaSignal) as err:
            return {"ok": False, "says": str(err)}

    @cached_property
    def widget(self) -> ScreenWidget:
        """The ipywidget, for those who arrange widgets themselves."""
        widget = self.outlet = ScreenWidget(self)
        return widget

    @property
    def is_shown(self) -> bool:
        """Whether a browser has been given it."""
        return self.outlet is not None

    def show(self) -> None:
        """Have the browser show what is to be shown now."""
        if self.outlet is not None:
            self.outlet.view = self.view()

    def send(self, message: dict[str, Any]) -> None:
        """Tell the browser something, if there is one."""
        if self.outlet is not None:
            self.outlet.send(message)

    def close(self) -> None:
        """
        Give back what the screen holds, when nobody will look at it again. Nothing by default.
        """

    def _ipython_display_(self) -> None:
        if kernel.is_watched():
            display(self.widget)  # type: ignore[no-untyped-call]
            return
        handle = display(HTML(self.html()), display_id=True)  # type: ignore[no-untyped-call]
        last = [self.html()]

        def update() -> None:
            self.refresh()
            if handle is not None and (now := self.html()) != last[0]:
                last[0] = now
                handle.update(HTML(now))  # type: ignore[no-untyped-call]

        kernel.after_each_cell(update)
