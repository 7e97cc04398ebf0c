"""Where an org is, with which session and API version it is asked, and what happens when they end."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlsplit

import requests

from sfnb.errors import LoginError, ObjectError, OrgUnavailable, SfnbError
from sfnb.org.refusals import parse_error
from sfnb.org.retry import StillUnavailable
from sfnb.org.secrets import clean
from sfnb.org.session import Access, Session

log = logging.getLogger("sfnb.org")


class Renewal(Protocol):
    """What an ``OrgClient`` needs when its session, its address or its API version has ended."""

    def renew(self) -> Session:
        """A session in place of one that has ended; of the same org, where its id is known."""

    def newest_version(self, instance_url: str) -> str:
        """
        The newest API version that the org and sfnb both know. Salesforce does not count this.
        """

    def keep(self, *, instance_url: str = "", api_version: str = "") -> None:
        """Keep what is given in the settings, for the next start."""


class OrgAddress:
    """
    One org's present address, API version and session. Safe for threads.

    Args:
        name: as registered.
        opened: the session to begin with; a closed one is opened by the first call.
        api_version: such as ``66.0``; empty where only a login can tell it.

    Attributes:
        instance_url: where the API is, without a trailing slash.
        access: signs requests with the present session.
        renewal: logs in again; in a worker of a cluster, asks for the coordinator's session.
    """

    def __init__(self, name: str, opened: Session, *, renewal: Renewal, api_version: str) -> None:
        self.instance_url = opened.instance_url
        self.api_version = api_version
        self.access = Access(opened)
        self._name = name
        self._org_id = opened.org_id
        self.renewal = renewal
        self._lock = threading.Lock()
        self._strange_hosts: set[str] = set()
        self._gone_versions: list[str] = []

    def url_of(self, path: str) -> str:
        """
        The address of a path below the API version, or from the root when it starts with a slash.

        Raises:
            ObjectError: it is an address of another host, which an answer may name; we stay here.
        """
        if "://" in path.split("?", maxsplit=1)[0] or path.startswith("//"):
            if not path.startswith("//") and _host_of(path) == _host_of(self.instance_url):
                found = urlsplit(path)
                query = f"?{found.query}" if found.query else ""
                return f"{self.instance_url}{self.present_path(found.path)}{query}"
            raise ObjectError(
                f"org {self._name}: an answer names an address outside of the org. "
                "sfnb does not follow it.",
                code="STRANGE_ADDRESS",
            )
        root = self.present_path(path) if path.startswith("/") else self.data_path(path)
        return f"{self.instance_url}{root}"

    def present_path(self, path: str) -> str:
        """The path from the root, below the present API version where it names one that is gone."""
        for gone in self._gone_versions:
            if path.startswith(f"/services/data/v{gone}/"):
                return self.data_path(path.removeprefix(f"/services/data/v{gone}/"))
        return path

    def data_path(self, path: str) -> str:
        """``/services/data/v66.0/…``, as subrequests of a composite call name it."""
        if not self.api_version:
            self.opened()
        return f"/services/data/v{self.api_version}/{path}"

    def opened(self) -> Session:
        """
        The present session; a closed one is opened first.

        Raises:
            StillUnavailable: nobody answers the login. Asking again is up to the job.
        """
        if not (session := self.access.session).is_open:
            try:
                self.log_in_again(session)
            except OrgUnavailable as err:
                raise StillUnavailable(str(err)) from err
        return self.access.session

    def renew(self, used: Session, refused: requests.Response) -> None:
        """Log in again, once for all threads whose calls were refused with the same session."""
        code, message = parse_error(refused.content)
        if "not valid for use with the REST API" in message:
            raise LoginError(
                f"org {self._name}: {message} ({code}). Add the OAuth scope api to the app."
            )
        self.log_in_again(used)

    def log_in_again(self, used: Session) -> None:
        """
        Replace a session that has ended, once for all threads that found it so.

        Raises:
            LoginError: the org lets nobody in, or the login leads into another org.
        """
        with self._lock:
            if self.access.session is not used:
                return
            opened = self.renewal.renew()
            if opened.org_id and opened.org_id != self._org_id:
                raise wrong_org(self._name, self._org_id, opened.org_id)
            opened = replace(opened, org_id=self._org_id)
            if not self.api_version:
                self.api_version = self.renewal.newest_version(opened.instance_url)
            if opened.instance_url == self.instance_url:
                self.access.session = opened
                log.info("org %s: logged in again", self._name)
                return
            # The same org at another address: its instance or its My Domain has changed.
            self.access.move(opened)
            self.instance_url = opened.instance_url
            self.renewal.keep(instance_url=opened.instance_url)
            log.warning("org %s: the org has moved to %s", self._name, opened.instance_url)

    def follow(self, used: Session, target: str, what: str) -> None:
        """
        Log in again after a redirect to another host: only the login can say that the org has
            moved.

        No call and no token goes to that host unless the login names it. If it does not, the host
        is remembered, and no further login is tried for it.

        Raises:
            OrgUnavailable: it is a proxy, a login page of the network, or a forgery.
        """
        host = urlsplit(target).netloc
        if host in self._strange_hosts:
            raise strange_address(what, target)
        try:
            self.log_in_again(used)
        except LoginError as err:
            raise strange_address(what, target) from err
        if self.instance_url == used.instance_url:
            self._strange_hosts.add(host)
            raise strange_address(what, target)

    def take_newer_version(self) -> bool:
        """
        Whether another API version is used from now on, because the org dropped the present one.
        """
        with self._lock:
            version = self.renewal.newest_version(self.instance_url)
            if version == self.api_version:
                return False
            self._use_version(version)
            return True

    def take_older_version(self) -> bool:
        """
        Whether an older API version is used from now on, because the org does not have the present
        one: it has moved to an older release, as a sandbox may.

        Cost: a call that Salesforce does not count.
        """
        with self._lock:
            try:
                version = self.renewal.newest_version(self.instance_url)
            except SfnbError as err:  # the refusal that led here says more
                log.info("org %s: which API versions it has is not known: %s", self._name, err)
                return False
            if float(version) >= float(self.api_version or version):
                return False
            self._use_version(version)
            return True

    def _use_version(self, version: str) -> None:
        log.warning(
            "org %s: API version %s is gone; using %s", self._name, self.api_version, version
        )
        self._gone_versions.append(self.api_version)
        self.api_version = version
        self.renewal.keep(api_version=version)


def wrong_org(name: str, registered: str, found: str) -> LoginError:
    """The error for a login that leads into another org than the registered one."""
    return LoginError(
        f"org {name} is registered as {registered}, but its login leads to {found}. "
        "If the org was refreshed or replaced, register it again: "
        f"`sfnb org remove {name}`, then `sfnb org add {name} …`."
    )


def strange_address(what: str, target: str) -> OrgUnavailable:
    host = clean(urlsplit(target).netloc or target)[:200]
    return OrgUnavailable(
        f"{what}: the answer redirects to {host}, which is not the org's address. Nothing was sent "
        "there. Check the proxy. If the org has moved, register it again with its new address."
    )


def _host_of(url: str) -> tuple[str, str, int | None] | None:
    """
    Scheme, host and port: `HTTPS://Acme.my.salesforce.com:443` is the host that the same name in
    small letters is. None: it is no address, or names a user, which no org does.
    """
    try:
        found = urlsplit(url)
        port = found.port or {"https": 443, "http": 80}.get(found.scheme)
    except ValueError:
        return None
    if not found.hostname or "@" in found.netloc:
        return None
    return found.scheme, found.hostname, port
