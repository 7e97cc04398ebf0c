"""Whose session it is."""

from __future__ import annotations

import re
from dataclasses import replace

import requests

from sfnb.errors import CallerError, LoginError
from sfnb.org.answers import text_of
from sfnb.org.ids import to18
from sfnb.org.login.replies import LOGIN_TIMEOUT_S, object_of, unreachable
from sfnb.org.secrets import mask
from sfnb.org.session import Session

_TOKEN_WITH_ORG = re.compile(r"(00D[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?)!")


def with_identity(session: Session, http: requests.Session) -> Session:
    """The session with org and user: by ``userinfo`` (not counted), else by its id's beginning."""
    try:
        response = http.get(
            f"{session.instance_url}/services/oauth2/userinfo",
            headers={"Authorization": f"Bearer {session.token}", "Accept": "application/json"},
            timeout=LOGIN_TIMEOUT_S,
        )
    except requests.RequestException as err:
        raise unreachable(session.instance_url, err) from err
    if response.status_code in (401, 403):
        # A dead token. With a living one that lacks the id scope the first data call decides.
        text = response.content.decode("utf-8", "replace")
        is_dead = "Bad_OAuth_Token" in text or "INVALID_SESSION_ID" in text
        if is_dead or response.status_code == 401:
            raise LoginError(
                f"{session.instance_url} refuses the access token (expired or of another org). "
                "Get a new one."
            )
    org_id, user_id = session.org_id, session.user_id
    if response.status_code == 200:
        answer = object_of(response)
        org_id = text_of(answer.get("organization_id")) or org_id
        user_id = text_of(answer.get("user_id")) or user_id
    if not org_id and (found := _TOKEN_WITH_ORG.match(session.token)):
        org_id = found[1]
    try:
        return replace(session, org_id=to18(org_id) if org_id else "", user_id=user_id)
    except CallerError as err:
        raise LoginError(
            f"{session.instance_url} names an Organization Id that is none: {mask(str(err))}"
        ) from err
