"""What one running unit works with: the org, a writer of parts, and the count of its calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa

from sfnb.backup.plan import MAX_URL_CHARS
from sfnb.backup.units import Query, query_path
from sfnb.errors import ObjectError, TransientError
from sfnb.model import Price
from sfnb.org.arrow import arrow_schema, wider_schema
from sfnb.org.changes import ChangeReader
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, fetch_composite
from sfnb.org.transport import call_context
from sfnb.store.part_writer import PartWriter
from sfnb.store.parts import Part

T = TypeVar("T")

Body = bytes | ObjectError | TransientError
"""A query's answer as sent, or why there is none."""

Opened = Callable[[str | None], None]
"""
Takes a result page's next locator (None: it is the last) as soon as the head of the answer is here.
"""


@dataclass
class UnitContext:
    """
    One unit's call context. For one thread; what it holds is shared by threads, and each member
    says how.

    Args:
        opened: takes the next locator early, where the worker shares memory with who decides; None
            elsewhere.
        composite_refused: set when this org does not take composite calls.
        lists: asks for change lists, and remembers how this org wants to be asked.
        calls: API calls spent so far, by object.
    """

    org: OrgClient
    job_id: str
    stop: threading.Event
    composite_refused: threading.Event
    lists: ChangeReader
    opened: Opened | None = None
    calls: dict[str, int] = field(default_factory=dict)

    def call(self, name: str, fn: Callable[[], T], **context: Any) -> T:
        """
        ``fn``'s answer, its calls booked on the object ``name``. A passing failure is tried again.
        """

        def on_call(price: Price) -> None:
            self.calls[name] = self.calls.get(name, 0) + price.get("api", 0)

        with call_context(
            job_id=self.job_id, object_name=name, on_call=on_call, stop=self.stop, **context
        ):
            return self.org.retrying(fn)

    def columns(self, query: Query) -> pa.Schema:
        """The Arrow columns of a query's rows, wider where values have asked for it."""
        return wider_schema(arrow_schema(query.schema), dict(query.wider))

    def write(self, query: Query, batches: Iterable[pa.RecordBatch]) -> tuple[Part, ...]:
        """The rows on disk, not yet visible: the deciding thread commits them."""
        return tuple(PartWriter(query.target, self.org.clock).write(batches))

    def get(self, name: str, path: str) -> bytes:
        """The body at ``path``, for the object ``name``. One call."""
        return self.call(name, lambda: self.org.request("GET", path, what=name).content)

    def query(self, queries: Sequence[tuple[str, str]]) -> list[Body]:
        """
        The first page of each of up to five queries, in their order; a refused one has its error in
        its place.

        Args:
            queries: the object's name and the SOQL of each. The call is booked on the first object.

        Cost: one call for all; one each where the org does not take composite calls.
        """
        paths = [(name, self.org.data_path(query_path(soql))) for name, soql in queries]
        # A query too long for an address fits into a composite call: SOQL may have 100,000
        # characters
        # (SOQL limits), an address with its headers 16,384 bytes (REST guide, Status Codes).
        is_worth_it = len(paths) > 1 or any(len(path) > MAX_URL_CHARS for _, path in paths)
        if is_worth_it and not self.composite_refused.is_set():
            requests = [SubRequest(f"q{number}", path) for number, (_, path) in enumerate(paths)]
            try:
                answers = self.call(paths[0][0], lambda: fetch_composite(self.org, requests))
            except ObjectError:
                self.composite_refused.set()
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
