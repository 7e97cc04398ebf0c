"""What one snapshot has committed to an object's table, and its next commit there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deltalake import CommitProperties, Transaction
from deltalake.exceptions import DeltaError

from sfnb.clock import Clock
from sfnb.errors import ObjectError, StoreError
from sfnb.store.commits import Commit, Replay, metadata, parse_commit
from sfnb.store.delta import ATTEMPTS, Table
from sfnb.store.encoding import encode
from sfnb.store.files import Files
from sfnb.store.formats import OLDER, NewerFormat
from sfnb.store.layout import Layout
from sfnb.store.log import log_path, read_commits
from sfnb.store.manifest import SnapshotPlan, read_committed
from sfnb.store.parts import Part
from sfnb.store.place import RECORDS_FORMAT
from sfnb.store.progress import NOTHING, Progress, Total
from sfnb.store.readings import newest_reading
from sfnb.store.schema import ObjectColumns, read_schema
from sfnb.store.translating import translated


class ReadByNewer(ObjectError):
    """A newer snapshot has committed to this table: an older one may add nothing any more."""


class TableMoved(StoreError):
    """Somebody has committed since the state before was read: compare again."""


class OtherWriter(StoreError):
    """The log has a commit of this snapshot that this writer has not made."""


class ObjectCommits:
    """
    One snapshot's commits to one object's table. For one thread at a time: ``ObjectWriter`` locks.

    Args:
        root: the org's folder.
    """

    replay: Replay | None = None
    """Set by an upgrade that writes a reading of an older format anew."""

    def __init__(
        self, root: Files, plan: SnapshotPlan, name: str, table: Table, clock: Clock
    ) -> None:
        self._root = root
        self._plan = plan
        self._snapshot = plan.snapshot
        self._name = name
        self._table = table
        self._files = table.files
        self._clock = clock
        self._schema: ObjectColumns | None = None
        self._last: Commit | None = None
        self._is_read = False
        self._parts: list[Part] | None = None

    def schema(self) -> ObjectColumns | None:
        """The columns that the snapshot has the object under; None before they are put."""
        if self._schema is None:
            self._schema = read_schema(self._root, self._snapshot, self._name)
        return self._schema

    def keep(self, schema: ObjectColumns) -> None:
        """Take the columns that were put just now."""
        self._schema = schema

    def layout(self) -> Layout:
        """Where the table has the object's fields."""
        if (schema := self.schema()) is None:
            raise StoreError(f"{self._name}: its columns are not known yet; call put_schema first.")
        return schema.layout

    def layout_of(self, parts: Iterable[Part]) -> Layout:
        """The object's columns, with those that some parts have beside them."""
        widened = [field for part in parts for field in part.widened]
        return tuple(dict.fromkeys([*self.layout(), *widened]))

    def refuse_newer(self, version: int) -> None:
        """
        Nothing is added to a table that a newer sfnb has written to: it may have rules that this
        one would break.
        """
        text = self._files.read(log_path(version)) if version >= 0 else None
        if text is None:
            return
        try:
            parse_commit(text, version, self._files.uri(log_path(version)))
        except NewerFormat:
            raise
        except StoreError:
            return  # `verify` names this damage; Delta decides whether the table can still be written

    def progress(self) -> Progress:
        """
        How far the snapshot has come. Read once: from then on nobody else writes this object of
        this snapshot.
        """
        last = self._last if self._is_read else self.read_last()
        return last.progress if last else NOTHING

    def is_last(self, parts: Sequence[Part]) -> bool:
        """Whether the newest commit known here has brought these parts."""
        return self._last is not None and list(self._last.parts) == list(parts)

    def read_last(self) -> Commit | None:
        """The snapshot's newest commit here, read from the log; None: it has made none."""
        self._last = None
        if (schema := self.schema()) is not None:
            commits = read_commits(self._files, self._snapshot, after=schema.after)
            self._last = next(commits, None)
        self._is_read = True
        if self._last is None:
            self._parts = []
        return self._last

    def live_parts(self) -> list[Part]:
        """The parts committed since the last restart."""
        if self._parts is None:
            _, self._parts = read_committed(self._root, self._plan, self._name)
        return self._parts

    def put(
        self,
        after: Progress,
        parts: Sequence[Part],
        removes: Sequence[Part] = (),
        *,
        seen: int | None = None,
    ) -> Progress:
        """
        One Delta commit, whose number in this snapshot is ``after.number``.

        Args:
            seen: the version of the table that it must be built upon; None: whatever is there.
        """
        layout = self.layout_of(parts)
        if layout != self.layout():
            self._table.fit(layout)
        with translated(f"commit rows of {self._name}"):
            for attempt in range(ATTEMPTS):
                table = self._table.open()
                there = table.transaction_version(self._snapshot) if table is not None else None
                if there is not None and there >= after.number:
                    return self._settled(after, parts, removes)
                if (there or 0) != after.number - 1:
                    raise StoreError(
                        f"{self._name}: the table has lost commits of {self._snapshot}. Run `sfnb verify`."
                    )
                before = -1 if table is None else table.version()
                self._refuse_late(before)
                if seen is not None and before != seen:
                    raise TableMoved(f"{self._name}: its table has changed meanwhile.")
                properties = self._entry(after, parts, removes, before)
                try:
                    self._table.append(
                        parts, removes, layout, properties, at_ms=_milliseconds(self._clock)
                    )
                except DeltaError:
                    # Another snapshot has changed or created the table meanwhile, or this very
                    # commit worked and its answer was lost: open the table again, and decide again.
                    self._table.forget()
                    if attempt == ATTEMPTS - 1:
                        raise
                    # It may lack our columns.
                    self._table.fit(layout)
                    continue
                return self._settled(after, parts, removes)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _refuse_late(self, newest: int) -> None:
        """
        Snapshots commit to a table in the order of their ids, so that no older state changes.

        Raises:
            ReadByNewer: a newer snapshot has committed.
        """
        if self._plan.format < RECORDS_FORMAT or (
            self._last and self._last.progress.version == newest
        ):
            return
        other = newest_reading(self._files, newest)
        if other > self._snapshot:
            raise ReadByNewer(f"{self._name}: a newer backup ({other}) has read it.")

    def _entry(
        self, after: Progress, parts: Sequence[Part], removes: Sequence[Part], base: int
    ) -> CommitProperties:
        """What goes into the commit beside Delta's own actions."""
        base_sha256 = ""
        if self._last is not None and self._last.progress.version == base:
            base_sha256 = self._last.progress.file_sha256
        elif base >= 0:
            _, base_sha256 = self._files.digest(log_path(base)) or (0, "")
        gone = {part.path for part in removes}
        live = [part for part in self.live_parts() if part.path not in gone]
        commit = Commit(
            snapshot=self._snapshot,
            progress=after,
            parts=tuple(parts),
            removed=frozenset(gone),
            object_name=self._name,
            schema=schema.checksum if (schema := self.schema()) else "",
            base=base,
            base_sha256=base_sha256,
            format=max(self._plan.format, OLDER),
            replay=self.replay,
        )
        entry = metadata(commit, Total.of([*live, *parts]))
        is_strict = commit.format >= RECORDS_FORMAT
        return CommitProperties(
            custom_metadata={"sfnb": encode(entry).decode()},
            app_transactions=[Transaction(self._snapshot, after.number)],
            max_commit_retries=0 if is_strict else None,
        )

    def _settled(self, after: Progress, parts: Sequence[Part], removes: Sequence[Part]) -> Progress:
        """The progress as the log has it now, provided that the log has this commit."""
        last = self.read_last()
        if last is None or last.progress.number != after.number or list(last.parts) != list(parts):
            raise OtherWriter(
                f"{self._name}: another process writes snapshot {self._snapshot} as well. "
                "End one of them and resume."
            )
        if self._parts is not None:
            gone = {part.path for part in removes} | {part.path for part in parts}
            self._parts = [part for part in self._parts if part.path not in gone] + list(parts)
        return last.progress


def _milliseconds(clock: Clock) -> int:
    return int(clock.now().timestamp() * 1000)
