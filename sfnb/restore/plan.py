"""
What a restore will write, in which order, and what it will not. Pure: the dry run is this plan, printed.

Counts are records. A row's values are in the JSON form of Salesforce's REST API, whatever writes
them: a key that is missing is not sent, None clears the field, text stays text (also dates and
moments). References hold the Ids of the snapshot; whoever sends them maps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from sfnb.errors import StoreError
from sfnb.model import JobWarning, Price

Action = Literal["create", "update", "undelete", "skip", "refuse"]
ACTIONS: tuple[Action, ...] = ("create", "update", "undelete", "skip", "refuse")

WaveKind = Literal["undelete", "update", "insert", "relink", "late"]
"""
``relink`` fills the references that were left empty, since what they point at was not there yet;
``late`` gives records a status that would close them to what comes before it: children and files.
"""

WriterName = Literal["collections", "bulk2", "undelete"]
"""
How a wave is sent: collections of up to 200 records, a Bulk API 2.0 ingest job, or SOAP's undelete.
"""

Reason = Literal[
    "field_gone",
    "field_not_writable",
    "picklist_value_retired",
    "record_type_missing",
    "parent_missing",
    "object_gone",
    "no_permission",
    "storage_full",
    "other_org",
]
"""Why a row or a field is refused: words of the command line, for programs."""

PLAN_FORMAT = 1


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """
    What happens to one record of the snapshot.

    Args:
        old_id: its Id in the snapshot, 18 characters.
        target_id: the record of the target that is written; empty: there is none yet, or (in a
            ``relink`` or ``late`` wave) only the run will know it.
        values: what is sent. Of an undelete: everything that could be written, since a refused
            undelete becomes an insert and what came back is mended from it.
        reason: of a refusal a ``Reason``, of a skip a word such as ``unchanged`` or ``conflict``.
        field: the field that the reason is about.
        with_parent: the old Id of the record with which the org brings this one back; such a row is
            not sent, but looked up after the undelete.
    """

    object_name: str
    old_id: str
    action: Action
    target_id: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    field: str = ""
    with_parent: str = ""


@dataclass(frozen=True, slots=True)
class Wave:
    """
    Rows of one object that may be sent together: none of them refers to another of them.

    Args:
        number: its place in the plan, from 1; the rows are in ``rows/<number>.parquet``.
        rows: rows of the file.
        sent: of these, those that are sent; the others come back with their parents.
        calls: API calls that it will take, as planned.
        columns: the union of the rows' fields, in a fixed order.
        links: those of them that hold Ids of the snapshot.
        level: waves of one level do not depend on each other.
    """

    number: int
    object_name: str
    kind: WaveKind
    rows: int
    writer: WriterName
    calls: int
    columns: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    sent: int = 0
    level: int = 0

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> Wave:
        """From its JSON."""
        return cls(**{**saved, "columns": tuple(saved["columns"]), "links": tuple(saved["links"])})


@dataclass(frozen=True, slots=True)
class Counts:
    """Records by what happens to them. ``undelete`` has those that come back with their parents, too."""

    create: int = 0
    update: int = 0
    undelete: int = 0
    skip: int = 0
    refuse: int = 0

    def plus(self, action: Action, rows: int = 1) -> Counts:
        return replace(self, **{action: getattr(self, action) + rows})

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in ACTIONS))

    @property
    def written(self) -> int:
        return self.create + self.update + self.undelete

    def as_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    Rows that are not written, or are written without a field, and why.

    Args:
        object_name, field: what it is about; the field is empty where it is the whole row.
        reason: for programs.
        rows: how many records; 0 where only a field is left out.
        message: a sentence for people.
    """

    object_name: str
    reason: Reason
    rows: int
    field: str = ""
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "object": self.object_name,
            "field": self.field or None,
            "reason": self.reason,
            "rows": self.rows,
            "message": self.message,
        }

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> Refusal:
        """From its JSON."""
        return cls(
            saved["object"], saved["reason"], saved["rows"], saved["field"] or "", saved["message"]
        )


@dataclass(frozen=True, slots=True)
class Automation:
    """One trigger, validation rule or flow of an object that is written."""

    kind: str
    object_name: str
    name: str
    is_active: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "object": self.object_name,
            "name": self.name,
            "active": self.is_active,
        }

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> Automation:
        """From its JSON."""
        return cls(saved["kind"], saved["object"], saved["name"], saved["active"])


@dataclass(frozen=True, slots=True)
class End:
    """One end of a restore: where the records come from, or where they go."""

    org: str
    org_id: str
    snapshot: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """
    What a restore will write, wave by wave.

    Args:
        source: the snapshot's org and the snapshot.
        target: the org that is written.
        options: the request, as JSON.
        waves: in the order to send.
        objects: by object, its records by what happens to them.
        skips: records that are left alone, by reason.
        not_written: by object, the fields that are not written and why.
        written_twice: by object, records that two waves write (their LastModifiedDate is the run's).
        keys: by object, a unique external id that finds a record whose answer was lost.
        automation: triggers, rules and flows of the objects that are written.
        files: documents and attachments that are sent, see `planned_files`; empty without ``--files``.
        price: of the run, in each budget's unit.
        preparation_calls: what the planning itself took.
        is_stopped: a conflict under ``fail``: nothing will be written.
    """

    source: End
    target: End
    options: Mapping[str, Any] = field(default_factory=dict)
    waves: Sequence[Wave] = ()
    objects: Mapping[str, Counts] = field(default_factory=dict)
    refusals: Sequence[Refusal] = ()
    skips: Mapping[str, int] = field(default_factory=dict)
    not_written: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    written_twice: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    automation: Sequence[Automation] = ()
    warnings: Sequence[JobWarning] = ()
    files: Mapping[str, int] = field(default_factory=dict)
    price: Price = field(default_factory=dict)
    preparation_calls: int = 0
    is_stopped: bool = False

    @property
    def counts(self) -> Counts:
        """All records by what happens to them."""
        return sum(self.objects.values(), Counts())

    @property
    def is_other_org(self) -> bool:
        return self.source.org_id != self.target.org_id

    @property
    def files_text(self) -> str:
        """The files in a sentence or two; empty without ``--files``."""
        found = self.files
        if not found:
            return ""
        said = (
            f"Files: {found['documents']:,} documents with {found['versions']:,} versions, "
            f"{found['attachments']:,} attachments, {found.get('folder_documents', 0):,} Documents, "
            f"{found['bytes'] / 1_000_000:,.1f} MB; "
            f"{found.get('pictures', 0):,} pictures in rich texts; "
            f"{found['undeleted']:,} come out of the recycle bin."
        )
        if found["missing"]:
            said += f" {found['missing']:,} are not sent: the store does not have their bodies."
        return said

    def outcome(self) -> dict[str, Any]:
        """The keys of the command's JSON that a dry run gives."""
        files = {"files": dict(self.files)} if self.files else {}
        return {
            "plan": self.counts.as_json(),
            "objects": {name: counts.as_json() for name, counts in self.objects.items()},
            "refusals": [r.as_json() for r in self.refusals],
            "automation": [a.as_json() for a in self.automation],
            **files,
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "format": PLAN_FORMAT,
            "source": self.source.as_json(),
            "target": self.target.as_json(),
            "options": dict(self.options),
            "waves": [asdict(wave) for wave in self.waves],
            "objects": {name: counts.as_json() for name, counts in self.objects.items()},
            "refusals": [r.as_json() for r in self.refusals],
            "skips": dict(self.skips),
            "not_written": {name: dict(why) for name, why in self.not_written.items()},
            "written_twice": dict(self.written_twice),
            "keys": dict(self.keys),
            "automation": [a.as_json() for a in self.automation],
            "warnings": [w.as_json() for w in self.warnings],
            "files": dict(self.files),
            "price": dict(self.price),
            "preparation_calls": self.preparation_calls,
            "is_stopped": self.is_stopped,
        }

    @classmethod
    def of(cls, saved: Mapping[str, Any], what: str = "the plan") -> RestorePlan:
        """
        From its JSON.

        Raises:
            StoreError: it is damaged, or of a newer sfnb.
        """
        if saved.get("format") != PLAN_FORMAT:
            raise StoreError(f"{what} has a format that this sfnb does not know; upgrade sfnb.")
        try:
            return cls(
                source=End(**saved["source"]),
                target=End(**saved["target"]),
                options=saved["options"],
                waves=tuple(Wave.of(wave) for wave in saved["waves"]),
                objects={name: Counts(**counts) for name, counts in saved["objects"].items()},
                refusals=tuple(Refusal.of(r) for r in saved["refusals"]),
                skips=saved["skips"],
                not_written=saved["not_written"],
                written_twice=saved["written_twice"],
                keys=saved["keys"],
                automation=tuple(Automation.of(a) for a in saved["automation"]),
                warnings=tuple(JobWarning.of(w) for w in saved["warnings"]),
                files=saved.get("files", {}),
                price=saved["price"],
                preparation_calls=saved["preparation_calls"],
                is_stopped=saved["is_stopped"],
            )
        except (KeyError, TypeError, AttributeError) as err:
            raise StoreError(f"{what} is damaged: it is not the plan of a restore.") from err


def columns_of(rows: Iterable[PlannedRow]) -> Iterator[str]:
    """The union of the rows' fields, in the order of their first use."""
    yield from dict.fromkeys(name for row in rows for name in row.values)
