"""
Files of freshly filled orgs, kept for the length of the process: a second org with the same options
is a copy, which takes a third of the time of filling one.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from collections.abc import Hashable
from pathlib import Path

from sfnb_demo.data.storage import Storage

_MOST_KEPT = 8
"""A tiny org's file has 14 MB; the oldest one goes first."""


class Templates:
    """
    Safe for threads. An org that is requested once leaves nothing behind, since most processes run
    one org.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._asked: set[Hashable] = set()
        self._kept: dict[Hashable, tuple[Path, dict[str, int]]] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> tuple[Path, dict[str, int]] | None:
        """The file of such an org, and how many rows each object has; None: there is none yet."""
        with self._lock:
            return self._kept.get(key)

    def offer(self, key: Hashable, storage: Storage, rows: dict[str, int]) -> None:
        """Keep a copy of this newly filled org, if one like it has been filled before."""
        with self._lock:
            if key not in self._asked:
                self._asked.add(key)
                return
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(
                    prefix="sfnb-demo-templates-", ignore_cleanup_errors=True
                )
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))[0].unlink(missing_ok=True)
            storage.rows("CHECKPOINT")
            file = Path(self._folder.name) / f"{next(self._numbers)}.duckdb"
            try:
                shutil.copyfile(storage.file, file)
            except OSError:
                # Windows may lock an open database; then each org is filled anew.
                return
            self._kept[key] = file, dict(rows)


TEMPLATES = Templates()
