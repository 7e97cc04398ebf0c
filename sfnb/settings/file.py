"""The file `sfnb.toml`: read, and edited under a lock so that comments and other people's changes stay."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sfnb.errors import CallerError, JobError
from sfnb.file_lock import file_lock
from sfnb.settings.parsing import Found
from sfnb.settings.values import ORG_NAME, SECRET_REFERENCE, OrgConfig, Settings

if TYPE_CHECKING:
    import tomlkit

CONFIG_NAME = "sfnb.toml"
LOCK_NAME = ".sfnb.toml.lock"
PATIENCE_S = 30.0
"""How long a change of the file waits for another process's, which takes milliseconds."""


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


def read(path: Path) -> str:
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
            text = read(path)
            Found(path, text)  # a file with a mistake is reported before anything is written
            document = tomlkit.parse(text)
            change(document)
            changed = tomlkit.dumps(document)
            _replace(path, changed)
    except OSError as err:
        raise JobError(
            f"{path} cannot be written ({err.strerror}). Free the disk or set SFNB_HOME."
        ) from err
    return replace(settings, orgs=MappingProxyType(Found(path, changed).orgs()))


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
