"""The org's logins and their sessions."""

from __future__ import annotations

import hmac
import secrets
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from sfnb_demo.data.schema import Organization, User

# sf accepts a token only as 00D…! followed by letters, digits, dots and underscores.
_TOKEN_CHARS = string.ascii_letters + string.digits + "._"


def random_text(length: int, chars: str = string.ascii_letters + string.digits) -> str:
    return "".join(secrets.choice(chars) for _ in range(length))


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """The app that a client logs in through. The event log and ``/limits`` show its name."""

    name: str
    app_id: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(slots=True)
class Session:
    """
    One login.

    Args:
        reading: the last ``api`` number in an answer to this session; -1 before the first.
        in_flight: its calls in flight now.
    """

    number: int
    token: str = field(repr=False)
    user: User
    app: ConnectedApp
    last_used_s: float
    reading: int = -1
    in_flight: int = 0


class Sessions:
    """
    Sessions by token; safe for threads.

    Args:
        idle_minutes: a session that is idle for so many simulated minutes ends; None: never.
    """

    def __init__(
        self,
        organization: Organization,
        *,
        now_s: Callable[[], float],
        idle_minutes: float | None = None,
        password: str = "",
        client_id: str = "",
        client_secret: str = "",
    ) -> None:
        self.organization = organization
        self.idle_minutes = idle_minutes
        self.password = password or random_text(16)
        self.security_token = random_text(24)
        self.app = ConnectedApp(
            "sfnb",
            "0H47Q00000SfNb1",
            client_id or "3MVG9" + random_text(80, _TOKEN_CHARS),
            client_secret or random_text(64),
        )
        self.soap_app = ConnectedApp("SOAP login", "", "", "")
        self._now_s = now_s
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._by_token: dict[str, Session] = {}
        self._by_refresh_token: dict[str, tuple[User, ConnectedApp]] = {}

    @property
    def admin(self) -> User:
        """The first active user, the administrator."""
        return next(user for user in self.organization.users if user.is_active)

    @property
    def limited(self) -> User | None:
        """The second active user, who may use the API and sees only own records."""
        return next((u for u in self.organization.users if u.is_active and u != self.admin), None)

    def is_password(self, given: str) -> bool:
        """Whether this is the password, with or without the security token appended."""
        # An org needs no token from its trusted network ranges; the demo org trusts the loopback
        # address.
        return any(
            hmac.compare_digest(given.encode(), wanted.encode())
            for wanted in (self.password, self.password + self.security_token)
        )

    def open(self, user: User, app: ConnectedApp) -> Session:
        token = f"{self.organization.id15}!{random_text(96, _TOKEN_CHARS)}"
        with self._lock:
            session = Session(next(self._numbers), token, user, app, self._now_s())
            self._by_token[token] = session
        return session

    def refresh_token(self, user: User, app: ConnectedApp, *, token: str = "") -> str:
        """A refresh token for a user; ``token`` fixes its text."""
        token = token or "5Aep861" + random_text(80, _TOKEN_CHARS)
        with self._lock:
            self._by_refresh_token[token] = (user, app)
        return token

    def refreshed(self, refresh_token: str) -> Session | None:
        """A new session for a refresh token; None if the token is not valid."""
        known = self._by_refresh_token.get(refresh_token)
        return self.open(*known) if known else None

    def find(self, token: str) -> Session | None:
        """The live session of a token, marked as used now; None if it has ended."""
        now_s = self._now_s()
        with self._lock:
            session = self._by_token.get(token)
            if session is None:
                return None
            if (
                self.idle_minutes is not None
                and now_s - session.last_used_s > self.idle_minutes * 60
            ):
                del self._by_token[token]
                return None
            session.last_used_s = now_s
            return session

    def begin_call(self, session: Session) -> tuple[int, int]:
        """
        Note a call's start. Returns the session's last known usage and its other calls in flight.
        """
        with self._lock:
            before = session.reading, session.in_flight
            session.in_flight += 1
            return before

    def end_call(self, session: Session, reading: int | None) -> None:
        """Note a call's end and, in the same step, the usage in its answer; None: no usage."""
        with self._lock:
            session.in_flight -= 1
            if reading is not None:
                session.reading = reading

    def end(self, token: str) -> bool:
        """End a session or a refresh token; whether there was one."""
        with self._lock:
            ended = self._by_token.pop(token, None)
            return self._by_refresh_token.pop(token, None) is not None or ended is not None

    def end_all(self) -> int:
        """End every session and return their number. Refresh tokens stay valid."""
        with self._lock:
            ended = len(self._by_token)
            self._by_token.clear()
            return ended
