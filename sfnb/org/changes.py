"""
What has changed since a moment, by Salesforce's own lists: ``/sobjects/X/updated`` and ``/deleted``.

Both are hints. They know whole minutes only, reach back 30 and 15 days, and the list of deletions is
cut when it grows too large (REST guide, Get Updated and Get Deleted). Each answer therefore says up
to when it is complete, and whether its beginning is. What the lists leave open is read or swept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote

from sfnb.errors import ObjectError, OrgUnavailable, QuotaSignal, SfnbError, TransientError
from sfnb.org.answers import json_of, mapping_of, mappings_of, text_of
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, SubResponse, fetch_composite
from sfnb.org.ids import is_record_id, to18
from sfnb.org.prices import MAX_SUBREQUESTS

Resource = Literal["updated", "deleted"]

REACH: Mapping[Resource, timedelta] = {
    "updated": timedelta(days=30, hours=-1),
    "deleted": timedelta(days=15, hours=-1),
}
"""
How far back a list may be asked for: an hour less than Salesforce keeps, since the clock runs on
between computing a start and asking (INVALID_REPLICATION_DATE).
"""

MINUTE = timedelta(minutes=1)

SINGLE_CALLS = 50
"""
Calls for one list each that are spent where the org takes these resources in no composite call.
Beyond that the lists are left out: what changed is queried, and deletions wait for a sweep.
"""


@dataclass(frozen=True, slots=True)
class Window:
    """
    Whole minutes, UTC.

    Args:
        is_clamped: it starts later than was asked for, because the org keeps no list of the time
            before.
    """

    start: datetime
    end: datetime
    is_clamped: bool = False


@dataclass(frozen=True, slots=True)
class ChangeQuery:
    """One list of one object in a window."""

    object_name: str
    resource: Resource
    window: Window


@dataclass(frozen=True, slots=True)
class ChangeList:
    """
    One answer.

    Args:
        ids: of 18 characters, each once, in the org's order.
        covered_at: up to then the list is complete; never later than the end of the window.
        is_whole: nothing is missing between the start that was wanted and ``covered_at``.
    """

    ids: tuple[str, ...]
    covered_at: datetime
    is_whole: bool


TOO_MANY = "EXCEEDED_ID_LIMIT"
"""The code of a list with over 600,000 Ids (REST guide): the object is read by its stamps."""


def window_since(since: datetime, now: datetime, resource: Resource) -> Window:
    """
    The window that begins no later than ``since`` and ends with the minute of ``now``.

    Args:
        now: the org's time, as its answers tell it; never our clock's.
    """
    end = _minute(now) + MINUTE
    wanted = min(_minute(since), end - 2 * MINUTE)
    earliest = _minute(now - REACH[resource]) + MINUTE
    return Window(max(wanted, earliest), end, is_clamped=wanted < earliest)


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def change_path(query: ChangeQuery) -> str:
    """The address of a list, below the API version."""
    start, end = (
        quote(moment.isoformat(timespec="seconds"), safe="")
        for moment in (query.window.start, query.window.end)
    )
    return f"sobjects/{query.object_name}/{query.resource}/?start={start}&end={end}"


def parse_changes(answer: object, query: ChangeQuery) -> ChangeList | ObjectError:
    """
    The list in an answer; pure. Nothing in it is believed beyond the window that was asked for.
    """
    body = mapping_of(answer)
    if query.resource == "updated":
        listed = body.get("ids")
        found = listed if isinstance(listed, list) else []
        is_list = isinstance(listed, list)
    else:
        entries = body.get("deletedRecords")
        found = [entry.get("id") for entry in mappings_of(entries)]
        is_list = isinstance(entries, list) and len(found) == len(entries)
    covered_at = parse_moment(body.get("latestDateCovered"))
    if not is_list or covered_at is None or not all(is_record_id(one) for one in found):
        return ObjectError(
            f"{query.object_name}: the answer of /{query.resource} is none as Salesforce makes it.",
            code="NO_LIST",
        )
    earliest = parse_moment(body.get("earliestDateAvailable")) or query.window.start
    is_whole = not query.window.is_clamped and earliest <= query.window.start
    ids = tuple(dict.fromkeys(to18(str(one)) for one in found))
    return ChangeList(ids, min(covered_at, query.window.end), is_whole)


def parse_moment(text: object) -> datetime | None:
    """A moment as Salesforce writes it (``2026-11-01T23:58:00.000+0000``); None when it is none."""
    try:
        moment = datetime.fromisoformat(text_of(text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # also the first hours of year 1 in the east
        return None


Answers = dict[ChangeQuery, ChangeList | ObjectError]


@dataclass
class ChangeReader:
    """
    Asks for change lists, 25 to a call. What it learns of the org stays for the next group.

    Attributes:
        is_alone: the org takes these resources in no composite call.
        singles: calls spent on single lists since.
        is_tried: whether a list that a composite call refused was asked for by itself.
    """

    org: OrgClient
    is_alone: bool = False
    singles: int = 0
    is_tried: bool = False

    def fetch(self, queries: Sequence[ChangeQuery]) -> Answers:
        """
        The answer to each query; a refused one has its error as value.

        Cost: 1 API call for up to 25 queries. Where the org refuses the resource in a composite
        call, 1 for each of them, up to ``SINGLE_CALLS``; further ones are refused here
            (``NOT_ASKED``). Where a whole call is refused for whatever reason, 1 more, once.

        Raises:
            QuotaSignal, OrgUnavailable, LoginError: see ``OrgClient.request``.
        """
        answers: Answers = {}
        for start in range(0, len(queries), MAX_SUBREQUESTS):
            answers |= self._group(queries[start : start + MAX_SUBREQUESTS])
        return answers

    def _group(self, queries: Sequence[ChangeQuery]) -> Answers:
        if self.is_alone:
            return {query: self._single(query) for query in queries}
        subrequests = [
            SubRequest(f"c{number}", self.org.data_path(change_path(query)))
            for number, query in enumerate(queries)
        ]
        try:
            parts = fetch_composite(self.org, subrequests)
        except OrgUnavailable:
            raise
        except (ObjectError, TransientError):
            # Composite itself is refused, or one list makes all of it fail.
            self.is_alone = True
            return self._group(queries)
        answers = {query: _answer(part, query) for query, part in zip(queries, parts, strict=True)}
        if all(_is_not_here(answer) for answer in answers.values()):
            self.is_alone = True
            return self._group(queries)
        if not self.is_tried and all(_is_refused(answer) for answer in answers.values()):
            # For their own sake, or inside composite only? Another server's code does not say: one
            # list by itself does.
            self.is_tried = True
            answers[queries[0]] = self._single(queries[0])
            if isinstance(answers[queries[0]], ChangeList):
                self.is_alone = True
                answers |= {query: self._single(query) for query in queries[1:]}
        return answers

    def _single(self, query: ChangeQuery) -> ChangeList | ObjectError:
        if self.singles >= SINGLE_CALLS:
            return ObjectError(
                f"{query.object_name}: not asked for /{query.resource}; the org takes it in no "
                "composite call.",
                code="NOT_ASKED",
            )
        self.singles += 1
        try:
            return parse_changes(self.org.fetch_json("GET", change_path(query)), query)
        except OrgUnavailable:
            raise
        except TransientError as err:
            return ObjectError(str(err), code="NO_LIST")
        except ObjectError as err:
            return err


def _answer(part: SubResponse, query: ChangeQuery) -> ChangeList | ObjectError:
    what = f"{query.object_name}/{query.resource}"
    refusal: SfnbError | QuotaSignal | None = part.refusal(what)
    if isinstance(refusal, ObjectError):
        return refusal
    if isinstance(refusal, OrgUnavailable | QuotaSignal):
        raise refusal
    if isinstance(refusal, TransientError):
        return ObjectError(str(refusal), code="NO_LIST")
    if refusal is not None:
        raise refusal
    try:
        return parse_changes(json_of(part.body, what=what), query)
    except TransientError as err:
        return ObjectError(str(err), code="NO_LIST")


def _is_refused(answer: ChangeList | ObjectError) -> bool:
    return isinstance(answer, ObjectError) and answer.code != TOO_MANY


def _is_not_here(answer: ChangeList | ObjectError) -> bool:
    """Whether a refusal may be meant for the resource within a composite call."""
    return isinstance(answer, ObjectError) and answer.code in (
        "INVALID_INPUT",
        "NOT_FOUND",
        "METHOD_NOT_ALLOWED",
        "NOT_IMPLEMENTED",
    )
