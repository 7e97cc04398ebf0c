"""Whether the org is away, or only one call fails."""

from __future__ import annotations

from sfnb.errors import SfnbError, TransientError
from sfnb.org.client import OrgClient

ANSWER_S = 30.0
"""How long the list of API versions may take: it is a small file at the org's edge."""


def is_away(client: OrgClient) -> bool:
    """
    Whether nobody answers for the org now.

    Cost: none. Salesforce counts a look at the list of API versions against no budget, so this may
    be asked above the
    limit, and as often as it takes.
    """
    try:
        client.request("GET", "/services/data", timeout_s=ANSWER_S, what="the list of API versions")
    except TransientError:
        return True
    except SfnbError:
        return False  # whatever it said, it answered
    return False
