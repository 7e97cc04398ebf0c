"""A job's events on a terminal: a bar where somebody watches, plain steady lines otherwise."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Never, TextIO

from sfnb.cli.output import plain
from sfnb.jobs import events
from sfnb.jobs.event_text import Lines, is_repeated_by_next, line_of
from sfnb.model import ObjectState
from sfnb.text import second

if TYPE_CHECKING:
    from datetime import datetime

    from tqdm import tqdm

NOUNS = {"api": "calls", "bulk": "batches", "bulk2": "Bulk jobs", "bulk2_mb": "MB"}
"""What each budget counts."""


class Bars:
    """One bar over all rows, with lines above it for what matters. Safe for threads."""

    def __init__(self, out: TextIO) -> None:
        from tqdm import tqdm

        self._bar: tqdm[Never] = tqdm(
            total=0, unit=" records", unit_scale=True, file=out, dynamic_ncols=True
        )
        self._rows: dict[str, int] = {}
        self._complete = 0
        self._objects: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            is_in_bar = isinstance(event, events.ObjectProgress) or is_repeated_by_next(event)
            if not is_in_bar and (text := line_of(event)):
                self._bar.write(f"{second(event.at)} {plain(text)}", file=self._bar.fp)
            self._move(event)

    def _move(self, event: events.Event) -> None:
        match event:
            case events.JobPlanned():
                self._objects.update(event.objects)
                self._bar.total = sum(n or 0 for n in event.objects.values())
            case events.ObjectFailed():
                # One that cannot even be described is in no plan; the outcome counts it all the same.
                self._objects.add(event.object_name)
            case events.ObjectLeftOut():
                self._objects.discard(event.object_name)
            case events.ObjectProgress():
                self._complete += event.state == ObjectState.COMPLETE
                self._bar.update(event.rows - self._rows.get(event.object_name, 0))
                self._rows[event.object_name] = event.rows
                # Salesforce's record counts are estimates: a bar that is full grows.
                self._bar.total = max(self._bar.total or 0, self._bar.n)
            case events.JobPaused():
                pause = event.pause
                paused = paused_text(pause.api, pause.used, pause.maximum, event.next_check_at)
                self._bar.set_description_str(paused)
                return
            case events.QuotaChecked():
                paused = paused_text(event.api, event.used, event.maximum, event.next_check_at)
                self._bar.set_description_str(paused)
                return
            case events.JobStateChanged():
                return
        self._bar.set_description_str(f"{self._complete}/{len(self._objects)} objects")

    def close(self) -> None:
        """Leave the last bar standing."""
        self._bar.close()


def paused_text(api: str, used: int, maximum: int, until: datetime | None) -> str:
    """``paused until 14:30:00, 59 of 120 calls``; of a pause by a person or an outage no numbers."""
    when = f" until {second(until)}" if until else ""
    numbers = f", {used:,} of {maximum:,} {NOUNS[api]}" if api in NOUNS and maximum >= 0 else ""
    return f"paused{when}{numbers}"


def progress_for(out: TextIO) -> Lines | Bars:
    """A bar on a terminal, lines anywhere else."""
    return Bars(out) if out.isatty() else Lines(out)
