"""
One call that writes, sent once, with headers that keep the org from doing more than is sent.

Nothing here repeats a call that the org may have carried out: where its answer is lost, whoever
sent it looks for what it wrote first (`AnswerLost`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import requests

from sfnb.errors import (
    AnswerLost,
    LoginError,
    OrgUnavailable,
    QuotaSignal,
    SfnbError,
    StopSignal,
    TransientError,
)
from sfnb.org.answers import json_of, mapping_of, mappings_of, text_of
from sfnb.org.bodies import BodyTooLarge
from sfnb.org.client import Judge, OrgClient
from sfnb.org.ids import is_record_id, to18
from sfnb.org.refusals import refusal_of
from sfnb.org.retry import GaugeUnreadable, TriesSpent
from sfnb.org.secrets import clean, mask
from sfnb.org.transport import never_left

RowState = Literal["done", "refused", "unknown"]

MAX_MESSAGE_CHARS = 1000


NOT_SENT = (QuotaSignal, StopSignal, TransientError, LoginError)
"""What is raised only while a call has not been carried out; see ``write``."""


@dataclass(frozen=True, slots=True)
class RowResult:
    """
    What the org said of one row that it was sent.

    Args:
        record_id: of the record, 18 characters; empty where the org named none.
        code: Salesforce's status code, where it refused the row.
        fields: which it refused.
    """

    state: RowState
    record_id: str = ""
    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()


UNKNOWN = RowResult("unknown")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """
    How the org is to treat what it is sent.

    Args:
        allow_duplicates: save a record that a duplicate rule only warns of.
    """

    allow_duplicates: bool = True

    @property
    def headers(self) -> dict[str, str]:
        """
        For REST (REST guide: Assignment Rule, Duplicate Rule and MRU headers). Without them the
        org's assignment rules give a restored lead or case another owner. There is no header for
        e-mails in REST: without one, the org sends none.
        """
        allow = "true" if self.allow_duplicates else "false"
        return {
            "Sforce-Auto-Assign": "FALSE",
            "Sforce-Duplicate-Rule-Header": f"allowSave={allow}; includeRecordDetails=false; "
            "runAsCurrentUser=true",
            "Sforce-Mru": "updateMru=false",
        }


def write(
    org: OrgClient, method: str, path: str, *, judge: Judge | None = None, **options: Any
) -> requests.Response:
    """
    The answer to one call that writes. Repeated only while it surely was not carried out. Options:
    see ``OrgClient.request``.

    Raises:
        AnswerLost: it may have been carried out.
        OrgUnavailable: nobody took it. TransientError, QuotaSignal, ObjectError, LoginError: the
            org refused it before doing anything.
    """

    def once() -> requests.Response:
        try:
            return org.request(method, path, judge=judge or _judge, **options)
        except (GaugeUnreadable, TriesSpent):
            raise  # before it was sent
        except BodyTooLarge as err:
            raise AnswerLost(str(err)) from err
        except TransientError as err:
            cause = err.__cause__
            if isinstance(cause, Exception) and not never_left(cause):
                raise AnswerLost(str(err)) from err
            raise

    return org.retrying(once)


def write_json(org: OrgClient, method: str, path: str, **options: Any) -> Any:
    """The parsed answer of ``write``. Raises AnswerLost too where the answer cannot be read."""
    response = write(org, method, path, **options)
    try:
        return json_of(response.content, what=f"{method} {path}")
    except TransientError as err:
        raise AnswerLost(str(err)) from err


def _judge(response: requests.Response, what: str) -> BaseException | None:
    refusal = refusal_of(response.status_code, response.headers, response.content, what=what)
    return lost_or(refusal, response.status_code)


def lost_or(refusal: BaseException | None, status: int) -> BaseException | None:
    """
    The refusal; AnswerLost where it does not say that nothing was done.

    An error of the server or of what stands between (5xx, a web page) may come after the work.
    """
    if not isinstance(refusal, TransientError):
        return refusal
    # 406 comes from the edge, sometimes, for calls that are all right (recorded answers).
    is_refused = 400 <= status < 500 and status != 406 and not isinstance(refusal, OrgUnavailable)
    return refusal if is_refused or status in (420, 429) else AnswerLost(str(refusal))


def results_of(answer: object, count: int, what: str) -> list[RowResult]:
    """
    The rows' results, in the order in which the rows were sent. Pure.

    Raises:
        AnswerLost: they are not one for each row, so nobody can say which is whose.
    """
    rows = mappings_of(answer)
    if not isinstance(answer, list) or len(rows) != len(answer) or len(rows) != count:
        raise AnswerLost(f"{what}: the answer does not have one result for each of {count} rows.")
    return [row_result(row) for row in rows]


def row_result(row: Mapping[str, Any]) -> RowResult:
    """One result. Neither a success with an Id nor a refusal: unknown. Pure."""
    record_id = row.get("id")
    success = row.get("success")
    if success is True and is_record_id(record_id):
        return RowResult("done", to18(str(record_id)))
    errors = mappings_of(row.get("errors"))
    if success is not False or not errors:
        return UNKNOWN
    error = mapping_of(errors[0])
    code = text_of(error.get("statusCode")) or text_of(error.get("errorCode"))
    return refused(
        code, text_of(error.get("message")), _names(error.get("fields")), text_of(record_id)
    )


def refused(code: str, message: str, fields: Iterable[str] = (), record_id: str = "") -> RowResult:
    """A refusal with the org's words, made fit to be shown."""
    return RowResult(
        "refused",
        to18(record_id) if is_record_id(record_id) else "",
        clean(code)[:100] or "UNKNOWN_ERROR",
        mask(clean(message))[:MAX_MESSAGE_CHARS],
        tuple(clean(name)[:255] for name in fields),
    )


def refused_all(err: SfnbError, code: str, count: int) -> list[RowResult]:
    """The same refusal for each row of a call that was refused as a whole."""
    return [refused(code, str(err))] * count


def _names(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
