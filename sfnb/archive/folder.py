"""
An archive job's notes, in the folder ``job`` of the archive's store.

::

    selection.json        the Ids that the condition matched, and those beyond the cap
    trees/<n>.parquet     what goes with each root, by groups of roots
    read/<n>/…            rows as they were read, until they are stored
    plan.json             how much goes, and where the rows are that were read
    kept.json             what does not go, and why, as far as is known before the deletion
    ready.json            all is stored: the deletion may begin
    deletes/<n>.json      what was about to be deleted, and what came of it
    done/<n>.json         what went with each group of roots
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from sfnb.archive.trees import Member
from sfnb.errors import StoreError
from sfnb.store.files import Files
from sfnb.store.parts import text_array
from sfnb.store.translating import translated

JOB = "job"

KeptReason = Literal["on_hold", "changed_meanwhile", "refused", "not_verified", "over_max_rows"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that stays in the org, and why; ``message`` for people."""

    object_name: str
    id: str
    reason: KeptReason
    message: str = ""

    def as_json(self) -> dict[str, str]:
        return {
            "object": self.object_name,
            "id": self.id,
            "reason": self.reason,
            "message": self.message,
        }

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> Kept:
        return cls(saved["object"], saved["id"], saved["reason"], saved["message"])


@dataclass(frozen=True, slots=True)
class Selection:
    """The roots, in the order of their Ids; ``over`` are beyond the cap."""

    object_name: str
    roots: tuple[str, ...]
    over: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """
    Records that are deleted together.

    Args:
        number: the name of its file.
        at: the org's time before it was sent, ISO 8601.
        outcomes: by Id, None: gone, else code and message of a refusal; None while nothing is known.
    """

    number: int
    object_name: str
    ids: tuple[str, ...]
    at: str
    outcomes: Mapping[str, tuple[str, str] | None] | None = None


TREES = pa.schema(
    [
        *((name, pa.string()) for name in ("root", "object", "id")),
        ("digest", pa.binary()),
        ("core", pa.binary()),
        ("is_first", pa.bool_()),
        ("bytes", pa.int64()),
    ]
)


@dataclass(frozen=True)
class JobFolder:
    """
    The notes of one job.

    Args:
        files: the archive's own folder.
    """

    files: Files

    # -- what goes

    def put_selection(self, selection: Selection) -> None:
        self.files.put_json(f"{JOB}/selection.json", asdict(selection))

    def selection(self) -> Selection | None:
        saved = self.files.read_json(f"{JOB}/selection.json")
        if saved is None:
            return None
        return Selection(saved["object_name"], tuple(saved["roots"]), tuple(saved["over"]))

    def read_folder(self, group: int) -> str:
        return f"{JOB}/read/{group}"

    def put_plan(self, said: Mapping[str, Any], paths: Mapping[str, Iterable[str]]) -> None:
        """
        What will go, once it is all read.

        Args:
            paths: by object, the files that hold its rows as they were read.
        """
        found = {name: list(some) for name, some in paths.items()}
        self.files.put_json(f"{JOB}/plan.json", {"said": dict(said), "paths": found})

    def plan(self) -> dict[str, Any] | None:
        return self.files.read_json(f"{JOB}/plan.json")

    def drop_read(self) -> None:
        """The rows as they were read are in the store's parts now."""
        self.files.delete_folder(f"{JOB}/read")

    def put_trees(self, group: int, trees: Mapping[str, Iterable[Member]]) -> None:
        """A group's trees, by root."""
        rows = [(root, member) for root, members in trees.items() for member in members]
        columns = [
            text_array([root for root, _ in rows]),
            text_array([m.object_name for _, m in rows]),
            text_array([m.id for _, m in rows]),
            pa.array([m.digest for _, m in rows], pa.binary()),
            pa.array([m.core for _, m in rows], pa.binary()),
            pa.array([m.is_first for _, m in rows], pa.bool_()),
            pa.array([m.bytes for _, m in rows], pa.int64()),
        ]
        with self.files.open_new(f"{JOB}/trees/{group}.parquet") as sink:
            pq.write_table(pa.Table.from_arrays(columns, schema=TREES), sink)

    def has_trees(self, group: int) -> bool:
        return self.files.has(f"{JOB}/trees/{group}.parquet")

    def trees(self, group: int) -> dict[str, list[Member]]:
        """By root, what goes with it, itself first."""
        path = f"{JOB}/trees/{group}.parquet"
        found: dict[str, list[Member]] = {}
        with translated(f"read {self.files.uri(path)}"), self.files.open_input(path) as source:
            for batch in pq.ParquetFile(source).iter_batches():
                for row in batch.to_pylist():
                    member = Member(
                        row["object"],
                        row["id"],
                        row["digest"],
                        row["core"],
                        row["is_first"],
                        row["bytes"],
                    )
                    found.setdefault(row["root"], []).append(member)
        return found

    # -- what stays

    def put_kept(self, kept: Iterable[Kept]) -> None:
        self.files.put_json(f"{JOB}/kept.json", {"kept": [one.as_json() for one in kept]})

    def kept(self) -> list[Kept]:
        saved = self.files.read_json(f"{JOB}/kept.json") or {"kept": []}
        return [Kept.of(one) for one in saved["kept"]]

    # -- the deletion

    def put_ready(self, said: Mapping[str, Any]) -> None:
        """The last write before the first deletion."""
        self.files.put_json(f"{JOB}/ready.json", said)

    def ready(self) -> dict[str, Any] | None:
        return self.files.read_json(f"{JOB}/ready.json")

    def put_delete(self, delete: Delete) -> Delete:
        self.files.put_json(f"{JOB}/deletes/{delete.number:07d}.json", asdict(delete))
        return delete

    def deletes(self) -> Iterator[Delete]:
        """What was sent or about to be, oldest first."""
        for name in self.files.names(f"{JOB}/deletes"):
            saved = self.files.read_json(f"{JOB}/deletes/{name}")
            if saved is None:
                continue
            outcomes = saved["outcomes"]
            try:
                yield Delete(
                    saved["number"],
                    saved["object_name"],
                    tuple(saved["ids"]),
                    saved["at"],
                    None
                    if outcomes is None
                    else {i: None if o is None else (o[0], o[1]) for i, o in outcomes.items()},
                )
            except (KeyError, TypeError, IndexError) as err:
                raise StoreError(f"the archive's note deletes/{name} is damaged.") from err

    def put_done(self, group: int, said: Mapping[str, Any]) -> None:
        self.files.put_json(f"{JOB}/done/{group}.json", said)

    def done(self, group: int) -> dict[str, Any] | None:
        return self.files.read_json(f"{JOB}/done/{group}.json")
