"""
Out of the recycle bin: at once what an archive has deleted and should not have, and for good what it
was to delete for good.
"""

from __future__ import annotations

from collections.abc import Sequence

from sfnb.errors import AnswerLost, ObjectError
from sfnb.jobs.work import Tick
from sfnb.org.client import OrgClient
from sfnb.org.transport import call_context
from sfnb.org.writing.undelete import MOST_IDS, empty_bin, undelete
from sfnb.restore.present import slices


def bring_back(client: OrgClient, ids: Sequence[str], job_id: str) -> dict[str, str]:
    """
    Take records out of the recycle bin, with what went with them; by Id of those that cannot be,
    why. Nobody stops it half way.

    Cost: 1 API call for 200.
    """
    failed: dict[str, str] = {}
    with call_context(job_id=job_id, stop=None):
        for some in slices(ids, MOST_IDS):
            try:
                results = undelete(client, some)
            except (AnswerLost, ObjectError) as err:
                failed |= dict.fromkeys(some, str(err))
                continue
            for record_id, result in zip(some, results, strict=True):
                if result.state != "done":
                    failed[record_id] = f"{result.code}: {result.message}"
    return failed


NOT_THERE = ("INVALID_ID_FIELD", "not in the recycle bin")
"""Of what is gone for good, by itself or with a parent."""

TRIES = 3


def take_for_good(client: OrgClient, ids: Sequence[str], job_id: str, tick: Tick) -> dict[str, str]:
    """
    Take records out of the recycle bin for good; by Id of those that are left in it, why.

    Cost: 1 API call for 200.
    """
    left: dict[str, str] = {}
    with call_context(job_id=job_id):
        for some in slices(ids, MOST_IDS):
            tick()
            left |= _emptied(client, some)
    return left


def _emptied(client: OrgClient, ids: Sequence[str]) -> dict[str, str]:
    """A call whose answer is lost is sent again: nothing goes twice."""
    lost = ""
    for _ in range(TRIES):
        try:
            results = empty_bin(client, ids)
        except AnswerLost as err:
            lost = str(err)
            continue
        except ObjectError as err:
            return dict.fromkeys(ids, str(err))
        return {
            record_id: f"{result.code}: {result.message}"
            for record_id, result in zip(ids, results, strict=True)
            if result.state != "done"
            and not (result.code == NOT_THERE[0] and NOT_THERE[1] in result.message)
        }
    return dict.fromkeys(ids, lost)
