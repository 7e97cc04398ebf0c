"""The ways into an org: values made of settings and secrets. Their repr shows no secret (P7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sfnb.addresses import login_url, parse_url
from sfnb.errors import CallerError, LoginError
from sfnb.org.secrets import read_secret
from sfnb.settings import OrgConfig


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """A session id or OAuth access token that somebody else got for us. Cannot be renewed."""

    instance_url: str
    token: str = field(repr=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class PasswordCredentials:
    """
    Username and password.

    Without ``client_id`` by SOAP ``login()``, which Salesforce serves up to API version 64.0 and
    ends in Summer '27. With it by the OAuth password flow, which orgs made since Summer '23 refuse
    by default.
    """

    url: str
    username: str
    password: str = field(repr=False)
    security_token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """OAuth client credentials: an app with a run-as user. Served on the My Domain host only."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class JwtCredentials:
    """OAuth JWT bearer: an app that trusts the certificate of our private key."""

    url: str
    username: str
    client_id: str
    audience: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefreshCredentials:
    """An OAuth refresh token; the org may hand out a new one each time."""

    url: str
    client_id: str
    refresh_token: str = field(repr=False)
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SfCredentials:
    """An org that the ``sf`` command line tool is logged in to."""

    alias: str


Credentials = (
    TokenCredentials
    | PasswordCredentials
    | ClientCredentials
    | JwtCredentials
    | RefreshCredentials
    | SfCredentials
)


def credentials_of(config: OrgConfig, environ: Mapping[str, str] | None = None) -> Credentials:
    """
    The credentials of a registered org, its secrets read now.

    Raises:
        LoginError: a secret or the private key is not where it is said to be.
        CallerError: the settings lack something that this way in needs.
    """

    def secret(role: str, *, is_needed: bool = True) -> str:
        if role in config.secrets:
            return read_secret(config.name, role, config.secrets[role], environ)
        if is_needed:
            raise CallerError(
                f"org {config.name}: no {role.replace('_', ' ')} is registered. "
                "Add the org again with one."
            )
        return ""

    url = _start(config)
    match config.login:
        case "token":
            if not config.instance_url:
                raise CallerError(f"org {config.name}: an access token needs --instance-url.")
            return TokenCredentials(
                parse_url(config.instance_url), secret("token"), config.secrets["token"]
            )
        case "password":
            return PasswordCredentials(
                url,
                config.username,
                secret("password"),
                secret("security_token", is_needed=False),
                config.client_id,
                secret("client_secret", is_needed=False),
            )
        case "client":
            return ClientCredentials(url, config.client_id, secret("client_secret"))
        case "jwt":
            audience = config.audience or _audience(url)
            return JwtCredentials(
                url, config.username, config.client_id, audience, _private_key(config)
            )
        case "refresh":
            return RefreshCredentials(
                url,
                config.client_id,
                secret("refresh_token"),
                secret("client_secret", is_needed=False),
            )
        case "sf":
            return SfCredentials(config.alias)


def _start(config: OrgConfig) -> str:
    # instance_url is where an earlier login led, such as the My Domain behind login.salesforce.com.
    # The login still starts at the domain that was registered.
    return login_url(config.domain or config.instance_url)


def _audience(url: str) -> str:
    """Who the JWT is for: the login server of production or of sandboxes, whatever the host."""
    is_sandbox = "//test." in url or ".sandbox." in url
    return "https://test.salesforce.com" if is_sandbox else "https://login.salesforce.com"


def _private_key(config: OrgConfig) -> str:
    try:
        return Path(config.jwt_key).expanduser().read_text(encoding="ascii")
    except FileNotFoundError as err:
        raise LoginError(
            f"org {config.name}: the private key {config.jwt_key} is not there."
        ) from err
    except (OSError, UnicodeDecodeError) as err:
        raise LoginError(
            f"org {config.name}: {config.jwt_key} cannot be read as a private key in PEM form."
        ) from err
