"""
Where this code runs: whether a person watches, in which front end, and the loop on which widgets
are touched.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any


def _kernel() -> Any:
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None)


def is_watched() -> bool:
    """
    Whether a person sees this notebook run. papermill and nbconvert tell the kernel that nobody can
    answer it.
    """
    kernel = _kernel()
    return kernel is not None and bool(getattr(kernel, "_allow_stdin", False))


_own = threading.local()


def live_on(loop: Any) -> None:
    """
    Have the screens that this thread makes live on ``loop``, a tornado loop: a page served without
    a kernel.
    """
    _own.loop = loop


def loop() -> Any:
    """
    The loop on whose thread screens are touched: this thread's own, or the kernel's; None: there is
    none.
    """
    return getattr(_own, "loop", None) or getattr(_kernel(), "io_loop", None)


def after_each_cell(call: Callable[[], None]) -> None:
    """
    Have ``call`` run at the end of each cell, when the kernel is about to say that the cell is
    done.
    """
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        shell.events.register("post_run_cell", lambda *_: call())


class Timer:
    """
    Calls ``beat`` on the kernel's loop every ``interval_s`` seconds until it is stopped.

    Outside a kernel it never beats.
    """

    def __init__(self, beat: Callable[[], None], interval_s: float) -> None:
        self._beat = beat
        self._interval_s = interval_s
        self._loop = loop()
        self._is_on = False

    def start(self) -> None:
        if self._loop is not None and not self._is_on:
            self._is_on = True
            self._loop.add_callback(self._later)

    def stop(self) -> None:
        self._is_on = False

    def _later(self) -> None:
        if self._is_on:
            self._loop.call_later(self._interval_s, self._once)

    def _once(self) -> None:
        if self._is_on:
            try:
                self._beat()
            finally:
                self._later()
