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

import contextlib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

import platformdirs

from sfnb.errors import CallerError, JobError
from sfnb.file_lock import file_lock
from sfnb.model import HEADER_LAG_S
from sfnb.notice_settings import NoticeSettings, parse_notices

if TYPE_CHECKING:
    import tomlkit

CONFIG_NAME = "sfnb.toml"
LOCK_NAME = ".sfnb.toml.lock"
PATIENCE_S = 30.0
"""How long a change of the file waits for another process's, which takes milliseconds."""

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


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """
    The settings of this user. Environment variables override the file.

    Raises:
        JobError: the file cannot be read, or holds something that sfnb does not understand.
    """
    environ = os.environ if environ is None else environ
    home = _home(environ)
    path = home / CONFIG_NAME
    found = _Found(path, _read(path))
    url = f"sqlite:///{(home / 'state.db').as_posix()}"
    return Settings(
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


def put_org(settings: Settings, config: OrgConfig, *, replaces: bool = True) -> Settings:
    """
    The settings with the org added or replaced, in the file too. Comments in the file stay.

    The result also has what other processes have registered meanwhile.

    Raises:
        CallerError: the name is unusable, or taken and not ``replaces``.
        JobError: the file cannot be read or written.
    """
    if not ORG_NAME.fullmatch(config.name):
        raise CallerError(
            f"{config.name!r} cannot be the name of an org: "
            "use up to 64 letters, digits, dots, dashes and underscores."
        )
    for role, reference in config.secrets.items():
        if not SECRET_REFERENCE.fullmatch(reference):
            raise CallerError(
                f"org {config.name}: give the {role.replace('_', ' ')} as env:VARIABLE, file:PATH "
                "or keyring, never the secret itself."
            )
    defaults = {f.name: f.default for f in fields(OrgConfig)}
    table = {
        key: value
        for key, value in asdict(config).items()
        if value != defaults[key] and key not in ("name", "secrets")
    }
    if config.secrets:
        table["secrets"] = dict(config.secrets)

    def change(document: tomlkit.TOMLDocument) -> None:
        import tomlkit

        orgs = document.setdefault("orgs", tomlkit.table(is_super_table=True))
        if config.name in orgs and not replaces:
            raise CallerError(
                f"org {config.name} is already registered; give --replace, or choose another name."
            )
        orgs[config.name] = tomlkit.item(table)

    return _edit(settings, change)


def remove_org(settings: Settings, name: str) -> Settings:
    """The settings without the org, in the file too. What is stored of it stays."""
    settings.org(name)

    def change(document: tomlkit.TOMLDocument) -> None:
        document.get("orgs", {}).pop(name, None)

    return _edit(settings, change)


def _home(environ: Mapping[str, str]) -> Path:
    if given := environ.get("SFNB_HOME"):
        return Path(given).expanduser().absolute()
    return platformdirs.user_data_path("sfnb", appauthor=False)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as err:
        line = err.object.count(b"\n", 0, err.start) + 1
        raise JobError(
            f"{path}, line {line}: not UTF-8 text. Save the file as UTF-8, or move it away."
        ) from err
    except OSError as err:
        raise JobError(
            f"{path} cannot be read ({err.strerror}). Make it readable, or set SFNB_HOME."
        ) from err


def _edit(settings: Settings, change: Callable[[tomlkit.TOMLDocument], None]) -> Settings:
    """
    The settings after a change of the file, made under a lock.

    The file is replaced whole: a crash leaves the old one or the new one.
    """
    import tomlkit

    path = settings.home / CONFIG_NAME
    try:
        with file_lock(settings.home / LOCK_NAME, patience_s=PATIENCE_S):
            text = _read(path)
            _Found(path, text)  # a file with a mistake is reported before anything is written
            document = tomlkit.parse(text)
            change(document)
            changed = tomlkit.dumps(document)
            _replace(path, changed)
    except OSError as err:
        raise JobError(
            f"{path} cannot be written ({err.strerror}). Free the disk or set SFNB_HOME."
        ) from err
    return replace(settings, orgs=MappingProxyType(_Found(path, changed).orgs()))


def _replace(path: Path, text: str) -> None:
    import tempfile

    # mkstemp gives the new file to its owner alone (mode 0600).
    handle, temporary = tempfile.mkstemp(prefix=".sfnb-", suffix=".toml", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


class _Found:
    """The parsed file. A mistake is reported with its line."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        try:
            self.values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as err:
            found = re.search(r"\(at line (\d+)", str(err))
            line = int(found[1]) if found else max(len(self.lines), 1)
            what = str(err).split(" (at ")[0]
            raise JobError(
                f"{path}, line {line}: {what}. Correct that line, or move the file away."
            ) from err

    def text(
        self, key: str, default: str, *, form: re.Pattern[str] | None = None, such_as: str = "…"
    ) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or not value or (form and not form.fullmatch(value)):
            raise self.wrong(key, f'{key} must be a text such as "{such_as}"')
        return value

    def number(self, key: str, default: float, *, at_least: int) -> float:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < at_least:
            raise self.wrong(key, f"{key} must be a number of at least {at_least}")
        return value

    def header_lag_s(self, environ: Mapping[str, str]) -> float:
        """The default of all orgs. A test server with an exact header or a fast clock needs less."""
        given = environ.get("SFNB_HEADER_LAG_S")
        if not given:
            return self.number("header_lag_s", HEADER_LAG_S, at_least=0)
        try:
            seconds = float(given)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= HEADER_LAG_S:
            raise JobError(f"SFNB_HEADER_LAG_S must be a number from 0 to {HEADER_LAG_S:.0f}.")
        return seconds

    def share(self, key: str, value: object) -> float:
        if value is None:
            return MASS_CHANGE_PCT
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 < value <= 100:  # type: ignore[operator]
            raise self.wrong(key, f"{key} must be a number from more than 0 to 100 (percent)")
        return float(value)  # type: ignore[arg-type]

    def keep(self) -> dict[str, dict[str, int]]:
        """By org (empty: all others) how many snapshots of which kind a prune keeps."""
        given = self.values.get("keep", {})
        if not isinstance(given, dict):
            raise self.wrong("keep", "keep must be a table such as [keep]")
        tables: dict[str, dict[str, Any]] = {"": {}}
        for name, value in given.items():
            if isinstance(value, dict):
                tables[name] = value
            else:
                tables[""][name] = value
        for table in tables.values():
            for rule, number in table.items():
                is_number = isinstance(number, int) and not isinstance(number, bool)
                if rule not in KEEP_RULES or not is_number or number < 0:
                    what = f"keep takes a number of snapshots for {', '.join(KEEP_RULES)}"
                    raise self.wrong(rule, what)
        return {name: table for name, table in tables.items() if table}

    def shares(self, key: str) -> Mapping[str, float]:
        table = self.values.get(key, {})
        if not isinstance(table, dict):
            raise self.wrong(key, f"{key} must be a table such as [{key}]")
        return MappingProxyType({name: self.share(name, value) for name, value in table.items()})

    def notices(self) -> NoticeSettings:
        table = self.values.get("notices", {})
        if not isinstance(table, dict):
            raise self.wrong("notices", "notices must be a table: [notices]")
        try:
            return parse_notices(table)
        except ValueError as err:
            raise self.wrong(*map(str, err.args)) from err

    def orgs(self) -> dict[str, OrgConfig]:
        tables = self.values.get("orgs", {})
        if not isinstance(tables, dict):
            raise self.wrong("orgs", "orgs must be tables such as [orgs.acme]")
        return {name: self._org(name, table) for name, table in tables.items()}

    def _org(self, name: str, table: object) -> OrgConfig:
        where = f"orgs.{name}"
        if not isinstance(table, dict):
            raise self.wrong(name, f"{where} must be a table: [{where}]")
        known = {f.name for f in fields(OrgConfig)} - {"name"}
        if strange := sorted(set(table) - known):
            raise self.wrong(strange[0], f"{where} has no setting {strange[0]!r}")
        if table.get("login") not in get_args(LoginKind):
            raise self.wrong(
                f"[{where}]", f"{where}.login must be one of {', '.join(get_args(LoginKind))}"
            )
        secrets = table.get("secrets", {})
        if not isinstance(secrets, dict) or not all(
            SECRET_REFERENCE.fullmatch(str(v)) for v in secrets.values()
        ):
            # The value is not shown: it may be the secret itself.
            raise self.wrong(
                f"[{where}",
                f"a secret of {where} must be env:VARIABLE, file:PATH or keyring, never the secret itself",
            )
        for key, value in table.items():
            if key == "header_lag_s":
                is_number = isinstance(value, int | float) and not isinstance(value, bool)
                if not is_number or not 0 <= value <= HEADER_LAG_S:
                    most = f"{HEADER_LAG_S:.0f}"
                    raise self.wrong(key, f"{where}.{key} must be a number from 0 to {most}")
            elif key != "secrets" and not isinstance(value, str):
                raise self.wrong(key, f"{where}.{key} must be text")
        return OrgConfig(name=name, **table)

    def wrong(self, key: str, what: str) -> JobError:
        at = next((n for n, line in enumerate(self.lines, 1) if line.strip().startswith(key)), 1)
        return JobError(
            f"{self.path}, line {at}: {what}. Correct that line, or move the file away."
        )
