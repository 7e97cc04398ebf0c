"""`sfnb store`: what keeps a store small and up to date."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import click

from sfnb.cli.context import App, Group, pass_app
from sfnb.cli.names import ORG
from sfnb.cli.options import objects_option
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.cli.snapshots import megabytes, other_store
from sfnb.errors import CallerError
from sfnb.model import JobState
from sfnb.text import count


@click.group(cls=Group)
def store() -> None:
    """Compact what is stored, or rewrite what an older sfnb stored."""


@store.command()
@click.argument("name", type=ORG)
@objects_option
@other_store
@as_json_option
@pass_app
def compact(
    app: App, name: str, objects: list[str] | None, root: str | None, as_json: bool
) -> None:
    """
    Rewrite many small files as few large ones.

    Every snapshot reads as before. Backups do this by themselves when it is worth it; this command
    does it now. It may be killed at any moment. No call to the org.
    """
    from sfnb.store.compaction.org import compact_org

    app.state.team.require("store", org=name)
    found = app.store(name, root)
    done = []
    for one in compact_org(found.files, app.clock, objects=objects, force=True):
        done.append(one)
        say(f"{one.object_name}: {count(one.versions, 'version')} compacted", err=True)
    if as_json:
        rows = [asdict(one) for one in done]
        print_json([{"object": row.pop("object_name"), **row} for row in rows])
    elif not done:
        say(f"Nothing to compact in {name}.")
    else:
        titles = ("OBJECT", "VERSIONS", "FILES BEFORE", "AFTER", "MB BEFORE", "AFTER")
        print_table(
            titles,
            [
                (
                    one.object_name,
                    f"{one.versions:,}",
                    one.files_before,
                    one.files_after,
                    megabytes(one.bytes_before),
                    megabytes(one.bytes_after),
                )
                for one in done
            ],
            right=range(1, 6),
        )


@store.command()
@click.argument("name", type=ORG)
@other_store
@as_json_option
@pass_app
def upgrade(app: App, name: str, root: str | None, as_json: bool) -> None:
    """
    Rewrite what an older sfnb stored in the present format.

    Every snapshot reads as before, at any moment; killed, it continues where it stopped. It needs
    room for the rewritten records beside the old ones. No call to the org.
    """
    from sfnb.store.upgrade.upgrade import upgrade as run

    app.state.team.require("store", org=name)
    # A failed job can still be resumed.
    over = (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS, JobState.CANCELLED)
    ended = {job.job_id for job in app.state.jobs.find() if job.state in over}
    done = run(
        app.store(name, root),
        app.clock,
        has_ended=lambda job_id: job_id in ended,
        said=lambda text: say(text, err=True),
    )
    if as_json:
        print_json({"org": name, **done.as_json()})
    elif not done.snapshots:
        say(f"{name} has no snapshot of an older format.")
    else:
        say(
            f"Upgraded {count(done.snapshots, 'snapshot')} and {count(done.objects, 'object')} of "
            f"{name}: {megabytes(done.bytes_before)} MB before, "
            f"{megabytes(done.bytes_after)} MB after."
        )


@store.command()
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file for the key; default: the key that SFNB_STORE_KEY has already.",
)
@as_json_option
@pass_app
def encrypt(app: App, key_file: Path | None, as_json: bool) -> None:
    """
    Make the installation's store, which has to be empty, one that sfnb encrypts.

    Rows, bodies and all else are sealed before they leave this machine. Without the key nobody can
    read them: keep it where the store is not. Other programs cannot read such a store.
    """
    import os

    from sfnb.private import private_file
    from sfnb.store.store_key import FILE_VARIABLE, VARIABLE, encrypt, new_secret

    app.state.team.require("store")
    given = os.environ.get(VARIABLE, "")
    if bool(given) == bool(key_file):
        raise CallerError(f"give either --key-file, for a new key, or a key in {VARIABLE}.")
    secret = given or new_secret()
    if key_file is not None:
        if key_file.exists():
            raise CallerError(f"{key_file} exists already. Choose another file.")
        try:  # first: a store whose key is lost is lost
            private_file(key_file).write_text(f"{secret}\n", "utf-8")
        except OSError as err:
            raise CallerError(f"{key_file} cannot be written ({err.strerror}).") from err
    try:
        name = encrypt(app.settings.store_root, secret)
    except BaseException:
        if key_file is not None:
            key_file.unlink()
        raise
    kept = str(key_file) if key_file else VARIABLE
    if as_json:
        print_json({"store": app.settings.store_root, "key": name, "kept": kept})
        return
    say(f"{app.settings.store_root} is encrypted from now on. Its key {name} is in {kept}.")
    if key_file is not None:
        say(f"Set {FILE_VARIABLE} to that file, or `sfnb store key {kept}` puts it in the keyring.")


@store.command()
@click.argument("file", type=click.File("r", encoding="utf-8"), required=False)
@as_json_option
@pass_app
def key(app: App, file: TextIO | None, as_json: bool) -> None:
    """Say which key the store needs; with FILE (- for standard input), put it into the keyring."""
    from sfnb.store.store_key import key_name, name_of, remember

    name = key_name(app.settings.store_root)
    if file is not None:
        secret = file.read()
        if name_of(secret) != name:
            raise CallerError(f"the store needs the key {name}; this is {name_of(secret)}.")
        remember(secret)
    if as_json:
        print_json({"store": app.settings.store_root, "key": name})
    elif file is not None:
        say(f"The key {name} is in the keyring.")
    else:
        say(f"{app.settings.store_root} needs the key {name}.")


COMMANDS: list[click.Command] = [store]
