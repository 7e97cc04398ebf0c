"""Records that an archive has deleted and should not have: out of the recycle bin again, at once."""

from __future__ import annotations

from collections.abc import Sequence

from sfnb.errors import AnswerLost, ObjectError
from sfnb.org.client import OrgClient
from sfnb.org.transport import call_context
from sfnb.org.writing.undelete import MOST_IDS, undelete
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
