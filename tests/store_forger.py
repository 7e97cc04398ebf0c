"""
Forges files of a store with right checksums, as a bug of sfnb's could have written them: what a
check of `verify` guards shows only where no checksum gives the damage away.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sfnb.store.encoding import encode
from sfnb.store.tables import OrgStore
from sfnb.store.verify import Expected, Finding, verify

Entry = dict[str, Any]
Lines = list[dict[str, Any]]


def forge(path: Path, change: Callable[[Entry], object]) -> None:
    """A JSON file of sfnb's, changed, its checksum right."""
    content = json.loads(path.read_bytes())
    change(content)
    path.write_bytes(encode(content))


def damage(store: OrgStore, *expected: Expected, quick: bool = False) -> list[Finding]:
    """What `verify` finds that is damage."""
    return [found for found in verify(store, expected, quick=quick) if found.is_damage]


def body_of(lines: Lines, kind: str) -> Entry:
    """The first action of a kind."""
    return next(body for line in lines if (body := line.get(kind)) is not None)


class ForgedLog:
    """
    The log of one table. Each commit goes on vouching for the one before, and the manifests for the
    last, whatever is forged.

    Args:
        folder: of the table, from the org's folder.
    """

    def __init__(self, store: OrgStore, folder: str = "records/Account") -> None:
        self._root = Path(store.root)
        self._log = self._root / folder / "_delta_log"
        self._name = folder.rpartition("/")[2]

    @property
    def newest(self) -> int:
        return max(int(path.stem) for path in self._log.glob("*[0-9].json"))

    def path(self, version: int) -> Path:
        return self._log / f"{version:020d}.json"

    def sha256(self, version: int) -> str:
        return hashlib.sha256(self.path(version).read_bytes()).hexdigest()

    def lines(self, version: int) -> Lines:
        return [json.loads(line) for line in self.path(version).read_text().splitlines()]

    def entry(self, version: int) -> Entry:
        content: Entry = json.loads(body_of(self.lines(version), "commitInfo")["sfnb"])
        return content

    def put(self, version: int, lines: Lines) -> None:
        """A commit as it stands, and nothing done about those after it."""
        self.path(version).write_text("\n".join(json.dumps(line) for line in lines))

    def forge(self, version: int, change: Callable[[Entry, Lines], object]) -> None:
        """Change what a commit says and does; the commits and seals after it are made to agree."""
        self._forge(version, change)
        for later in range(version + 1, self.newest + 1):
            if self.entry(later)["base"] == later - 1:
                sha256 = self.sha256(later - 1)
                self._forge(later, lambda e, _lines, s=sha256: e.update(base_sha256=s))  # type: ignore[misc]
        for path in self._root.glob("snapshots/*/manifest.json"):
            forge(path, self._seal)

    def _forge(self, version: int, change: Callable[[Entry, Lines], object]) -> None:
        lines = self.lines(version)
        info = body_of(lines, "commitInfo")
        entry = json.loads(info["sfnb"])
        change(entry, lines)
        info["sfnb"] = encode(entry).decode()
        self.put(version, lines)

    def _seal(self, manifest: Entry) -> None:
        line = manifest["objects"].get(self._name, {})
        if line.get("version", -1) >= 0 and self.path(line["version"]).exists():
            line["commit_sha256"] = self.sha256(line["version"])
