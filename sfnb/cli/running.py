"""Running a job from a command: its progress in sight, and ended by signals at a place of its own choice."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from sfnb import engine
from sfnb.cli.output import Unbroken, print_json
from sfnb.cli.progress import progress_for
from sfnb.engine import EXIT_CODES, RunOptions
from sfnb.errors import SfnbError
from sfnb.jobs import states
from sfnb.jobs.summary import job_summary

if TYPE_CHECKING:
    from sfnb.connection import Connection
    from sfnb.engine import ArchiveRequest
    from sfnb.restore.request import RestoreRequest

COLOURS = {"completed": "green", "paused": "yellow", "failed": "red"}
"""Of a job's state; any other state that needs a look is yellow, too."""

Work = Callable[..., dict[str, Any]]


class Report(Protocol):
    """Prints what a job has come to."""

    def __call__(self, summary: dict[str, Any], *, as_json: bool) -> None: ...


def run_with_progress(as_json: bool, work: Work) -> dict[str, Any]:
    """The work's summary; its progress is shown for as long as somebody reads it."""
    out = sys.stderr if as_json else sys.stdout
    progress, printing = progress_for(out), Unbroken(out)
    try:
        return work(emit=lambda event: printing(lambda: progress(event)))
    finally:
        printing(progress.close)


def run_job(
    org: Connection,
    request: ArchiveRequest | RestoreRequest,
    options: RunOptions,
    report: Report,
    *,
    as_json: bool,
) -> int:
    """Create the job and run it to its end, with its progress; its exit code."""
    job_id = ""

    def work(**more: Any) -> dict[str, Any]:
        nonlocal job_id
        handle: RunOptions = {**options, **more}  # type: ignore[typeddict-item]
        job_id = engine.create(org, request)
        return engine.run_job(org, job_id, **handle)

    try:
        summary = run_with_progress(as_json, work)
    except SfnbError:
        # A job that could do nothing still says what it planned and refused.
        if as_json and job_id:
            print_json(job_summary(org.state, job_id))
        raise
    report(summary, as_json=as_json)
    return EXIT_CODES[states.shown_of(summary)]


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """
    An event that Ctrl-C and SIGTERM (a scheduler, a shutdown) set; both leave a paused job.

    A KeyboardInterrupt could come anywhere, in the middle of a commit too. A second Ctrl-C raises it.
    """
    stop = threading.Event()

    def ask(number: int, _frame: Any) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
