"""Opening a registered org: log in, agree on an API version, learn the Organization Id."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from urllib.parse import urlsplit

import requests

from sfnb.clock import Clock
from sfnb.errors import (
    CallerError,
    LoginError,
    ObjectError,
    OrgUnavailable,
    SfnbError,
    TransientError,
)
from sfnb.memory import State
from sfnb.org.address import Renewal, wrong_org
from sfnb.org.answers import json_of, mappings_of, text_of
from sfnb.org.client import OrgClient
from sfnb.org.credentials import Credentials, RefreshCredentials, credentials_of
from sfnb.org.http import http_session
from sfnb.org.ids import to18
from sfnb.org.login import login
from sfnb.org.login.replies import unreachable
from sfnb.org.retry import retry
from sfnb.org.secrets import mask, store_secret
from sfnb.org.session import Session
from sfnb.org.transport import current_context
from sfnb.quota.gate import Gate
from sfnb.quota.ledger import Ledger
from sfnb.quota.policy import RULES, Rules
from sfnb.settings import NEWEST_API_VERSION, OrgConfig, Settings, put_org

LOGIN_TRIES = 3
USUAL_LOGIN = "https://login.salesforce.com"

_VERSION = re.compile(r"[1-9][0-9]{1,2}(?:\.[0-9])?")

log = logging.getLogger("sfnb.org")


class Opener:
    """
    Logs in to one registered org, as often as its session ends.

    For one thread at a time; ``OrgClient`` sees to that.

    Args:
        settings: where a new address or API version is kept; None: nowhere, in a worker process.
    """

    def __init__(self, settings: Settings | None, config: OrgConfig, clock: Clock) -> None:
        self.config = config
        self._settings = settings
        self._clock = clock
        self._credentials = credentials_of(config)

    def open(self) -> Session:
        """A new session. Raises what ``login`` raises; LoginError if it leads into another org."""
        config = self.config
        with http_session(_start(self._credentials), self._clock, ca_file=config.ca_file) as http:
            # With an auth of our own, requests ignores a .netrc, which would replace our header.
            http.auth = _unchanged
            opened = login(self._credentials, http, clock=self._clock)
        if config.org_id and opened.org_id not in ("", config.org_id):
            raise wrong_org(config.name, config.org_id, opened.org_id)
        self._keep_refresh_token(opened)
        return opened if opened.org_id else replace(opened, org_id=config.org_id)

    def renew(self) -> Session:
        """A session in place of one that has ended."""
        if not isinstance(self._credentials, RefreshCredentials):
            # Read the secrets again: a person may have changed them since.
            self._credentials = credentials_of(self.config)
        return self.open()

    def newest_version(self, instance_url: str) -> str:
        """
        The newest API version that both the org and sfnb know.

        Cost: none; Salesforce does not count this call.

        Raises:
            LoginError: the org does not list its versions, or all are newer than sfnb.
            OrgUnavailable: it does not answer now.
        """
        config = self.config
        with http_session(instance_url, self._clock, ca_file=config.ca_file) as http:
            status = 0
            try:
                answer = http.get(f"{instance_url}/services/data", timeout=60)
                status = answer.status_code
                served = parse_versions(json_of(answer.content, what="/services/data"))
            except requests.RequestException as err:
                raise unreachable(instance_url, err) from err
            except (TransientError, ObjectError):
                served = []
        if not served and status >= 500:
            raise OrgUnavailable(
                f"{instance_url} does not list its API versions now (HTTP {status})."
            )
        if not served:
            raise LoginError(
                f"org {config.name}: {instance_url} does not list its API versions as a Salesforce "
                "org does. Check the address, and whether a proxy or a maintenance page answers."
            )
        highest = self._settings.api_version if self._settings else NEWEST_API_VERSION
        wanted = min(highest, NEWEST_API_VERSION, key=float)
        usable = [version for version in served if float(version) <= float(wanted)]
        if not usable:
            raise LoginError(
                f"org {config.name} serves API versions {', '.join(served[:20])}, none up to "
                f"{wanted}. Update sfnb."
            )
        return max(usable, key=float)

    def keep(self, *, instance_url: str = "", api_version: str = "") -> None:
        """Keep the org's new address or API version in the settings, if they can be written."""
        self.config = replace(
            self.config,
            instance_url=instance_url or self.config.instance_url,
            api_version=api_version or self.config.api_version,
        )
        if self._settings is None:
            return
        try:
            put_org(self._settings, self.config)
        except SfnbError as err:
            log.warning("org %s: the settings could not be changed: %s", self.config.name, err)

    def _keep_refresh_token(self, opened: Session) -> None:
        """Keep the refresh token that the org handed out, where the old one came from."""
        credentials, name = self._credentials, self.config.name
        if not isinstance(credentials, RefreshCredentials) or opened.refresh_token in (
            "",
            credentials.refresh_token,
        ):
            return
        if self.config.secrets.get("refresh_token") == "keyring":
            store_secret(name, "refresh_token", opened.refresh_token)
        else:
            log.warning(
                "org %s: the org replaced the refresh token, and sfnb cannot change %s for you. "
                "Keep it in the keyring (--store-secret), or the next login fails.",
                name,
                self.config.secrets.get("refresh_token", "the variable"),
            )
        self._credentials = replace(credentials, refresh_token=opened.refresh_token)


def open_client(
    settings: Settings, name: str, *, state: State, clock: Clock, may_be_away: bool = False
) -> OrgClient:
    """
    The registered org, logged in.

    Cost: no API calls, except 1 when no answer of the login names the Organization Id.

    Args:
        may_be_away: an org that answers nobody now, and that has been logged in to before, is
            opened with a closed session, for a job that waits for it.

    Raises:
        CallerError: no org has that name.
        LoginError: it refused the login, cannot be reached, or is not the registered org.
    """
    config = settings.org(name)
    opener = Opener(settings, config, clock)
    is_known = bool(config.org_id and config.instance_url)
    try:
        opened = retry(clock, current_context().stop, opener.open, tries=LOGIN_TRIES)
        version = config.api_version or opener.newest_version(opened.instance_url)
    except TransientError as err:
        if not (may_be_away and is_known and isinstance(err, OrgUnavailable)):
            raise LoginError(f"org {name}: {err}") from err
        log.warning("org %s: %s", name, err)
        opened, version = Session.closed(config.instance_url, config.org_id), config.api_version
    if not opened.org_id:
        opened = _with_org_id(opener, opened, version, state.ledger, clock)
    if config.org_id and opened.org_id != config.org_id:
        raise wrong_org(config.name, config.org_id, opened.org_id)
    gate = _gate(settings, config, opened, state, clock)
    return _client(opener, opened, version, gate, clock)


def closed_client(settings: Settings, name: str, *, state: State, clock: Clock) -> OrgClient:
    """
    The registered org, for work on what is stored. Nobody logs in unless a call is sent after all.
    Cost: no calls.

    Raises:
        CallerError: no org has that name, or no login to it has succeeded yet.
    """
    config = settings.org(name)
    if not config.org_id:
        raise CallerError(f"org {name} was never logged in to, so nothing of it is stored.")
    session = Session.closed(config.instance_url, config.org_id)
    gate = _gate(settings, config, session, state, clock)
    return _client(Opener(settings, config, clock), session, config.api_version, gate, clock)


def _gate(
    settings: Settings, config: OrgConfig, session: Session, state: State, clock: Clock
) -> Gate:
    lag_s = settings.header_lag_s if config.header_lag_s is None else config.header_lag_s
    rules = Rules(header_lag_s=lag_s, look_every_s=settings.poll_s)
    return Gate(state.ledger, session.org_id, clock=clock, rules=rules)


def reopen_client(
    config: OrgConfig,
    session: Session,
    version: str,
    *,
    state: State,
    clock: Clock,
    rules: Rules = RULES,
) -> OrgClient:
    """A client with a session that is open already, for a worker process. Cost: no calls."""
    gate = Gate(state.ledger, session.org_id, clock=clock, rules=rules)
    return _client(Opener(None, config, clock), session, version, gate, clock)


def far_client(  # noqa: PLR0917 - the parts of a client, in their order
    config: OrgConfig, session: Session, version: str, renewal: Renewal, gate: Gate, clock: Clock
) -> OrgClient:
    """A client in a worker of a cluster, whose session and gate are another process's. No calls."""
    return OrgClient(
        config.name,
        session,
        renewal=renewal,
        api_version=version,
        gate=gate,
        clock=clock,
        ca_file=config.ca_file,
    )


def parse_versions(answer: object) -> list[str]:
    """The API versions in an answer of ``/services/data``; pure."""
    found = [text_of(entry.get("version")) for entry in mappings_of(answer)]
    return [version for version in found if _VERSION.fullmatch(version)]


def _start(credentials: Credentials) -> str:
    return (
        getattr(credentials, "url", "") or getattr(credentials, "instance_url", "") or USUAL_LOGIN
    )


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _client(opener: Opener, opened: Session, version: str, gate: Gate, clock: Clock) -> OrgClient:
    return far_client(opener.config, opened, version, opener, gate, clock)


def _with_org_id(
    opener: Opener, opened: Session, version: str, ledger: Ledger, clock: Clock
) -> Session:
    """
    The session with the Organization Id, which a query tells.

    The ledger books this call under the org's address: until the answer arrives, its allowance has
    no other name.
    """
    name = opener.config.name
    gate = Gate(ledger, urlsplit(opened.instance_url).netloc, clock=clock)
    client = _client(opener, opened, version, gate, clock)
    try:
        answer = client.fetch_json("GET", "query", params={"q": "SELECT Id FROM Organization"})
        return replace(opened, org_id=to18(answer["records"][0]["Id"]))
    except (KeyError, IndexError, TypeError) as err:
        raise LoginError(f"org {name} does not tell its Organization Id.") from err
    except SfnbError as err:
        raise LoginError(f"org {name} does not tell its Organization Id. {mask(str(err))}") from err
    finally:
        client.close()
