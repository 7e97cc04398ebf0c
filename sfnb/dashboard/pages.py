"""One open page: its place, and the place's parts, each a screen on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from tornado.ioloop import IOLoop

from sfnb.dashboard.parts import PartMaker
from sfnb.dashboard.places import Part, Place, place_at
from sfnb.dashboard.registry import PLACES
from sfnb.dashboard.wording import in_page
from sfnb.errors import QuotaSignal, SfnbError
from sfnb.ui import kernel
from sfnb.ui.screen import Screen

LOG = logging.getLogger("sfnb.dashboard")

UNFORESEEN = (
    "Something went wrong inside sfnb; the terminal that runs the dashboard shows what. Try again."
)

Send = Callable[[dict[str, Any]], None]
"""Tells the browser something; any thread may call it."""


class LivePart:
    """
    A screen in the page. It is made and lives on a thread of its own, so an org that does not answer one part
    keeps no other part waiting.
    """

    def __init__(self, number: int, kind: str, make: Callable[[], Screen], send: Send) -> None:
        self._number = number
        self._make = make
        self._send = send
        self._screen: Screen | None = None
        self._loop: IOLoop | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        threading.Thread(target=self._run, name=f"sfnb-part-{kind}", daemon=True).start()

    def hear(self, message: dict[str, Any]) -> None:
        """Hand on what the browser says."""
        with self._lock:
            if self._loop is not None:
                self._loop.add_callback(self._heard, message)

    def close(self) -> None:
        """Nobody looks at it any more."""
        with self._lock:
            self._is_closed = True
            if self._loop is not None:
                self._loop.add_callback(self._loop.stop)

    # ---- on the part's own thread

    def _run(self) -> None:
        loop = IOLoop(make_current=True)
        with self._lock:
            self._loop = loop
        kernel.live_on(loop)
        try:
            if not self._is_closed and self._is_made():
                loop.start()
        finally:
            with self._lock:
                self._loop = None
            if self._screen is not None:
                self._screen.close()
            loop.close()

    def _is_made(self) -> bool:
        try:
            screen = self._screen = self._make()
            screen.outlet = self
            self._send({"part": self._number, "script": screen.script, "view": screen.view()})
        except (SfnbError, QuotaSignal) as err:
            self._send({"part": self._number, "problem": in_page(str(err))})
            return False
        except Exception:
            LOG.exception("a part of the page could not be made")
            self._send({"part": self._number, "problem": UNFORESEEN})
            return False
        return True

    def _heard(self, message: dict[str, Any]) -> None:
        try:
            answer = self._screen.heard(message) if self._screen else None
        except Exception:
            LOG.exception("a part of the page could not answer")
            answer = {"ok": False, "says": UNFORESEEN}
        if answer is not None:
            self.send({"answer": message.get("id"), **answer})

    # ---- what the screen sees: sfnb.ui.screen.Outlet

    @property
    def view(self) -> dict[str, Any]:
        """What the browser shows."""
        return self._screen.view() if self._screen else {}

    @view.setter
    def view(self, shown: dict[str, Any]) -> None:
        self._send({"part": self._number, "view": shown})

    def send(self, content: dict[str, Any]) -> None:
        """Tell the browser's side of the screen something."""
        if "says" in content:
            content = {**content, "says": in_page(content["says"])}
        self._send({"part": self._number, "message": content})


class Page:
    """
    One browser window.

    Args:
        send: reaches the browser.
    """

    def __init__(self, makes: PartMaker, send: Send) -> None:
        self._makes = makes
        self._send = send
        self._parts: dict[int, LivePart] = {}
        self._last = 0
        self._place: Place | None = None

    def hear(self, message: dict[str, Any]) -> None:
        """Do what the browser asks: open an address, open or close a part, or hand on to a part."""
        match message:
            case {"open": str(path)}:
                self._open(path)
            case {"mount": str(kind), "slot": str(slot)} if self._place is not None:
                for fold in self._place.folds:
                    if fold.part.name == kind:
                        self._mount(fold.part, slot, self._place)
            case {"part": int(number), "close": True} if number in self._parts:
                self._parts.pop(number).close()
            case {"part": int(number), "message": dict(inner)} if number in self._parts:
                self._parts[number].hear(inner)

    def close(self) -> None:
        """The window is closed. What was started here goes on in its own process."""
        for part in self._parts.values():
            part.close()
        self._parts.clear()

    def _open(self, path: str) -> None:
        self.close()
        self._place = None
        try:
            orgs = self._makes.org_names()
            place = place_at(path, orgs, PLACES)
        except SfnbError as err:
            self._send(
                {
                    "place": Place(path).as_json(self._names(), PLACES),
                    "problem": in_page(str(err)),
                }
            )
            return
        self._place = place
        # The place goes first, with the numbers of its parts; each part follows when it is made.
        numbers = [self._last + n for n, _ in enumerate(place.parts, 1)]
        self._send({"place": place.as_json(orgs, PLACES), "parts": numbers})
        for part in place.parts:
            self._add(part, place)

    def _names(self) -> list[str]:
        try:
            return self._makes.org_names()
        except SfnbError:
            return []

    def _mount(self, part: Part, slot: str, place: Place) -> None:
        # The number goes first, so that the page knows whose the part's messages are.
        self._send({"slot": slot, "part": self._last + 1})
        self._add(part, place)

    def _add(self, part: Part, place: Place) -> int:
        self._last += 1
        self._parts[self._last] = LivePart(
            self._last, part.name, lambda: self._makes.make(part, place), self._send
        )
        return self._last
