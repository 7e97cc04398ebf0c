"""Addresses of orgs, as people type them. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from sfnb.errors import CallerError

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def parse_url(text: str) -> str:
    """
    The origin (scheme, host, port) of an org's address; ``acme.my.salesforce.com`` is enough.

    Raises:
        CallerError: not an address, or one that would send secrets unencrypted, or a web page's.
    """
    text = text.strip()
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.password:
        raise CallerError(
            f"{text!r} is not the address of an org; give one like https://acme.my.salesforce.com."
        )
    shown = f"[{host}]" if ":" in host else host
    if parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        raise CallerError(
            f"http://{shown} would send the session unencrypted; use https://{shown}."
        )
    # Lightning Experience has a host of its own; REST and SOAP answer on My Domain only.
    if host.endswith(".lightning.force.com"):
        better = host.removesuffix(".lightning.force.com") + ".my.salesforce.com"
        raise CallerError(f"{host} serves the org's web pages, not its API; use https://{better}.")
    is_usual = port in (None, 443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{shown}" if is_usual else f"{parts.scheme}://{shown}:{port}"


def login_url(domain: str) -> str:
    """Where a login starts, from ``login``, ``test``, ``acme.my``, a host or a URL."""
    domain = domain.strip() or "login"
    if (
        "://" in domain
        or ":" in domain
        or ("." in domain and not domain.endswith((".my", ".sandbox.my")))
    ):
        return parse_url(domain)
    return parse_url(f"https://{domain}.salesforce.com")
