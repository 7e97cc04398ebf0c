"""An open session, and how requests are signed with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase


@dataclass(frozen=True, slots=True)
class Session:
    """
    An open session.

    Args:
        instance_url: where the org's API is.
        org_id: 18 characters; empty when no answer told it.
        refresh_token: a new one, when the org handed one out.
    """

    instance_url: str
    token: str = field(repr=False)
    org_id: str = ""
    user_id: str = ""
    refresh_token: str = field(default="", repr=False)


class Access(AuthBase):
    """
    The org's present session. Signs each request to the org's own host, whoever made it, and no other.

    So an analyst's ``org.sf`` goes on with the new session after a renewal. Replacing ``session`` is atomic.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if urlsplit(request.url or "").netloc == urlsplit(self.session.instance_url).netloc:
            if "X-SFDC-Session" in request.headers:
                request.headers["X-SFDC-Session"] = self.session.token
            else:
                request.headers["Authorization"] = f"Bearer {self.session.token}"
        return request
