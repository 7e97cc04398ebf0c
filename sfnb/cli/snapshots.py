"""`sfnb snapshots`, `show`, `export`, `verify`: what is stored, and whether it is still intact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.names import OBJECT, ORG, SNAPSHOT
from sfnb.cli.output import as_json_option, print_json, say
from sfnb.errors import CallerError, StoreError
from sfnb.model import JobState, ObjectState
from sfnb.store.manifest import Summary
from sfnb.store.snapshots import LATEST
from sfnb.text import count, records

if TYPE_CHECKING:
    from sfnb.store.tables import OrgStore
    from sfnb.store.verify import Expected, Finding


def aligned(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[int] = ()
) -> str:
    """A table of plain text; the columns in ``right`` (from 0) are numbers."""
    cells = [[str(head) for head in heads], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    numbers = set(right)
    return "\n".join(
        "  ".join(
            cell.rjust(w) if i in numbers else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f}"


def _summary(found: Summary) -> dict[str, Any]:
    return {
        "snapshot": found.snapshot,
        "state": found.state,
        "kind": found.kind,
        "job_id": found.job_id,
        "created_at": found.created_at.isoformat(),
        "sealed_at": found.sealed_at.isoformat() if found.sealed_at else None,
        "objects": found.objects,
        "objects_complete": found.objects_complete,
        "rows": found.rows,
        "bytes": found.bytes,
    }


as_of_option = click.option(
    "--as-of",
    "snapshot",
    type=SNAPSHOT,
    default=LATEST,
    show_default=True,
    help="A snapshot's id, or the beginning of one.",
)
other_store = click.option(
    "--store",
    "root",
    metavar="PATH",
    help="Read another store than the installation's: a folder, or an s3://, gs:// or az:// address.",
)


@click.command()
@click.argument("name", required=False, type=ORG)
@other_store
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@pass_app
def snapshots(app: App, name: str | None, root: str | None, as_json: bool) -> int:
    """
    List the snapshots of an org, oldest first.

    NAME is an org's name or its Organization Id; the org need not be registered any more, nor be
    reached. Without a name, list the orgs that the store holds.
    """
    if name is None:
        return _orgs(app, root, as_json)
    summaries: list[dict[str, Any]] = []
    is_damaged = False
    for snapshot in app.store(name, root).snapshots.values():
        # One snapshot that cannot be read must not hide the others.
        try:
            summaries.append(_summary(snapshot.summary))
        except StoreError as err:
            is_damaged = True
            summaries.append({"snapshot": snapshot.id, "state": "damaged", "message": str(err)})
            click.echo(f"sfnb: snapshot {snapshot.id}: {err}", err=True)
    if as_json:
        print_json(summaries)
    elif not summaries:
        click.echo(f"{name} has no snapshots yet. `sfnb backup {name}` makes one.")
    else:
        rows = [
            (
                s["snapshot"],
                s["state"]
                if s.get("sealed_at") or s["state"] == "damaged"
                else f"{s['state']}, not sealed",
                f"{s['objects_complete']}/{s['objects']}" if "objects" in s else "",
                f"{s['rows']:,}" if "rows" in s else "",
                megabytes(s["bytes"]) if "bytes" in s else "",
                s.get("job_id", ""),
            )
            for s in summaries
        ]
        click.echo(
            aligned(("SNAPSHOT", "STATE", "OBJECTS", "LIVE", "MB", "JOB"), rows, right=(2, 3, 4))
        )
    return 1 if is_damaged else 0


def _orgs(app: App, root: str | None, as_json: bool) -> int:
    from sfnb.store.tables import open_store

    store = open_store(root or app.settings.store_root)
    orgs = store.orgs()
    if as_json:
        print_json([org.as_json() for org in orgs])
    elif not orgs:
        click.echo(f"The store {store.root} has no snapshots yet.")
    else:
        heads = ("ORG", "ORGANIZATION ID", "SNAPSHOTS", "NEWEST")
        rows = [(", ".join(o.names), o.org_id, o.snapshots, o.newest) for o in orgs]
        click.echo(aligned(heads, rows, right=(2,)))
    return 0


@click.command()
@click.argument("name", type=ORG)
@click.argument("snapshot", type=SNAPSHOT)
@other_store
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
@pass_app
def show(app: App, name: str, snapshot: str, root: str | None, as_json: bool) -> None:
    """Show what a snapshot holds. SNAPSHOT is an id, the beginning of one, or `latest`."""
    manifest = app.store(name, root).snapshots[snapshot].manifest
    if as_json:
        print_json(manifest.as_json())
        return
    found = manifest.summary
    seal = (
        f"sealed {manifest.sealed_at:%Y-%m-%d %H:%M:%SZ}"
        if manifest.sealed_at
        else "not sealed, may still grow"
    )
    click.echo(f"{manifest.snapshot}  {manifest.org} ({manifest.org_id})  {manifest.state}, {seal}")
    click.echo(
        f"{found.objects_complete} of {found.objects} objects complete, "
        f"{records(found.rows + found.deleted, found.deleted)}, "
        f"{megabytes(manifest.bytes)} MB"
    )
    rows = [
        (
            object_name,
            entry.state,
            f"{entry.rows:,}",
            f"{entry.deleted:,}",
            f"{entry.org_count:,}" if entry.org_count is not None else "",
            f"{entry.our_count:,}" if entry.our_count is not None else "",
            entry.proof,
            entry.parts,
            megabytes(entry.bytes),
            entry.watermark or "",
            entry.message or "",
        )
        for object_name, entry in manifest.objects.items()
    ]
    counts = ("LIVE", "IN BIN", "ORG COUNT", "OUR COUNT", "PROOF")
    heads = ("OBJECT", "STATE", *counts, "PARTS", "MB", "WATERMARK", "MESSAGE")
    click.echo("\n" + aligned(heads, rows, right=(2, 3, 4, 5, 7, 8)))
    if manifest.left_out:
        click.echo("\nLeft out:")
        click.echo(aligned(("OBJECT", "REASON"), sorted(manifest.left_out.items())))
    for note in manifest.notes:
        click.echo(f"\nNote: {note}")


@click.command()
@click.argument("name", type=ORG)
@click.argument("object_name", type=OBJECT, metavar="OBJECT")
@as_of_option
@click.option(
    "--to", "path", required=True, type=click.Path(path_type=Path), help="A .parquet or .csv file."
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@other_store
@as_json_option
@pass_app
def export(
    app: App,
    name: str,
    object_name: str,
    *,
    snapshot: str,
    path: Path,
    force: bool,
    root: str | None,
    as_json: bool,
) -> None:
    """Write the records of OBJECT that were alive at a snapshot to a file."""
    snapshots = app.store(name, root).snapshots
    found = snapshots.latest(object_name) if snapshot == LATEST else snapshots[snapshot]
    rows = found.export(object_name, path, overwrite=force)
    is_complete = found.is_complete(object_name)
    if as_json:
        wrote = {"object": object_name, "snapshot": found.id, "file": str(path)}
        print_json(wrote | {"records": rows, "is_complete": is_complete})
    else:
        click.echo(f"Wrote {count(rows, 'record')} of {object_name} as of {found.id} to {path}.")
    if not is_complete:
        click.echo(
            f"{object_name} is not complete in this snapshot. The file has the records stored so far.",
            err=True,
        )


@click.command()
@click.argument("name", type=ORG)
@other_store
@click.option(
    "--quick",
    is_flag=True,
    help="Logs and sizes only: finds what is gone or cut off, not what changed within its size.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of findings.")
@pass_app
def verify(app: App, name: str, root: str | None, quick: bool, as_json: bool) -> int:
    """Check everything that is stored of an org against what was written. Exits 1 on any damage."""
    from sfnb.store.damage import note_damage, read_damage
    from sfnb.store.verify import verify as verify_store

    store = app.store(name, root) if root else _store_to_verify(app, name)
    # Another store's snapshots are not this installation's jobs.
    expected = _expected(app, store.org_id) if root is None else ()
    findings = verify_store(store, expected, quick=quick)
    before = read_damage(store.files)
    past = [one for one in findings if one.is_damage and before.is_past(one, store.files)]
    note_damage(store.files, findings, is_whole=not quick)
    damage = sum(finding.is_damage for finding in findings)
    # A quick look that finds nothing does not take back what a whole one has found.
    if root is None and (damage or not quick):
        _keep_check(app, store.org_id, findings)
    orphans = sum(finding.kind == "orphan" for finding in findings)
    if as_json:
        # What is harmless is for people's eyes: other programs take each entry for damage.
        print_json([finding.as_json() for finding in findings if finding.is_damage])
        return 1 if damage else 0
    for finding in findings:
        where = " ".join(
            part for part in (finding.snapshot, finding.object_name, finding.path) if part
        )
        click.echo(f"{finding.kind}: {where}: {finding.message}")
    left = count(orphans, "orphaned file") if orphans else "no orphaned files"
    if damage:
        said = f"{name} is damaged in {count(damage, 'place')}; {left}."
        if damage > len(past):
            said += " The next backup reads again what the org still has."
        if past:
            said += f" {past_damage(past)}"
        click.echo(said, err=True)
        return 1
    how = " (quick: logs and sizes only)" if quick else ""
    click.echo(
        f"Verified {count(len(store.snapshots), 'snapshot')} of {name}{how}: no damage, {left}."
    )
    return 0


def past_damage(findings: Sequence[Finding]) -> str:
    """What is said of damage that a backup has been made about already. Pure."""
    snapshots = sorted({one.snapshot for one in findings if one.snapshot})
    names = ", ".join(sorted({one.object_name for one in findings}))
    of = f" as of {', '.join(snapshots[:5])}" if snapshots else " in older snapshots"
    more = f" and {len(snapshots) - 5} more" if len(snapshots) > 5 else ""
    return (
        f"No backup heals {names}{of}{more}: the org has these versions no more. "
        "Snapshots made after that was found do not rest on them."
    )


def _keep_check(app: App, org_id: str, findings: Sequence[Finding]) -> None:
    """Have `sfnb fleet` know of it. What was found is said in any case."""
    from sfnb.state.fleet import Check

    damage = [finding for finding in findings if finding.is_damage]
    first = (
        " ".join(one for one in (damage[0].object_name, damage[0].message) if one) if damage else ""
    )
    try:
        app.state.fleet.put_check(org_id, Check(app.clock.now(), len(damage), first[:500]))
    except StoreError as err:
        say(f"The result is not kept for `sfnb fleet`: {err}", err=True)


def _store_to_verify(app: App, name: str) -> OrgStore:
    """
    The org's store, also where nothing is left of it: then the jobs know which org a name means.
    """
    try:
        return app.store(name)
    except CallerError:
        ids = {job.org_id for job in app.state.jobs.find() if name in (job.org, job.org_id)}
        if len(ids) != 1:
            raise
        return app.installation.store(ids.pop())


def _expected(app: App, org_id: str) -> list[Expected]:
    """What the state database knows of an org's snapshots."""
    from sfnb.store.verify import Expected

    found = []
    for job in app.state.jobs.find():
        if job.org_id != org_id or job.kind != "backup" or not job.snapshot:
            continue
        objects = app.state.jobs.objects(job.job_id)
        rows = {
            state: {name: o.rows for name, o in objects.items() if o.state is state}
            for state in ObjectState
        }
        ended = (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS, JobState.CANCELLED)
        found.append(
            Expected(
                job.snapshot,
                is_sealed=job.state in ended,
                complete=rows[ObjectState.COMPLETE],
                partial=rows[ObjectState.PARTIAL],
                is_cancelled=job.state is JobState.CANCELLED,
            )
        )
    return found


COMMANDS: list[click.Command] = [snapshots, show, export, verify]
