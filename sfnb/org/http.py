"""The session that carries our calls: it passes the gate, stays at the org, keeps no cookies."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import requests

from sfnb.clock import Clock
from sfnb.org.session import Access
from sfnb.org.transport import GateAdapter
from sfnb.quota.gate import Gate

MAX_REDIRECTS = 5


class OrgSession(requests.Session):
    """
    A session that stays at the org: redirects to another host or scheme are not followed.

    There, a call would carry a query to strangers, and their limit header would be believed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.max_redirects = MAX_REDIRECTS
        # Many threads share a session, and cookies would be the one thing that they change in it.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where to go on; None: nowhere, the redirect is the answer."""
        target = redirect_target(resp)
        is_repeatable = resp.request.method in ("GET", "HEAD")
        return target if target and is_repeatable and _origin(target) == _origin(resp.url) else None


def redirect_target(response: requests.Response) -> str | None:
    """The address that a redirect names, or None where it names none."""
    location = response.headers.get("Location", "")
    if response.status_code not in (301, 302, 303, 307, 308) or not location:
        return None
    try:
        return urljoin(response.url, location)
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme.lower(), parts.netloc.lower()


def http_session(
    url: str,
    clock: Clock,
    *,
    gate: Gate | None = None,
    access: Access | None = None,
    ca_file: str = "",
) -> OrgSession:
    """A ``requests`` session whose calls pass a ``GateAdapter``, and that keeps no cookies."""
    session = OrgSession()
    adapter = GateAdapter(url=url, clock=clock, gate=gate, access=access, ca_file=ca_file)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
