"""`sfnb files`: the bodies of files in a snapshot; one of them, or all, written out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.names import ORG
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.cli.snapshots import as_of_option, megabytes, other_store
from sfnb.errors import CallerError
from sfnb.store.snapshots import LATEST
from sfnb.text import count

if TYPE_CHECKING:
    from sfnb.store.bodies.listing import ListedBody


@click.command()
@click.argument("name", type=ORG)
@as_of_option
@click.option("--id", "record_id", metavar="ID", help="The record whose body to write.")
@click.option("--field", metavar="F", help="Which of its bodies, where it has several.")
@click.option(
    "--to",
    "path",
    type=click.Path(path_type=Path),
    help="With --id a file that does not exist; else a folder, new or empty, for all of them.",
)
@other_store
@as_json_option
@pass_app
def files(
    app: App,
    name: str,
    *,
    snapshot: str,
    record_id: str | None,
    field: str | None,
    path: Path | None,
    root: str | None,
    as_json: bool,
) -> None:
    """
    List the bodies of files in a snapshot, or write one of them to a file, or all to a folder.

    Without --as-of, each object as of the newest snapshot that has it. In the folder, a file has
    its own name, and its record's Id too where another has that name already.
    """
    from sfnb.store.bodies.listing import list_bodies, list_latest, write_body
    from sfnb.store.bodies.writing_out import write_bodies

    if record_id is not None and path is None:
        raise CallerError("to write one body, give both --id and --to.")
    store = app.store(name, root)
    is_latest = snapshot == LATEST
    found = list_latest(store.snapshots) if is_latest else list_bodies(store.snapshots[snapshot])
    paths: dict[int, str] = {}
    listed: list[ListedBody] = []
    if path is not None and record_id is None:
        for body, target in write_bodies(store.files, found, path):
            if target is not None:
                paths[len(listed)] = str(target)
            listed.append(body)
        if not as_json:
            say(f"Wrote {count(len(paths), 'file')} to {path}.")
    elif record_id is not None and path is not None:
        listed = [write_body(store.files, found, record_id, path, field)]
        if not as_json:
            say(f"Wrote {listed[0].size or 0:,} bytes of {record_id} to {path}.")
    else:
        listed = list(found)
    if as_json:
        more = [
            {"path": paths.get(n)} if path and not record_id else {} for n in range(len(listed))
        ]
        print_json([body.as_json() | one for body, one in zip(listed, more, strict=True)])
    elif record_id is None and path is None:
        rows = [
            (
                b.body.object_name,
                b.body.id,
                b.body.field,
                b.state,
                megabytes(b.size or 0),
                b.body.name,
            )
            for b in listed
        ]
        print_table(("OBJECT", "ID", "FIELD", "STATE", "MB", "NAME"), rows, right=(4,))
        missing = sum(body.state == "missing" for body in listed)
        say(f"{len(listed) - missing:,} bodies held, {missing:,} missing.")


COMMANDS: list[click.Command] = [files]
