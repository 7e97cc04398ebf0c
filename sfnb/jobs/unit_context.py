"""What the units of a job work with: the org, the snapshot's writer, and who pays for a call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from sfnb.clock import Clock
from sfnb.errors import ObjectError, TransientError
from sfnb.model import Price
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, fetch_composite
from sfnb.org.transport import call_context
from sfnb.store.tables import Writer

T = TypeVar("T")

Body = bytes | ObjectError | TransientError
"""A query's answer as sent, or why there is none."""


@dataclass(frozen=True)
class UnitContext:
    """What every unit works with. Shared by threads; each of its members says how."""

    org: OrgClient
    writer: Writer
    job_id: str
    clock: Clock
    stop: threading.Event
    count: Callable[[str, int], None]
    _composite_refused: threading.Event = field(default_factory=threading.Event)

    def call(self, name: str, fn: Callable[[], T], **context: Any) -> T:
        """``fn``'s answer, its calls booked on the object ``name``; what may work soon is tried again."""

        def on_call(price: Price) -> None:
            self.count(name, price.get("api", 0))

        with call_context(
            job_id=self.job_id, object_name=name, on_call=on_call, stop=self.stop, **context
        ):
            return self.org.retrying(fn)

    def query_path(self, soql: str) -> str:
        """The address of a query that sees deleted and archived records too."""
        return self.org.data_path(f"queryAll?q={quote(soql, safe='')}")

    def get(self, name: str, path: str) -> bytes:
        """The body at ``path``, for the object ``name``. One call."""
        return self.call(name, lambda: self.org.request("GET", path, what=name).content)

    def query(self, queries: Sequence[tuple[str, str]]) -> list[Body]:
        """
        The first page of each of up to five queries, in their order; a refused one has its error in its place.

        Args:
            queries: the object's name and the SOQL of each. The call is booked on the first object.

        Cost: one call for all; one each where the org does not take composite calls.
        """
        paths = [(name, self.query_path(soql)) for name, soql in queries]
        if len(paths) > 1 and not self._composite_refused.is_set():
            requests = [SubRequest(f"q{number}", path) for number, (_, path) in enumerate(paths)]
            try:
                answers = self.call(paths[0][0], lambda: fetch_composite(self.org, requests))
            except ObjectError:
                self._composite_refused.set()
            else:
                return [
                    _body(a.refusal(name), a.body)
                    for (name, _), a in zip(paths, answers, strict=True)
                ]
        return [self._query_alone(name, path) for name, path in paths]

    def _query_alone(self, name: str, path: str) -> Body:
        try:
            return self.get(name, path)
        except ObjectError as err:
            return err


def _body(refusal: BaseException | None, body: bytes) -> Body:
    if refusal is None or isinstance(refusal, ObjectError | TransientError):
        return refusal or body
    raise refusal
