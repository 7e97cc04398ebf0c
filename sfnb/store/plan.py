"""The plan of a snapshot: what it is meant to hold. Written first, never changed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sfnb.errors import CallerError, StoreError
from sfnb.store.files import Files
from sfnb.store.formats import FORMAT, check_format
from sfnb.store.paths import plan_path
from sfnb.version import __version__

SNAPSHOT_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
OBJECT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")


STAMP = "%Y%m%dT%H%M%SZ"


def new_snapshot_id(at: datetime, newest: str = "") -> str:
    """
    ``20261122T043812Z-1a2b3c``: ids sort by creation, also after a clock was put back.

    Args:
        newest: the newest id so far; the new one sorts after it.
    """
    moment = at.astimezone(UTC)
    if newest[:16] >= f"{moment:{STAMP}}":
        moment = moment_of(newest) + timedelta(seconds=1)
    return f"{moment:{STAMP}}-{secrets.token_hex(3)}"


def moment_of(snapshot: str) -> datetime:
    """When a snapshot began, by its id (UTC, whole seconds)."""
    return datetime.strptime(snapshot[:16], STAMP).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """
    What a backup job is meant to store, and what it leaves out. Written first, never changed.

    Args:
        snapshot: see ``new_snapshot_id``.
        objects: by object, at least ``reader`` and ``expected_rows`` (None: unknown).
        left_out: by object, why it is not read.
        notes: sentences about the whole snapshot, such as that it has no bodies of files.
        scope: which objects were asked for, see ``scope_of``; empty: all.
        catalogue: the org's objects and when it told of them, for the next backup; empty: not kept.
    """

    snapshot: str
    org: str
    org_id: str
    job_id: str
    created_at: datetime
    objects: Mapping[str, Mapping[str, Any]]
    kind: str = "full"
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    api_version: str = ""
    scope: str = ""
    catalogue: Mapping[str, Any] = field(default_factory=dict)
    sfnb: str = __version__
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not SNAPSHOT_ID.fullmatch(self.snapshot):
            raise CallerError(
                f"{self.snapshot!r} is not a snapshot id; they look like 20261122T043812Z-1a2b3c."
            )
        # Names become folders.
        for name in self.objects:
            if not OBJECT_NAME.fullmatch(name):
                raise CallerError(f"{name!r} cannot be the name of a Salesforce object.")

    def as_json(self) -> dict[str, Any]:
        content = asdict(self)
        content["created_at"] = self.created_at.isoformat()
        content["notes"] = list(self.notes)
        if not self.scope:
            del content["scope"]
        return content


def scope_of(objects: Sequence[str] | None, exclude: Sequence[str] = ()) -> str:
    """``account,contact`` where these were asked for, ``-task`` where all but this one were."""
    wanted = sorted({name.lower() for name in objects or ()})
    return ",".join([*wanted, *sorted({f"-{name.lower()}" for name in exclude})])


def without_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key != "checksum"}


def read_plan(files: Files, snapshot: str) -> SnapshotPlan:
    """
    The plan of a snapshot.

    Raises:
        StoreError: it is missing, damaged, or of a newer sfnb.
    """
    path = plan_path(snapshot)
    content = files.read_json(path)
    if content is None:
        raise StoreError(
            f"{files.uri(path)} is missing: what the snapshot was meant to hold is no longer known."
        )
    check_format(content, files.uri(path))
    try:
        values = without_checksum(content)
        values["created_at"] = datetime.fromisoformat(values["created_at"])
        values["notes"] = tuple(values["notes"])
        plan = SnapshotPlan(**values)
    except (TypeError, ValueError, KeyError, CallerError) as err:
        raise StoreError(f"{files.uri(path)} is damaged: it is not a plan.") from err
    check_place(plan.snapshot, snapshot, files.uri(path))
    return plan


def check_place(named: str, snapshot: str, what: str) -> None:
    """A file of another snapshot is whole, and wrong."""
    if named != snapshot:
        raise StoreError(f"{what} is damaged: it belongs to snapshot {named}.")
