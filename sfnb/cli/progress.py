"""A job's events on a terminal: bars where somebody watches, plain steady lines otherwise."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Never, TextIO

from sfnb.jobs import events
from sfnb.jobs.event_text import Lines, is_repeated_by_next, line_of
from sfnb.model import ObjectState
from sfnb.text import second

if TYPE_CHECKING:
    from tqdm import tqdm


class Bars:
    """One bar over all rows, with lines above it for what matters. Safe for threads."""

    def __init__(self, out: TextIO) -> None:
        from tqdm import tqdm

        self._bar: tqdm[Never] = tqdm(
            total=0, unit=" rows", unit_scale=True, file=out, dynamic_ncols=True
        )
        self._rows: dict[str, int] = {}
        self._done = 0
        self._objects = 0
        self._lock = threading.Lock()

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            if isinstance(event, events.JobPlanned):
                self._objects = len(event.objects)
                self._bar.total = sum(n or 0 for n in event.objects.values())
            if isinstance(event, events.ObjectProgress):
                self._done += event.state == ObjectState.COMPLETE
                self._bar.update(event.rows - self._rows.get(event.object_name, 0))
                self._rows[event.object_name] = event.rows
                self._bar.total = max(self._bar.total or 0, self._bar.n)
                self._bar.set_description(f"{self._done}/{self._objects} objects")
            elif (text := line_of(event)) and not is_repeated_by_next(event):
                self._bar.write(f"{second(event.at)} {text}", file=self._bar.fp)

    def close(self) -> None:
        """Leave the last bar standing."""
        self._bar.close()


def progress_for(out: TextIO) -> Lines | Bars:
    """Bars on a terminal, lines anywhere else."""
    return Bars(out) if out.isatty() else Lines(out)
