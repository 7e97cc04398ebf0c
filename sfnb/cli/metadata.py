"""`sfnb metadata`: the org's metadata in a snapshot, written out as the Metadata API lays it out."""

from __future__ import annotations

from pathlib import Path

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.names import ORG
from sfnb.cli.output import as_json_option, print_json, say
from sfnb.cli.snapshots import as_of_option, other_store
from sfnb.text import count


@click.command()
@click.argument("name", type=ORG)
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A folder that is new or empty.",
)
@as_of_option
@other_store
@as_json_option
@pass_app
def metadata(
    app: App, name: str, *, folder: Path, snapshot: str, root: str | None, as_json: bool
) -> None:
    """
    Write the org's metadata as of a snapshot to a folder.

    The files are those of the Metadata API, without the folder `unpackaged`; package.xml names them
    all. Where the snapshot has no metadata of its own, that of the newest one before it is written.
    """
    from sfnb.store.metadata.view import metadata_of, write_metadata

    snapshots = app.store(name, root).snapshots
    found = snapshots[snapshot]
    record = metadata_of(snapshots, found)
    written = write_metadata(found, record, folder)
    if as_json:
        print_json(
            {
                "components": record.count,
                "files": written,
                "snapshot": record.snapshot,
                "taken_at": record.taken_at,
                "api_version": record.api_version,
                "missing": [
                    {"type": m.type, "name": m.name, "problem": m.problem} for m in record.missing
                ],
            }
        )
        return
    say(
        f"Wrote {count(record.count, 'component')} in {count(written, 'file')} to {folder}, as of {found.id} "
        f"(retrieved {record.taken_at}, API {record.api_version})."
    )
    for one in record.missing:
        say(f"  missing: {one.type} {one.name}: {one.problem}", err=True)


COMMANDS: list[click.Command] = [metadata]
