"""
Where sfnb keeps things, its defaults, and the orgs it knows.

Everything lives in one folder, SFNB_HOME (default: the platform's data folder): ``sfnb.toml`` (this
module), ``state.db`` and ``store/``. A setting never holds a secret, only where the secret is:
``env:VARIABLE``, ``keyring`` or ``file:PATH``.

Several processes may register orgs at once: a change reads, edits and replaces the file under a lock.

The file, all of it optional::

    state_url = "sqlite:////home/ada/.local/share/sfnb/state.db"   # SFNB_STATE_URL overrides
    store = "/backups/salesforce"                                   # SFNB_STORE overrides
    poll_s = 1800            # seconds between two checks of a paused org's limits
    workers = 4              # threads that read from one org
    file_calls = 20000       # bodies of files that one backup asks for, each a call
    lost_answer_s = 60       # how long a restore looks for what a call wrote whose answer was lost
    metadata_days = 7        # after so many days all metadata is retrieved again
    api_version = "66.0"     # highest REST API version to use
    header_lag_s = 120       # how old an org's limit header may be; SFNB_HEADER_LAG_S overrides
    runs = "s3://acme/runs"  # where `sfnb run` keeps executed notebooks and their pages
    keep_runs = 100          # how many it keeps of each notebook and org
    mass_change_pct = 20     # warn when more of an object was changed or deleted since the last backup

    [mass_change]
    Task = 60                # the same for one object; 100: never

    [keep]                   # what `sfnb prune` keeps without --keep-…; none: it wants them
    daily = 14
    monthly = 12
    [keep.acme]              # the same for one org, instead
    last = 3
    yearly = 10
    [notices]                # see sfnb/notice_settings.py
    url = "env:SFNB_NOTICE_URL"

    [orgs.acme]
    login = "password"       # token, password, client, jwt, refresh or sf
    instance_url = "https://acme.my.salesforce.com"
    username = "backup@acme.example"
    [orgs.acme.secrets]
    password = "env:ACME_PASSWORD"
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import platformdirs

from sfnb.errors import JobError
from sfnb.settings.file import CONFIG_NAME, put_org, read, remove_org
from sfnb.settings.parsing import Found
from sfnb.settings.values import (
    API_VERSION,
    FILE_CALLS,
    KEEP_RUNS,
    LOST_ANSWER_S,
    MASS_CHANGE_PCT,
    METADATA_DAYS,
    NEWEST_API_VERSION,
    OrgConfig,
    Settings,
)
from sfnb.text import SAY_UTF8, is_unicode

__all__ = [
    "FILE_CALLS",
    "MASS_CHANGE_PCT",
    "METADATA_DAYS",
    "NEWEST_API_VERSION",
    "OrgConfig",
    "Settings",
    "elsewhere",
    "load_settings",
    "put_org",
    "remove_org",
]


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """
    The settings of this user. Environment variables override the file.

    Raises:
        JobError: the file cannot be read, or holds something that sfnb does not understand; a path
            is no text in this locale.
    """
    environ = os.environ if environ is None else environ
    home = _home(environ)
    path = home / CONFIG_NAME
    found = Found(path, read(path))
    url = f"sqlite:///{(home / 'state.db').as_posix()}"
    settings = Settings(
        home=home,
        state_url=environ.get("SFNB_STATE_URL") or found.text("state_url", url),
        store_root=environ.get("SFNB_STORE") or found.text("store", str(home / "store")),
        poll_s=found.number("poll_s", 1800.0, at_least=1),
        workers=int(found.number("workers", 4, at_least=1)),
        metadata_days=found.number("metadata_days", METADATA_DAYS, at_least=0),
        lost_answer_s=found.number("lost_answer_s", LOST_ANSWER_S, at_least=0),
        file_calls=int(found.number("file_calls", FILE_CALLS, at_least=0)),
        api_version=found.text("api_version", NEWEST_API_VERSION, form=API_VERSION, such_as="66.0"),
        header_lag_s=found.header_lag_s(environ),
        runs=found.text("runs", str(home / "runs")),
        keep_runs=int(found.number("keep_runs", KEEP_RUNS, at_least=1)),
        mass_change_pct=found.share("mass_change_pct", found.values.get("mass_change_pct")),
        mass_change=found.shares("mass_change"),
        keep=found.keep(),
        notices=found.notices(),
        orgs=MappingProxyType(found.orgs()),
    )
    for place in (str(home), settings.state_url, settings.store_root, settings.runs):
        if not is_unicode(place):
            raise JobError(
                f"{place!a} cannot be read as text in this locale. {SAY_UTF8}, or choose another folder."
            )
    return settings


def elsewhere(settings: Settings) -> dict[str, str]:
    """
    The variables by which a process in another folder finds the same home, store and state, also
    where these were given as relative paths. Empty where they are none.
    """
    found = {"SFNB_HOME": str(settings.home.resolve())} if os.environ.get("SFNB_HOME") else {}
    store = Path(settings.store_root).expanduser()
    if "://" not in settings.store_root and not store.is_absolute():
        found["SFNB_STORE"] = str(store.resolve())
    scheme, is_file, path = settings.state_url.partition(":///")
    if is_file and scheme.startswith("sqlite") and path and not Path(path).is_absolute():
        found["SFNB_STATE_URL"] = f"{scheme}:///{Path(path).resolve().as_posix()}"
    return found


def _home(environ: Mapping[str, str]) -> Path:
    if given := environ.get("SFNB_HOME"):
        return Path(given).expanduser().absolute()
    return platformdirs.user_data_path("sfnb", appauthor=False)
