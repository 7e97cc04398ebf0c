"""
Logging in. Every way ends in a ``Session``.

Salesforce counts neither logins nor ``userinfo`` against the API allowance (SOAP ``login()`` and
the token endpoint send no limit header). We log in ourselves rather than through simple-salesforce,
whose own renewal of sessions can repeat without end.

``soap``, ``oauth`` and ``sf_tool`` are the ways in; ``identity`` asks whose session it is;
``replies`` sends the secrets and says what a refusal means.
"""

from __future__ import annotations

import requests

from sfnb.clock import Clock
from sfnb.org.credentials import (
    Credentials,
    PasswordCredentials,
    SfCredentials,
    TokenCredentials,
)
from sfnb.org.login.identity import with_identity
from sfnb.org.login.oauth import oauth_login
from sfnb.org.login.sf_tool import sf_session
from sfnb.org.login.soap import soap_login
from sfnb.org.session import Session


def login(credentials: Credentials, http: requests.Session, *, clock: Clock) -> Session:
    """
    A session for these credentials. Cost: no API calls.

    Raises:
        LoginError: refused; the sentence says what to change.
        OrgUnavailable: nobody answers; the same may work soon.
        TransientError: the answer makes no sense; the same may work soon.
        QuotaSignal: the org refuses logins too, because its calls are used up.
    """
    match credentials:
        case TokenCredentials():
            return with_identity(Session(credentials.instance_url, credentials.token), http)
        case SfCredentials():
            return with_identity(sf_session(credentials.alias), http)
        case PasswordCredentials(client_id=""):
            return soap_login(credentials, http)
        case _:
            return oauth_login(credentials, http, clock)
