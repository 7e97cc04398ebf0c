"""From a snapshot and an object to its records: which files, which versions, which columns."""

from __future__ import annotations

from collections.abc import Sequence

from deltalake import DeltaTable

from sfnb.errors import StoreError
from sfnb.store.files import Files
from sfnb.store.layout import FieldSource, sources_of, with_columns, with_older
from sfnb.store.paths import records_path
from sfnb.store.progress import Progress
from sfnb.store.proof import DURABLE_ID, ID
from sfnb.store.readings import last_settled, live_paths
from sfnb.store.schema import read_schema
from sfnb.store.states.files import VersionFile, live_files
from sfnb.store.states.records import Records
from sfnb.store.states.versions import Span
from sfnb.store.translating import translated


def files_of(files: Files, name: str) -> list[VersionFile]:
    """The live files of an object's table. Cost: opens the table."""
    table = files.below(records_path(name))
    try:
        with translated(f"open the table of {name}"):
            return live_files(DeltaTable(table.uri("").rstrip("/\\")).file_uris())
    except StoreError:
        # A damaged checkpoint: the commits say the same, file by file.
        return live_files(live_paths(table))


def state_at(
    files: Files, snapshot: str, name: str, sources: Sequence[FieldSource], progress: Progress
) -> Records:
    """
    The object's records at a snapshot. Where its reading has not ended, what it has read lies over
    the state before.
    """
    proof, held = progress.proof, progress.held
    starts_with = (held.starts_with if held else None) or ""
    key = proof.key if proof else None
    if held is None:
        last = last_settled(files.below(records_path(name)), snapshot)
        fields = {source.field for source in sources}
        key = DURABLE_ID if DURABLE_ID in fields else ID
        if last is not None and last.progress.held and last.progress.proof:
            key = last.progress.proof.key or key
            starts_with = last.progress.held.starts_with or ""
            if last.progress.proof.key is None:
                starts_with = snapshot
        if key not in fields:
            key = None
    span = Span(snapshot, starts_with=starts_with)
    table = files.below(records_path(name))
    return Records(
        name,
        table,
        files_of(files, name),
        key=key,
        span=span,
        sources=sources,
        is_settled=held is not None,
    )


def sources_before(
    files: Files, snapshot: str, name: str, own: Sequence[FieldSource]
) -> list[FieldSource]:
    """Fields with the columns that held them in the state before a snapshot, too."""
    last = last_settled(files.below(records_path(name)), snapshot)
    schema = read_schema(files, last.snapshot, name) if last else None
    if last is None or last.progress.held is None or schema is None:
        return list(own)
    older = with_columns(sources_of([schema.layout]), last.progress.held.columns)
    return with_older(own, older)
