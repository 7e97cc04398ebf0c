"""
The records of a query's answer, proven (P9): all pages, as many as the org counts, none twice.

For queries of few records. What is large is read as Arrow batches, and proven there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sfnb.errors import TransientError
from sfnb.org.answers import count_of, is_last_page, mapping_of, mappings_of, text_of

NO_ID = "000000000000000"
"""Salesforce's empty Id: AppDefinition and others have it in every row (answers of real orgs)."""


def all_rows(
    first: object, follow: Callable[[str], object], *, what: str
) -> list[Mapping[str, Any]]:
    """
    The records of an answer.

    Args:
        first: its first page, parsed.
        follow: the parsed page at one of the org's ``nextRecordsUrl``.
        what: the call, for the message.

    Cost: that of ``follow`` for each page after the first.

    Raises:
        TransientError: it is no such answer; its pages do not end; records are missing or come
            twice.
    """
    page = mapping_of(first)
    total = count_of(page.get("totalSize"))
    found: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    while True:
        if not isinstance(page.get("records"), list):
            raise TransientError(f"{what}: the answer has no records.")
        found += mappings_of(page["records"])
        following = text_of(page.get("nextRecordsUrl"))
        if is_last_page(page.get("done"), following):
            break
        # Without a count there is no bound, and Salesforce always counts.
        is_endless = total is None or len(found) > total or following in seen
        if is_endless or not following:
            raise TransientError(f"{what}: the pages of an answer do not end.")
        seen.add(following)
        page = mapping_of(follow(following))
    if total is not None and len(found) != total:
        raise TransientError(
            f"{what}: an answer has {len(found):,} records; the org counts {total:,}."
        )
    ids = [i for record in found if not (i := text_of(record.get("Id"))).startswith(NO_ID) and i]
    if len(set(ids)) != len(ids):
        raise TransientError(f"{what}: an answer has records twice.")
    return found
