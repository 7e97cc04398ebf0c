"""Running a job from a command: its progress in sight, and ended by signals at a place of its own choice."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sfnb.cli.output import Unbroken
from sfnb.cli.progress import progress_for

COLOURS = {"completed": "green", "paused": "yellow", "failed": "red"}
"""Of a job's state; any other state that needs a look is yellow, too."""

Work = Callable[..., dict[str, Any]]


def run_with_progress(as_json: bool, work: Work) -> dict[str, Any]:
    """The work's summary; its progress is shown for as long as somebody reads it."""
    out = sys.stderr if as_json else sys.stdout
    progress, printing = progress_for(out), Unbroken(out)
    try:
        return work(emit=lambda event: printing(lambda: progress(event)))
    finally:
        printing(progress.close)


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """
    An event that Ctrl-C and SIGTERM (a scheduler, a shutdown) set; both leave a paused job.

    A KeyboardInterrupt could come anywhere, in the middle of a commit too. A second Ctrl-C raises it.
    """
    stop = threading.Event()

    def ask(_signal: int, _frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
