"""EventLogFile: the org's log of API calls. The HTTP half provides the files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from sfnb_demo.data import ids
from sfnb_demo.data.generate import arrow_type
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage

KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class LogFile:
    """
    One file of events.

    Args:
        log_at: start of the UTC day or hour that it covers.
        interval: ``Daily`` or ``Hourly``.
        sequence: 0 for daily ones; hourly ones count from 1 as late events arrive.
        body: CSV, header first.
    """

    event_type: str
    log_at: datetime
    interval: str
    sequence: int
    created_at: datetime
    body: bytes

    @property
    def id(self) -> str:
        hours = int(self.log_at.timestamp() // 3600)
        return ids.make_id(
            "0AT", ids.FIRST + (hours * 2 + (self.interval == "Hourly")) * 64 + self.sequence
        )


Provider = Callable[[datetime, datetime], Iterable[LogFile]]
"""Gives the files whose day or hour started between two moments."""


class EventLogs:
    """The log files available now. Safe for threads."""

    def __init__(self, storage: Storage, obj: ObjectDef, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._object = obj
        self._clock = clock
        self._files: dict[str, LogFile] = {}
        self.provider: Provider | None = None

    def refresh(self, user_id: str) -> None:
        """Replace the table's rows by what the provider gives now."""
        if self.provider is None:
            return
        now = self._clock()
        files = {f.id: f for f in self.provider(now - timedelta(days=KEPT_DAYS), now)}
        rows = [self._row(record_id, file, user_id) for record_id, file in sorted(files.items())]
        columns = {
            f.name: pa.array([r.get(f.name) for r in rows], type=arrow_type(f))
            for f in self._object.stored
        }
        with self._storage.writing():
            if files.keys() == self._files.keys() and all(
                files[k].created_at == self._files[k].created_at for k in files
            ):
                return
            self._files = files
            self._storage.replace(self._object, pa.table(columns))

    def body(self, record_id: str) -> bytes | None:
        file = self._files.get(record_id)
        return None if file is None else file.body

    @staticmethod
    def _row(record_id: str, file: LogFile, user_id: str) -> dict[str, Any]:
        created = file.created_at.astimezone(UTC).replace(tzinfo=None)
        header = file.body.split(b"\n", 1)[0].decode().replace('"', "")
        return {
            "Id": record_id,
            "IsDeleted": False,
            "CreatedDate": created,
            "CreatedById": user_id,
            "LastModifiedDate": created,
            "LastModifiedById": user_id,
            "SystemModstamp": created,
            "EventType": file.event_type,
            "LogDate": file.log_at.astimezone(UTC).replace(tzinfo=None),
            "LogFileLength": float(len(file.body)),
            "LogFileContentType": "text/csv",
            "ApiVersion": 66.0,
            "Sequence": file.sequence,
            "Interval": file.interval,
            "LogFileFieldNames": header,
            "LogFileFieldTypes": ",".join("String" for _ in header.split(",")),
        }
