"""`sfnb erase`: take records out of everything that is stored of an org."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sfnb import engine
from sfnb.cli.context import App, pass_app
from sfnb.cli.id_files import ids_of
from sfnb.cli.names import OBJECT, ORG
from sfnb.cli.output import as_json_option, print_json, say
from sfnb.cli.running import run_with_progress, stopped_by_signals
from sfnb.engine import EXIT_CODES
from sfnb.errors import CallerError
from sfnb.jobs import states
from sfnb.text import count

REFUSED = 3


@click.command()
@click.argument("name", type=ORG)
@click.option(
    "--object", "object_name", type=OBJECT, required=True, help="The object whose records."
)
@click.option(
    "--ids", callback=ids_of, required=True, metavar="FILE", help="The records: one Id a line."
)
@click.option(
    "--with-children",
    is_flag=True,
    help="Also records that hang on them by a cascading lookup, and their files.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be erased; change nothing.")
@click.option("--confirm", metavar="NAME", help="The org's name, typed again.")
@click.option(
    "--certificate", metavar="F.json", help="Where the certificate goes; default under SFNB_HOME."
)
@as_json_option
@pass_app
def erase(
    app: App,
    /,
    *,
    name: str,
    object_name: str,
    ids: list[str],
    with_children: bool,
    dry_run: bool,
    confirm: str | None,
    certificate: str | None,
    as_json: bool,
) -> int:
    """
    Erase records of NAME and their files from all snapshots, for good.

    The org is not changed: a record that it still has comes back with the next backup, so delete it
    there first. Exit code 3 when something is on hold: it is refused and named.
    """
    from sfnb.store.states.everything import name_anywhere

    store = app.store(name)
    request = engine.erase(
        name_anywhere(store.files, object_name),
        ids,
        with_children=with_children,
        certificate=str(Path(certificate).absolute()) if certificate else "",
    )
    if dry_run:
        from sfnb.erase.plan import plan_erase

        found = plan_erase(app.state, store, request).as_json()
        planned = {"job_id": None, "kind": "erase", "state": "planned", **found}
        report({**planned, "certificate": None}, as_json=as_json)
        return REFUSED if found["refused"] else 0
    if confirm != name:
        raise CallerError(
            "erase removes records for good. See what would go with --dry-run; then type the org's "
            f"name again: --confirm {name}."
        )
    if certificate and not Path(certificate).absolute().parent.is_dir():
        raise CallerError(f"the folder of {certificate} does not exist; create it first.")
    with app.installation.connect_unasked(name) as org, stopped_by_signals() as stop:

        def work(**more: Any) -> dict[str, Any]:
            return engine.run(org, request, stop=stop, **more)

        summary = run_with_progress(as_json, work)
    report(summary, as_json=as_json)
    return EXIT_CODES.get(states.shown_of(summary), 0)


def report(summary: dict[str, Any], *, as_json: bool) -> None:
    """Print the outcome of an erasure, or its plan."""
    if as_json:
        print_json(summary)
        return
    is_plan = summary["state"] == "planned"
    verb = "would be erased" if is_plan else "erased"
    records = count(summary.get("records", 0), "record")
    files = count(summary.get("files", 0), "file")
    snapshots = count(len(summary.get("snapshots", ())), "snapshot")
    say(f"{records} and {files} {verb} from {snapshots}.")
    if absent := summary.get("not_stored"):
        say(f"  Of {count(absent, 'Id')} nothing is stored.", colour="yellow")
    for one in summary.get("refused", ()):
        say(f"  Refused: {one['object']} {one['id']}: {one['reason']}", colour="yellow")
    for warning in summary.get("warnings") or ():
        say(f"  {warning['message']}", colour="yellow")
    say("What the org still has comes back with the next backup: delete it there, too.")
    if summary.get("certificate"):
        say(f"Certificate: {summary['certificate']}")


COMMANDS: list[click.Command] = [erase]
