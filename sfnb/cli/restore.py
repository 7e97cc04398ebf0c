"""`sfnb restore`: bring back what was deleted or changed since a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfnb import engine
from sfnb.cli.context import App, pass_app
from sfnb.cli.id_files import ids_of
from sfnb.cli.names import ORG, SNAPSHOT
from sfnb.cli.options import names_of, objects_option, run_options
from sfnb.cli.output import as_json_option, print_json
from sfnb.cli.restore_report import print_plan, report
from sfnb.cli.running import run_job, stopped_by_signals
from sfnb.engine import RunOptions
from sfnb.errors import CallerError

if TYPE_CHECKING:
    from sfnb.connection import Connection
    from sfnb.jobs.loop import OnPause
    from sfnb.restore.request import (
        AutomationChoice,
        ConflictPolicy,
        DuplicateChoice,
        Only,
        RestoreRequest,
    )


@click.command()
@click.argument("name", type=ORG)
@click.argument("snapshot", type=SNAPSHOT)
@objects_option
@click.option("--ids", callback=ids_of, metavar="FILE", help="Only these records: one Id a line.")
@click.option(
    "--only", type=click.Choice(["deleted", "changed"]), help="What was deleted, or what changed."
)
@click.option(
    "--with-children",
    type=click.IntRange(0, 10),
    default=0,
    metavar="N",
    help="Also records that refer to the chosen ones, to this depth, and their parents.",
)
@click.option("--fields", callback=names_of, metavar="A,B", help="Only these fields.")
@click.option("--files", is_flag=True, help="The bodies of files, too.")
@click.option("--to", type=ORG, metavar="ORG", help="Restore into this org instead of NAME.")
@click.option(
    "--on-conflict",
    type=click.Choice(["overwrite", "skip", "fill-empty", "newer", "fail"]),
    default="overwrite",
    show_default=True,
    help="A record that is there and differs.",
)
@click.option(
    "--automation",
    type=click.Choice(["keep", "off"]),
    default="keep",
    show_default=True,
    help="Triggers, flows and validation rules of the objects meanwhile.",
)
@click.option(
    "--duplicates",
    type=click.Choice(["allow", "refuse"]),
    default="allow",
    show_default=True,
    help="Records that a duplicate rule warns of.",
)
@click.option("--owner", metavar="USERNAME", help="Owns records whose owner is not in the target.")
@click.option("--rejects", metavar="F.csv", help="Where refused rows go; default under SFNB_HOME.")
@click.option("--from-rejects", metavar="F.csv", help="Restore the rows of a mended rejects file.")
@click.option("--dry-run", is_flag=True, help="Show what would be written. Writes nothing.")
@run_options
@as_json_option
@pass_app
def restore(  # noqa: PLR0917 - click gives them by name
    app: App,
    name: str,
    snapshot: str,
    objects: list[str] | None,
    ids: list[str] | None,
    only: Only | None,
    with_children: int,
    fields: list[str] | None,
    files: bool,
    to: str | None,
    on_conflict: ConflictPolicy,
    automation: AutomationChoice,
    duplicates: DuplicateChoice,
    owner: str | None,
    rejects: str | None,
    from_rejects: str | None,
    dry_run: bool,
    on_pause: OnPause,
    poll_seconds: float | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """
    Restore records from a snapshot: by default what was deleted or changed since.

    NAME is the org that was backed up, SNAPSHOT an id or `latest`. Exit code 3: some rows were
    refused, and the rejects file says why; 75: the job is paused, resume it with `sfnb resume`.
    """
    from sfnb.restore.starting import find_snapshot, other_org

    if from_rejects is not None:
        ids = _from_rejects(from_rejects, ids)
    if rejects is not None and not Path(rejects).absolute().parent.is_dir():
        raise CallerError(f"the folder of {rejects} does not exist; create it first.")
    target = app.settings.org(to or name)
    source_id, snapshot_id = find_snapshot(app.settings, name, snapshot)
    if to is None and target.org_id and target.org_id != source_id:
        raise other_org(snapshot_id, source_id, name)
    request = engine.restore(
        snapshot_id,
        source=source_id,
        objects=objects,
        ids=ids,
        only=only,
        with_children=with_children,
        fields=fields,
        files=files,
        on_conflict=on_conflict,
        automation=automation,
        duplicates=duplicates,
        owner=owner,
        rejects=None if rejects is None else str(Path(rejects).absolute()),
        from_rejects=None if from_rejects is None else str(Path(from_rejects).absolute()),
    )
    options: RunOptions = {"on_pause": on_pause, "poll_s": poll_seconds, "workers": workers}
    with app.installation.connect(target.name) as org, stopped_by_signals() as stop:
        if to is None and org.org_id != source_id:
            raise other_org(snapshot_id, source_id, name)
        if dry_run:
            return _dry_run(org, request, as_json=as_json)
        options["stop"] = stop
        return run_job(org, request, options, report, as_json=as_json)


def _from_rejects(path: str, ids: list[str] | None) -> list[str]:
    from sfnb.restore.rejects import read_rejects

    if ids is not None:
        raise CallerError("give --ids or --from-rejects, not both.")
    return list(read_rejects(Path(path)).ids)


def _dry_run(org: Connection, request: RestoreRequest, *, as_json: bool) -> int:
    estimate = engine.plan(org, request)
    if as_json:
        print_json(estimate.as_json())
    else:
        print_plan(estimate)
    return 0


COMMANDS: list[click.Command] = [restore]
