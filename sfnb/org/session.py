"""An open session, and how requests are signed with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from sfnb.errors import LoginError

_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Session:
    """
    An open session.

    Args:
        instance_url: where the org's API is.
        org_id: 18 characters; empty when no answer told it.
        refresh_token: a new one, when the org handed one out.
        is_open: False where nobody has answered the login yet; see ``closed``.

    Raises:
        LoginError: the token has a line end, a space or a letter beyond ASCII: it cannot be sent.
    """

    instance_url: str
    token: str = field(repr=False)
    org_id: str = ""
    user_id: str = ""
    refresh_token: str = field(default="", repr=False)
    is_open: bool = True

    @classmethod
    def closed(cls, instance_url: str, org_id: str) -> Session:
        """Stands in until the org answers: no call is sent with it, the first one logs in."""
        return cls(instance_url, "closed", org_id, is_open=False)

    def __post_init__(self) -> None:
        # The libraries would refuse such a header with the token in their message (P7).
        if not _TOKEN.fullmatch(self.token):
            raise LoginError(
                "the access token has a line end, a space, a typographic quote or another "
                "character that no token has. Copy it again, without quotes."
            )


class Access(AuthBase):
    """
    The org's present session. Signs each request to the org's own host, whoever made it; no other.

    An analyst's ``org.sf`` goes on with the new session after a renewal. Replacing ``session`` is
    atomic. Where the org has moved, calls that still name an address of before go to the new one.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._former: frozenset[str] = frozenset()

    def move(self, session: Session) -> None:
        """Take the session of the same org at another address."""
        former = {urlsplit(self.session.instance_url).netloc}
        self._former = (self._former | former) - {urlsplit(session.instance_url).netloc}
        self.session = session

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        session = self.session
        here = urlsplit(session.instance_url)
        there = urlsplit(request.url or "")
        if there.netloc in self._former:
            request.url = there._replace(scheme=here.scheme, netloc=here.netloc).geturl()
        elif there.netloc != here.netloc:
            return request
        if "X-SFDC-Session" in request.headers:
            request.headers["X-SFDC-Session"] = session.token
        else:
            request.headers["Authorization"] = f"Bearer {session.token}"
        return request
