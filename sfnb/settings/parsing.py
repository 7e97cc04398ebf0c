"""What `sfnb.toml` says, checked value by value. Pure: a mistake is reported with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from sfnb.errors import JobError
from sfnb.model import HEADER_LAG_S
from sfnb.notice_settings import NoticeSettings, parse_notices
from sfnb.settings.values import (
    KEEP_RULES,
    MASS_CHANGE_PCT,
    SECRET_REFERENCE,
    LoginKind,
    OrgConfig,
)


class Found:
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
