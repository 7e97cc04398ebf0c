"""Whether the user sees all that an archive's deletions would take along."""

from __future__ import annotations

from sfnb.errors import CallerError, JobError
from sfnb.org.client import OrgClient
from sfnb.org.permissions import fetch_permissions

ALL_RECORDS, ALL_FILES = "ViewAllData", "QueryAllFiles"

NOT_ALL = (
    "the user lacks View All Data, so records that would be deleted along with others may be out of "
    "its sight, and in no store. Nothing is archived. Give the user this permission in Salesforce "
    "Setup."
)


def sees_all_files(client: OrgClient, *, is_job: bool = False) -> bool:
    """
    Whether the user sees everything that shows a document. Where it does not, documents stay in the
    org. What an org does not tell is taken for granted.

    Cost: 1 API call.

    Raises:
        CallerError: records are out of the user's sight (JobError where a job runs already).
    """
    may = fetch_permissions(client, (ALL_RECORDS, ALL_FILES))
    if may[ALL_RECORDS] is False:
        raise JobError(NOT_ALL) if is_job else CallerError(NOT_ALL)
    return may[ALL_FILES] is not False
