"""What can be set: the values, their defaults and their forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sfnb.errors import CallerError
from sfnb.model import HEADER_LAG_S
from sfnb.notice_settings import NoticeSettings

NEWEST_API_VERSION = "66.0"
"""The newest REST API version sfnb was tested with (Spring '26). Older orgs use their own newest."""

MASS_CHANGE_PCT = 20.0
"""Changed or deleted records, in percent of those there were, above which an object is named."""

FILE_CALLS = 20_000
"""Bodies of files that one backup asks for at most, each a call. The next one goes on."""

METADATA_DAYS = 7.0
"""After so many days all metadata is retrieved again; before, where the org's lists have changed."""

KEEP_RUNS = 100
"""Executed notebooks that are kept of each notebook and org."""

LOST_ANSWER_S = 60.0
"""A call whose answer was lost may still be at work for so long; then what it wrote can be seen."""

KEEP_RULES = ("last", "daily", "weekly", "monthly", "yearly")
"""What a prune keeps; see ``sfnb/store/pruning/keep.py``."""

LoginKind = Literal["token", "password", "client", "jwt", "refresh", "sf"]
"""How sfnb logs in to an org: see the classes of ``org/credentials.py``."""

ORG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
API_VERSION = re.compile(r"[1-9]\d\.0")
SECRET_REFERENCE = re.compile(r"keyring|env:[A-Za-z_][A-Za-z0-9_]*|file:.+")


@dataclass(frozen=True, slots=True)
class OrgConfig:
    """
    One registered org. It holds no secrets, so its repr may be shown.

    Args:
        login: how to log in.
        instance_url: address of its API, without a trailing slash; empty until the first login.
        domain: where a login starts: ``login``, ``test``, a My Domain host or a URL.
            Empty: ``instance_url``, else ``login``.
        jwt_key: path of the private key (PEM) of the JWT bearer flow.
        audience: ``aud`` of the JWT; empty: the login server of the domain.
        alias: the org's name or username in the ``sf`` command line tool.
        ca_file: a PEM file of the only certificate authorities to trust for this org.
        secrets: role (``token``, ``password``, ``security_token``, ``client_secret``,
            ``refresh_token``) to reference.
        org_id: 18 characters, from the first login on; a login to another org is refused.
        api_version: chosen when the org was added; empty: ask the org.
        header_lag_s: how old the org's limit header may be, in seconds of this machine's clock.
            Less than 120 only for a test server that is known to be quicker; 0: exact. None: the
            setting of all orgs.
    """

    name: str
    login: LoginKind
    instance_url: str = ""
    domain: str = ""
    username: str = ""
    client_id: str = ""
    jwt_key: str = ""
    audience: str = ""
    alias: str = ""
    ca_file: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    org_id: str = ""
    api_version: str = ""
    header_lag_s: float | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``load_settings`` found. It does not change when the file does."""

    home: Path
    state_url: str
    store_root: str
    poll_s: float = 1800.0
    workers: int = 4
    file_calls: int = FILE_CALLS
    lost_answer_s: float = LOST_ANSWER_S
    metadata_days: float = METADATA_DAYS
    api_version: str = NEWEST_API_VERSION
    header_lag_s: float = HEADER_LAG_S
    runs: str = ""
    keep_runs: int = KEEP_RUNS
    mass_change_pct: float = MASS_CHANGE_PCT
    mass_change: Mapping[str, float] = field(default_factory=dict)
    keep: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    orgs: Mapping[str, OrgConfig] = field(default_factory=dict)

    def org(self, name: str) -> OrgConfig:
        """
        The registered org of that name.

        Raises:
            CallerError: there is none.
        """
        if name in self.orgs:
            return self.orgs[name]
        known = ", ".join(sorted(self.orgs)) or "none"
        raise CallerError(
            f"org {name!r} is not registered (registered: {known}). "
            f"Add it with `sfnb org add {name} …`."
        )
