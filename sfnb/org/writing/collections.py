"""
sObject collections: up to 200 records of one object in one call, each accepted or refused by itself.

REST guide, "sObject Collections": the answers stand in the order of the records sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sfnb.org.client import OrgClient
from sfnb.org.writing.calls import RowResult, WriteOptions, results_of, write_json

MOST_RECORDS = 200
"""In one call (REST guide, sObject Collections)."""

Values = Mapping[str, Any]
"""A record's fields in REST's JSON form. A field that is missing stays as it is; None clears it."""


def insert(
    org: OrgClient, object_name: str, records: Sequence[Values], options: WriteOptions
) -> list[RowResult]:
    """
    Create records; a result for each, in their order. Cost: 1 API call.

    Raises:
        AnswerLost: the org may have created any of them.
        ObjectError: the call as a whole was refused; nothing was created.
    """
    return _send(org, "POST", object_name, records, options)


def update(
    org: OrgClient, object_name: str, records: Sequence[tuple[str, Values]], options: WriteOptions
) -> list[RowResult]:
    """
    Change records, each an Id and the fields to set; a result for each, in their order.

    Cost: 1 API call. Raises: see ``insert``.
    """
    bodies = [{"Id": record_id, **values} for record_id, values in records]
    return _send(org, "PATCH", object_name, bodies, options)


def _send(
    org: OrgClient,
    method: str,
    object_name: str,
    records: Sequence[Values],
    options: WriteOptions,
) -> list[RowResult]:
    if not 0 < len(records) <= MOST_RECORDS:
        raise ValueError(f"a call takes 1 to {MOST_RECORDS} records, not {len(records)}")
    body = {
        "allOrNone": False,
        "records": [{"attributes": {"type": object_name}, **values} for values in records],
    }
    path = "composite/sobjects"
    answer = write_json(org, method, path, json=body, headers=options.headers)
    return results_of(answer, len(records), f"{method} {path}")


def delete(org: OrgClient, record_ids: Sequence[str]) -> list[RowResult]:
    """
    Move records to the recycle bin, with the details that go with them; a result for each, in their
    order. Cost: 1 API call.

    Raises:
        AnswerLost: the org may have deleted any of them.
        ObjectError: the call as a whole was refused; nothing was deleted.
    """
    if not 0 < len(record_ids) <= MOST_RECORDS:
        raise ValueError(f"a call takes 1 to {MOST_RECORDS} Ids, not {len(record_ids)}")
    path = "composite/sobjects"
    params = {"ids": ",".join(record_ids), "allOrNone": "false"}
    answer = write_json(org, "DELETE", path, params=params)
    return results_of(answer, len(record_ids), f"DELETE {path}")
