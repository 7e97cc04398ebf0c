"""`sfnb hold`: what must neither be pruned, archived nor erased."""

from __future__ import annotations

import click

from sfnb.cli.context import App, Group, pass_app
from sfnb.cli.id_files import ids_of
from sfnb.cli.names import OBJECT, ORG
from sfnb.cli.output import as_json_option, number, print_json, print_table, say
from sfnb.errors import CallerError
from sfnb.text import count


@click.group(cls=Group)
def hold() -> None:
    """Protect records from pruning, archiving and erasure until the hold is removed."""


@hold.command()
@click.argument("name", type=ORG)
@click.option(
    "--object", "object_name", type=OBJECT, required=True, help="The object whose records."
)
@click.option("--ids", callback=ids_of, metavar="FILE", help="These records: one Id a line.")
@click.option(
    "--where",
    "condition",
    metavar="SQL",
    help="Records that match in any stored version: Status = 'Open'.",
)
@click.option("--all-records", is_flag=True, help="All records of the object, now and later.")
@click.option("--reason", required=True, help="Why; kept with the hold and in the audit log.")
@as_json_option
@pass_app
def add(  # noqa: PLR0917 — click gives them by name
    app: App,
    name: str,
    object_name: str,
    ids: list[str] | None,
    condition: str | None,
    all_records: bool,
    reason: str,
    as_json: bool,
) -> None:
    """
    Hold records of NAME: by their Ids, by a condition over what is stored, or a whole object.

    A condition is asked of every stored version of every record, whenever something is about to be
    removed. So records that match later are held, too. Sends no call.
    """
    from sfnb.holds.question import add_hold
    from sfnb.store.states.everything import is_stored, stores_of

    if [ids is not None, condition is not None, all_records].count(True) != 1:
        raise CallerError("give one of --ids FILE, --where SQL and --all-records.")
    added = add_hold(
        app.state,
        app.store(name),
        org=name,
        object_name=object_name,
        reason=reason,
        ids=ids,
        condition=condition,
    )
    stores = stores_of(app.store(name).files)
    if not any(is_stored(store, object_name) for store in stores):
        warning = f"Nothing of {object_name} is stored: check the name. The hold stands."
        say(warning, err=True, colour="yellow")
    if as_json:
        print_json(added.as_json())
    else:
        say(f"{added.hold_id}: {count(added.records, 'record')} of {object_name} on hold.")


@hold.command("list")
@click.argument("name", type=ORG)
@as_json_option
@pass_app
def list_(app: App, name: str, as_json: bool) -> None:
    """List the holds of NAME, oldest first. Sends no call."""
    from sfnb.holds.book import HoldBook

    holds = HoldBook(app.state.database).holds(app.store(name).org_id)
    if as_json:
        print_json([one.as_json() for one in holds])
    elif not holds:
        say(f"Nothing of {name} is on hold.")
    else:
        rows = [
            (
                h.hold_id,
                h.object_name,
                h.condition or ("all records" if h.is_whole else "by Id"),
                number(h.records),
                h.who,
                f"{h.created_at:%Y-%m-%d}",
                h.reason,
            )
            for h in holds
        ]
        print_table(("HOLD", "OBJECT", "RECORDS THAT", "THEN", "WHO", "SINCE", "REASON"), rows)


@hold.command()
@click.argument("name", type=ORG)
@click.argument("hold_id")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
@as_json_option
@pass_app
def remove(app: App, name: str, hold_id: str, reason: str, as_json: bool) -> None:
    """Remove a hold of NAME. What it held may be pruned, archived and erased again."""
    from sfnb.holds.book import HoldBook

    removed = HoldBook(app.state.database).remove(app.store(name).org_id, hold_id, reason)
    if as_json:
        print_json(removed.as_json())
    else:
        say(f"{hold_id} is removed.")


COMMANDS: list[click.Command] = [hold]
