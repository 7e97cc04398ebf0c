"""One body: fetched, proven by size and MD5, kept in the store; or why it could not be had."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sfnb.errors import ObjectError, OrgUnavailable, StopSignal, TransientError
from sfnb.model import Price
from sfnb.org.blobs import blob_path, fetch_blob, image_path
from sfnb.org.client import OrgClient
from sfnb.org.retry import retry
from sfnb.org.transport import call_context
from sfnb.store.bodies.content import Contents, ReceivedBody
from sfnb.store.bodies.fields import Body
from sfnb.store.bodies.index import Entry

TRIES = 3
"""Of one body in one run: each is a call, and the next run tries again."""


class WrongBody(TransientError):
    """What came is not what the record says: an error page, a cut answer, or another file."""


@dataclass(frozen=True, slots=True)
class Received:
    """
    What came of one body.

    Args:
        entry: what is known of it now.
        calls: API calls spent.
        is_away: nobody answered for the org, or this body's call alone failed so; worth a look.
    """

    entry: Entry
    calls: int
    is_away: bool = False


def why_wrong(body: Body, size: int, md5: str) -> str:
    """What speaks against a received body; empty: nothing. Pure."""
    if body.size is not None and size != body.size:
        more = " or more" if size > body.size else ""
        return f"it has {size:,} bytes{more}; the record says {body.size:,}"
    if body.md5 and md5 != body.md5:
        return "its MD5 is not the record's Checksum"
    return ""


def receive(
    org: OrgClient, contents: Contents, body: Body, *, job_id: str, stop: threading.Event
) -> Received:
    """
    Fetch a body into the store. Its content is on disk when this returns.

    Cost: 1 API call; up to 3 while it fails or is not what the record says.

    Raises:
        QuotaSignal, StopSignal: the job has to pause or end.
        JobError: the login is refused, or the store cannot be written.
    """
    calls: list[Price] = []
    field, _, refid = body.field.partition("/")
    path = (
        image_path(body.object_name, body.id, field, refid)
        if refid
        else blob_path(body.object_name, body.id, field)
    )

    def once() -> ReceivedBody:
        with contents.receive() as sink:
            fetch_blob(org, path, _Stoppable(sink, stop), size=body.size)
            if wrong := why_wrong(body, sink.size_bytes, sink.md5):
                raise WrongBody(f"{body.object_name} {body.id}.{body.field}: {wrong}.")
            sink.keep()
        return sink

    with call_context(job_id=job_id, object_name=body.object_name, on_call=calls.append, stop=stop):
        try:
            came = retry(org.clock, stop, once, tries=TRIES)
        except (ObjectError, TransientError) as err:
            entry = Entry.of(body, "missing", reason=str(err)[:500], is_asked=True)
            return Received(entry, _sum(calls), is_away=isinstance(err, OrgUnavailable))
    entry = Entry.of(body, "held", sha256=came.sha256, size=came.size_bytes, is_asked=True)
    return Received(entry, _sum(calls))


def _sum(calls: list[Price]) -> int:
    return sum(price.get("api", 0) for price in calls)


class _Stoppable:
    """A sink that ends a long body when the job has to end at once."""

    def __init__(self, sink: ReceivedBody, stop: threading.Event) -> None:
        self._sink = sink
        self._stop = stop

    def write(self, chunk: bytes) -> None:
        if self._stop.is_set():
            raise StopSignal("pause")
        self._sink.write(chunk)
