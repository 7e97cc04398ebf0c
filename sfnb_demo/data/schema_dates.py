"""When each object's describe last changed, as ``Last-Modified`` and 304 need it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta


class SchemaDates:
    """
    The dates of one org's describes, to the second.

    Each change gets a date of its own, later than every one before, even on a clock that stands
    still. The global describe is as new as the newest object.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._born = self.latest = clock().replace(microsecond=0)
        self._objects: dict[str, datetime] = {}

    def of(self, object_name: str) -> datetime:
        return self._objects.get(object_name, self._born)

    def touch(self, object_name: str) -> None:
        now = self._clock().replace(microsecond=0)
        self.latest = max(now, self.latest + timedelta(seconds=1))
        self._objects[object_name] = self.latest
