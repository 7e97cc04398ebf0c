"""`sfnb diff`, `sfnb history`: what became of an org's records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.names import OBJECT, ORG, SNAPSHOT
from sfnb.cli.options import objects_option
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.cli.snapshots import other_store
from sfnb.errors import CallerError
from sfnb.text import count, dated_moment

if TYPE_CHECKING:
    from sfnb.store.history.compare import ObjectDiff
    from sfnb.store.history.diff import Diff
    from sfnb.store.history.record import RecordVersion
    from sfnb.store.metadata.diff import MetadataDiff

SHOWN_CHARS = 60
"""Signs of a value in a line of `sfnb history`."""


@click.command()
@click.argument("name", type=ORG)
@click.argument("old", type=SNAPSHOT)
@click.argument("new", type=SNAPSHOT)
@objects_option
@click.option("--to", "path", type=click.Path(path_type=Path), help="A .csv or .html file.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option(
    "--stamps",
    is_flag=True,
    help="Compare SystemModstamp, LastModifiedDate and LastModifiedById, too.",
)
@click.option("--metadata", is_flag=True, help="Compare the org's metadata, too.")
@other_store
@as_json_option
@pass_app
def diff(
    app: App,
    name: str,
    old: str,
    new: str,
    *,
    objects: list[str] | None,
    path: Path | None,
    force: bool,
    stamps: bool,
    metadata: bool,
    root: str | None,
    as_json: bool,
) -> None:
    """
    Show what was added, changed and deleted between two snapshots, by object.

    OLD and NEW are ids, the beginnings of such, or `latest`. No call to the org.
    """
    from sfnb.store.history.diff import diff as find
    from sfnb.store.metadata.diff import diff_of

    snapshots = app.store(name, root).snapshots
    found = find(snapshots, old, new, objects=objects, stamps=stamps)
    other = diff_of(snapshots, old, new) if metadata else None
    counts = _write(found, path, overwrite=force) if path else None
    if as_json:
        more = {} if other is None else {"metadata": other.as_json()}
        print_json(found.as_json(counts) | more)
        return
    _print(found, counts if counts is not None else dict(found.counts))
    if other is not None:
        _print_metadata(other)
    if path:
        say(f"Wrote each change to {path}.", err=True)


def _write(found: Diff, path: Path, *, overwrite: bool) -> dict[str, ObjectDiff]:
    if path.suffix.lower() == ".csv":
        return found.write_csv(path, overwrite=overwrite)
    if path.suffix.lower() != ".html":
        raise CallerError(f"{path} must end in .csv or .html.")
    from sfnb.report.diff import diff_html
    from sfnb.store.views import whole_file

    with whole_file(path, (".html",), overwrite=overwrite) as file:
        page, counts = diff_html(found)
        file.write(page.encode())
    return counts


def _print(found: Diff, counts: dict[str, ObjectDiff]) -> None:
    say(f"{found.org}: {found.old} → {found.new}")
    different = [one for one in counts.values() if not one.is_same]
    same = sum(one.is_same and not one.notes for one in counts.values())
    if different:
        rows = [
            (o.name, f"{o.added:,}", f"{o.changed:,}", f"{o.deleted:,}", _fields(o))
            for o in different
        ]
        titles = ("OBJECT", "ADDED", "CHANGED", "DELETED", "FIELDS")
        print_table(titles, rows, right=(1, 2, 3))
    if same:
        say(f"{count(same, 'object')} without a difference.")
    for one in counts.values():
        for text in (*one.notes, *(change.sentence for change in one.schema)):
            say(f"{one.name}: {text}")


def _print_metadata(found: MetadataDiff) -> None:
    rows = [(one.type, one.name, one.change, ", ".join(one.paths)) for one in found.changes]
    if rows:
        print_table(("TYPE", "COMPONENT", "CHANGE", "FILES"), rows)
    else:
        say("The metadata is the same.")
    for note in found.notes:
        say(note)


def _fields(one: ObjectDiff) -> str:
    parts = [f"{name} {records:,}" for name, records in one.fields.items()]
    if one.undeleted:
        parts.append(f"{one.undeleted:,} undeleted")
    if one.merged:
        parts.append(f"{one.merged:,} merged")
    return ", ".join(parts)


@click.command()
@click.argument("name", type=ORG)
@click.argument("object_name", type=OBJECT, metavar="OBJECT")
@click.argument("record_id", metavar="ID")
@other_store
@as_json_option
@pass_app
def history(
    app: App, name: str, object_name: str, record_id: str, *, root: str | None, as_json: bool
) -> None:
    """
    Show the versions of one record, oldest first: when, by whom, and what changed.

    ID has 15 or 18 characters. No call to the org.
    """
    from sfnb.org.ids import to18
    from sfnb.store.history.record import record_history

    store = app.store(name, root)
    versions = record_history(store.files, store.snapshots, object_name, to18(record_id))
    if as_json:
        print_json([version.as_json() for version in versions])
        return
    for version in versions:
        for line in _lines(version):
            say(line)


def _lines(version: RecordVersion) -> list[str]:
    from sfnb.store.history.record import text_of

    words = {"upsert": "stored", "delete": "deleted (in the recycle bin)", "hard_delete": "gone"}
    what = f"merged into {version.merged_into}" if version.merged_into else words[version.op]
    by = f", last modified by {version.by}" if version.by else ""
    lines = [f"{version.snapshot}  {dated_moment(version.at)}  {what}{by}"]
    for field, value in version.fields.items():
        now = _short(text_of(value))
        if version.before:
            lines.append(f"    {field}: {_short(text_of(version.before.get(field)))} → {now}")
        elif value is not None:
            lines.append(f"    {field}: {now}")
    return lines


def _short(text: str) -> str:
    line = " ".join(text.split()) or "(empty)"
    return line if len(line) <= SHOWN_CHARS else f"{line[:SHOWN_CHARS]} …"


COMMANDS: list[click.Command] = [diff, history]
