"""
Many calls in one: ``POST /composite`` carries up to 25 subrequests, 5 of them queries, for one
counted call (REST guide, Composite).

The inner bodies are cut out of the answer as JSON text, for Arrow to read. Parsing them into Python
objects first would cost more than everything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sfnb.errors import QuotaSignal, SfnbError, TransientError
from sfnb.org.answers import count_of, json_of
from sfnb.org.client import OrgClient
from sfnb.org.refusals import refusal_of


@dataclass(frozen=True, slots=True)
class SubRequest:
    """
    One subrequest.

    Args:
        reference: letters, digits and underscores, unique within the call.
        url: from the root (``/services/data/v66.0/…``), its query string encoded; see
            ``OrgClient.data_path``.
    """

    reference: str
    url: str
    method: str = "GET"
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubResponse:
    """One subrequest's answer; ``body`` is raw JSON text in UTF-8."""

    reference: str
    status: int
    body: bytes = field(repr=False)

    def refusal(self, what: str) -> SfnbError | QuotaSignal | None:
        """The error that this answer means; None when it is good. ``what`` names the call."""
        return refusal_of(self.status, {}, self.body, what=what)


def fetch_composite(
    org: OrgClient, subrequests: Sequence[SubRequest], *, path: str = "composite"
) -> list[SubResponse]:
    """
    The answers, in the order of the subrequests, tried again while the call fails for a moment.

    Cost: 1 API call, whatever is inside. For reading; see ``send_composite``.

    A refused subrequest is an answer (see ``SubResponse.refusal``), not an exception.

    Args:
        path: ``tooling/composite`` for subrequests of the Tooling API.

    Raises:
        ObjectError: the whole call was refused. See ``OrgClient.request`` for the rest.
    """
    return org.retrying(lambda: send_composite(org, subrequests, path=path))


def send_composite(
    org: OrgClient, subrequests: Sequence[SubRequest], *, path: str = "composite"
) -> list[SubResponse]:
    """
    As ``fetch_composite``, sent once: what writes is looked up before anybody sends it again.

    Raises:
        TransientError: what became of the subrequests is not known.
    """
    envelope = {
        "allOrNone": False,
        "collateSubrequests": False,
        "compositeRequest": [_wire(sub, org.address.present_path(sub.url)) for sub in subrequests],
    }
    response = org.request("POST", path, json=envelope)
    return _in_order(cut_composite(response.content), subrequests)


def cut_composite(text: bytes) -> list[SubResponse]:
    """
    The parts of a composite answer.

    Raises:
        TransientError: it is cut off, or not an answer of a composite call.
    """
    spans = _body_spans(text)
    answer = json_of(_with_numbers(text, spans), what="composite")
    try:
        return [_part(text, spans, part) for part in answer["compositeResponse"]]
    except (ValueError, KeyError, TypeError, IndexError) as err:
        raise TransientError("composite: the answer is not one of a composite call.") from err


def _part(text: bytes, spans: Sequence[tuple[int, int]], part: Any) -> SubResponse:
    reference, status = part["referenceId"], count_of(part["httpStatusCode"])
    if not isinstance(reference, str) or status is None or not 100 <= status <= 999:
        raise ValueError("no reference or no status")
    return SubResponse(reference, status, _body(text, spans, part["body"]))


# To the next bracket, strings skipped whole: one step for each record, not for each value.
# Possessive quantifiers, and matches that start where the last one ended: no text makes it try
# again.
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)
_BODY_KEY = re.compile(rb'"body"[ \t\r\n]{0,100}:[ \t\r\n]{0,100}\Z')
_KEY_BYTES = 220
_PART_DEPTH = 3  # {"compositeResponse":[{…


def _body_spans(text: bytes) -> list[tuple[int, int]]:
    """Where the bodies are that are objects or arrays."""
    spans: list[tuple[int, int]] = []
    depth, start, after = 0, -1, 0
    while found := _TO_BRACKET.match(text, after):
        at = found.start(1)
        if text[at] in b"{[":
            if depth == _PART_DEPTH and _BODY_KEY.search(text, max(after, at - _KEY_BYTES), at):
                start = at
            depth += 1
        else:
            depth -= 1
            if depth == _PART_DEPTH and start >= 0:
                spans.append((start, at + 1))
                start = -1
        after = at + 1
    return spans


def _with_numbers(text: bytes, spans: Sequence[tuple[int, int]]) -> bytes:
    """
    The answer with each of these bodies replaced by its number in brackets, like no other body.
    """
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    outside = [text[edges[n] : edges[n + 1]] for n in range(0, len(edges), 2)]
    return b"".join(
        piece + (b"[%d]" % n if n < len(spans) else b"") for n, piece in enumerate(outside)
    )


def _body(text: bytes, spans: Sequence[tuple[int, int]], body: object) -> bytes:
    if isinstance(body, list):
        start, end = spans[body[0]]
        return text[start:end]
    return json.dumps(body).encode()  # null, of an answer without content; or a plain value


def _wire(sub: SubRequest, url: str) -> dict[str, Any]:
    wire: dict[str, Any] = {"method": sub.method, "url": url, "referenceId": sub.reference}
    if sub.body is not None:
        wire["body"] = sub.body
    if sub.headers:
        wire["httpHeaders"] = sub.headers
    return wire


def _in_order(parts: Sequence[SubResponse], subrequests: Sequence[SubRequest]) -> list[SubResponse]:
    by_reference = {part.reference: part for part in parts}
    if missing := [sub.reference for sub in subrequests if sub.reference not in by_reference]:
        raise TransientError(
            f"a composite answer lacks {len(missing)} of {len(subrequests)} parts."
        )
    return [by_reference[sub.reference] for sub in subrequests]
