"""
EventLogFile ``ApiTotalUsage``: one CSV row for each call, logged or of the other apps.

A daily file appears at 09:14 UTC of the following day, an hourly one three hours after its hour.
Daily files reach back eight days before the org's start and are kept 30 days; hourly ones are kept
two days.
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sfnb_demo.data.event_logs import LogFile
from sfnb_demo.server.calls import Call
from sfnb_demo.server.other_apps import APPS, DAY_MINUTES

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

COLUMNS = [
    "EVENT_TYPE", "TIMESTAMP", "REQUEST_ID", "ORGANIZATION_ID", "USER_ID", "API_FAMILY", "API_VERSION",
    "API_RESOURCE", "CLIENT_NAME", "HTTP_METHOD", "CLIENT_IP", "COUNTS_AGAINST_API_LIMIT", "CONNECTED_APP_ID",
    "CONNECTED_APP_NAME", "ENTITY_NAME", "STATUS_CODE", "USER_NAME", "TIMESTAMP_DERIVED",
]  # fmt: skip
HISTORY_DAYS, KEPT_DAYS, HOURLY_KEPT_DAYS = 8, 30, 2


@dataclass(frozen=True, slots=True)
class Span:
    """The span of one file: a UTC day (since 1970), or with ``hour`` one hour of it."""

    day: int
    hour: int | None = None

    @property
    def start(self) -> datetime:
        return datetime.fromtimestamp(self.day * 86_400 + (self.hour or 0) * 3600, UTC)

    @property
    def end(self) -> datetime:
        return self.start + (timedelta(days=1) if self.hour is None else timedelta(hours=1))

    @property
    def written_at(self) -> datetime:
        return self.end + (
            timedelta(hours=9, minutes=14, seconds=2) if self.hour is None else timedelta(hours=3)
        )


class EventLog:
    """The log files of one org. A file never changes once it exists. Safe for threads."""

    def __init__(self, org: DemoOrg) -> None:
        self._org = org
        self._first_day = int(org.clock.now_s() // 86_400) - HISTORY_DAYS
        self._lock = threading.Lock()
        self._files: dict[Span, LogFile | None] = {}

    def __call__(self, start: datetime, end: datetime) -> Iterator[LogFile]:
        """
        The files whose day or hour began in ``start <= began < end``; none where nothing happened.
        """
        for span in self.spans():
            file = self._file(span) if start <= span.start < end else None
            if file is not None:
                yield file

    def spans(self) -> list[Span]:
        """The spans already written and still kept, oldest first."""
        now = self._org.clock.now()
        today = int(now.timestamp() // 86_400)
        found: list[Span] = []
        for day in range(max(self._first_day, today - KEPT_DAYS), today + 1):
            is_hourly = self._org.options.has_hourly_logs and day > today - HOURLY_KEPT_DAYS
            hours = range(24) if is_hourly else ()
            found += [
                span
                for span in (Span(day), *(Span(day, hour) for hour in hours))
                if span.written_at <= now
            ]
        return found

    def _file(self, span: Span) -> LogFile | None:
        with self._lock:
            if span not in self._files:
                body = self._write(span)
                is_daily = span.hour is None
                self._files[span] = (
                    LogFile(
                        event_type="ApiTotalUsage",
                        log_at=span.start,
                        interval="Daily" if is_daily else "Hourly",
                        sequence=0 if is_daily else 1,
                        created_at=span.written_at,
                        body=body,
                    )
                    if body.count(b"\n") > 1
                    else None
                )
            return self._files[span]

    def _write(self, span: Span) -> bytes:
        start_s, end_s = span.start.timestamp(), span.end.timestamp()
        own = [
            self._own_row(call) for call in self._org.calls.between(start_s, end_s) if call.user_id
        ]
        rows = sorted([*own, *self._other_rows(start_s, end_s)], key=lambda row: row[1])
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
        return out.getvalue().encode()

    def _own_row(self, call: Call) -> list[str]:
        return self._row(
            call.at_s,
            request_id=call.request_id or f"4dEm{call.number:018d}",
            user_id=call.user_id,
            username=call.username,
            family=call.family,
            version=call.version,
            resource=call.resource,
            client=call.client,
            method=call.method,
            is_counted=bool(call.spent.get("api")),
            app_id=call.app_id,
            app=call.app,
            entity=call.entity,
            status=call.status,
        )

    def _other_rows(self, start_s: float, end_s: float) -> Iterator[list[str]]:
        users = self._org.sessions.organization.users
        day = int(start_s // 86_400)
        first, last = int(start_s // 60) - day * DAY_MINUTES, int(end_s // 60) - day * DAY_MINUTES
        for index, app in enumerate(APPS):
            user = users[app.user % len(users)]
            for minute, calls in enumerate(
                self._org.other_apps.calls(index, day)[first:last].tolist(), first
            ):
                for number in range(calls):
                    method, resource, entity = app.resources[(minute + number) % len(app.resources)]
                    yield self._row(
                        day * 86_400 + minute * 60 + number * 60 / calls,
                        request_id=f"4oTh{index}{day:06d}{minute:04d}{number:07d}",
                        user_id=user.user_id,
                        username=user.username,
                        family=app.family,
                        version="62.0",
                        resource=f"/v62.0{resource}",
                        client="",
                        method=method,
                        is_counted=True,
                        app_id=app.connected_app_id,
                        app=app.name,
                        entity=entity,
                        status=200 if method != "PATCH" else 204,
                    )

    def _row(
        self,
        at_s: float,
        *,
        request_id: str,
        user_id: str,
        username: str,
        family: str,
        version: str,
        resource: str,
        client: str,
        method: str,
        is_counted: bool,
        app_id: str,
        app: str,
        entity: str,
        status: int,
    ) -> list[str]:
        """A row; ids have 15 characters here, booleans are 1 and 0."""
        at = datetime.fromtimestamp(at_s, UTC)
        millis = at.microsecond // 1000
        return [
            "ApiTotalUsage",
            f"{at:%Y%m%d%H%M%S}.{millis:03d}",
            request_id,
            self._org.sessions.organization.id15,
            user_id[:15],
            family,
            version,
            resource,
            client,
            method,
            "127.0.0.1",
            "1" if is_counted else "0",
            app_id,
            app,
            entity,
            str(status),
            username,
            f"{at:%Y-%m-%dT%H:%M:%S}.{millis:03d}Z",
        ]
