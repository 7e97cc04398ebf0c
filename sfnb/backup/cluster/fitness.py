"""
Whether a worker can do the work: it has this sfnb, and it writes into the coordinator's store.

A worker that sees a folder of the same name on its own disk would write parts that nobody finds. So
it has to read what the coordinator has just written, and the coordinator what the worker has.
"""

from __future__ import annotations

import platform
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from sfnb.errors import CallerError, StoreError
from sfnb.store.files import TEMPORARY
from sfnb.store.store_key import open_files
from sfnb.version import __version__


@dataclass(frozen=True, slots=True)
class Versions:
    """What has to be the same everywhere, because units and results are values of these programs."""

    sfnb: str
    python: str
    libraries: Mapping[str, str]

    @classmethod
    def here(cls) -> Versions:
        python = ".".join(platform.python_version_tuple()[:2])
        return cls(__version__, python, {n: _of(n) for n in ("distributed", "pyarrow")})

    def difference(self, theirs: Versions) -> str:
        """What differs, in words; empty: nothing that matters."""
        said = []
        if self.sfnb != theirs.sfnb:
            said.append(f"sfnb {theirs.sfnb} instead of {self.sfnb}")
        if self.python != theirs.python:
            said.append(f"Python {theirs.python} instead of {self.python}")
        for name, ours in self.libraries.items():
            other = theirs.libraries.get(name, "none")
            if other.split(".")[0] != ours.split(".")[0]:
                said.append(f"{name} {other} instead of {ours}")
        return ", ".join(said)


def _of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


@contextmanager
def probe(store_root: str) -> Iterator[str]:
    """
    The name of a file in the store that only who sees this very store can read; gone afterwards.

    Raises:
        StoreError: the store cannot be written.
    """
    name = _new_name()
    files = open_files(store_root)
    files.put_json(name, {"probe": name})
    try:
        yield name
    finally:
        files.delete(name)


@dataclass(frozen=True, slots=True)
class Look:
    """
    What a worker says of itself.

    Args:
        answer: the name of the file that it has left in the store; empty: none.
        problem: why it cannot use the store.
    """

    versions: Versions
    answer: str = ""
    problem: str = ""


def look(store_root: str, name: str) -> Look:
    """Runs on a worker: whether it sees the probe, and can write beside it."""
    answer = _new_name()
    try:
        files = open_files(store_root)
        if not files.has(name):
            return Look(Versions.here(), problem=f"{store_root} is another folder there")
        files.put_json(answer, {"probe": name})
    except (CallerError, StoreError) as err:
        return Look(Versions.here(), problem=str(err).rstrip("."))
    return Look(Versions.here(), answer)


def judge(seen: Look, store_root: str) -> str:
    """Why units cannot run on that worker, for the end of a sentence; empty: they can."""
    files = open_files(store_root)
    if difference := Versions.here().difference(seen.versions):
        problem = f"it has {difference}"
    elif seen.problem:
        problem = f"it cannot use the store: {seen.problem}"
    elif not files.has(seen.answer):
        problem = "what it writes into the store does not arrive there"
    else:
        problem = ""
    if seen.answer:
        files.delete(seen.answer)
    return problem


def _new_name() -> str:
    return f"{TEMPORARY}{secrets.token_hex(8)}.json"
