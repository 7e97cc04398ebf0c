"""
`python -m sfnb.cli.scheduled TOKEN`: one attempt at a scheduled run, started by the service.

It takes the run by its token, so that only the newest attempt runs anything, keeps it by renewing,
and writes how it ended. A state database that is away then is waited for.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sfnb.cli.context import App
from sfnb.cli.main import STOPPED
from sfnb.cli.main import run as run_command
from sfnb.cli.output import say, settle_streams
from sfnb.errors import SfnbError, StateUnavailable
from sfnb.memory import State
from sfnb.model import JobState
from sfnb.state.schedule import RUN_TOKEN
from sfnb.state.schedule_values import HOLD_S, PAUSED, ScheduledRun, stamp

WAIT_S, PATIENCE_S = 5.0, 86_400.0
"""How often, and for how long, a state database is tried again that is away at the end."""


def main(token: str) -> int:
    """The exit code of the command; 0 where another attempt has taken the run."""
    settle_streams()
    app = App()
    try:
        run = app.state.schedule.take(token)
        if run is None:
            say("Another attempt has taken this run; nothing was done.", err=True)
            return 0
        os.environ[RUN_TOKEN] = token
        words = _command(run)
        say(f"Due {stamp(run.due_at)}, attempt {run.attempts}: sfnb {' '.join(words)}", err=True)
        signal.signal(signal.SIGTERM, _stop)
        with _kept(app.state, token):
            code = run_command(words)
        _finish(app, token, code)
        return code
    finally:
        app.close()


def _command(run: ScheduledRun) -> list[str]:
    """The command; where it has a job already, to resume that."""
    if run.job_id is not None:
        return ["resume", run.job_id, "--on-pause", "exit"]
    return list(run.command)


def _stop(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


@contextmanager
def _kept(state: State, token: str) -> Iterator[None]:
    """Renew the run within the block. Once it is another attempt's, the command is stopped."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(HOLD_S / 3):
            try:
                if not state.schedule.renew(token):
                    _thread.interrupt_main(signal.SIGTERM)
                    return
            except StateUnavailable:
                continue  # nobody else can take it meanwhile either

    thread = threading.Thread(target=keep, name="sfnb-run", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _finish(app: App, token: str, code: int) -> None:
    """Write how it ended, and when it is tried again if that is to be."""
    waited_s = 0.0
    while True:
        try:
            state, now = app.state, app.clock.now()
            if code == PAUSED:
                again_at = now + timedelta(seconds=app.settings.poll_s)
                state.schedule.finish(token, PAUSED, again_at=again_at, note="paused")
            elif code == STOPPED and not _is_cancelled(state, token):
                note = "stopped, to be started again by the service"
                state.schedule.finish(token, PAUSED, again_at=now, note=note)
            else:
                state.schedule.finish(token, code)
            return
        except StateUnavailable as err:
            if waited_s == 0:
                say(f"sfnb: {err} The outcome ({code}) is written once it answers.", err=True)
            if waited_s >= PATIENCE_S:
                raise
            app.clock.wait(WAIT_S)
            waited_s += WAIT_S


def _is_cancelled(state: State, token: str) -> bool:
    """Whether a person has ended the run's job for good."""
    run = next((run for run in state.schedule.open_runs() if run.token == token), None)
    return bool(run and run.job_id and state.jobs.get(run.job_id).state is JobState.CANCELLED)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except SfnbError as err:
        sys.exit(f"sfnb: {err}")
