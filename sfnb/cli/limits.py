"""`sfnb limit` and `sfnb audit`: how far jobs may go, and who changed that when."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.names import ORG
from sfnb.cli.output import as_json_option, number, print_json, print_table, say
from sfnb.errors import CallerError
from sfnb.jobs.summary import iso
from sfnb.model import APIS, AUDIT_KINDS, RESTORE, Api, BudgetStatus
from sfnb.quota.gate import Gate
from sfnb.text import count, parse_percent

if TYPE_CHECKING:
    from sfnb.state.audit import AuditEntry

DAMAGED = 1


# -5 is refused as a percentage, not as an unknown option.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", type=ORG)
@click.argument("percent", required=False)
@click.option("--api", type=click.Choice(APIS), help="Only this budget; default: all four.")
@click.option("--reason", default="", help="Why; kept in the audit log.")
@click.option(
    "--for",
    "kind",
    type=click.Choice([RESTORE]),
    help="Restores get a limit of their own; PERCENT `none` takes it away again.",
)
@as_json_option
@pass_app
def limit(  # noqa: PLR0917 — click gives them by name
    app: App,
    name: str,
    percent: str | None,
    api: Api | None,
    reason: str,
    kind: str | None,
    as_json: bool,
) -> None:
    """
    Show org NAME's limits, or set them to PERCENT (1 to 100).

    Jobs stop sending when the whole org's usage, other apps included, reaches this share of the
    maximum. Each change is kept in the audit log.

    With `--for restore` restores obey PERCENT instead: so backups leave them room, and nobody has
    to raise the limit in an emergency.
    """
    if percent is not None:
        value = 0 if kind and percent.strip().lower() == NONE else parse_percent(percent)
        org_id = app.org_id(name)
        percents = dict.fromkeys(APIS if api is None else (api,), value)
        app.state.ledger.set_limits(org_id, percents, reason=reason, org=name, kind=kind or "")
    else:
        org_id = app.org_id(name)
    gate = Gate(app.state.ledger, org_id, clock=app.clock)
    statuses, restores = gate.standing(), gate.standing(kind=RESTORE)
    reserves = app.state.ledger.reserves(org_id)
    shown = [(statuses[one], restores[one]) for one in APIS if api in (None, one)]
    if as_json:
        rows = [_status_json(*pair) | {"has_reserve": pair[0].api in reserves} for pair in shown]
        print_json({"org": name, "org_id": org_id, "limits": rows})
    else:
        print_table(LIMIT_HEADER, [_status_row(*pair) for pair in shown], right=(1, 2, 3, 4, 5, 6))


NONE = "none"
"""What people type to take a limit of restores away."""

LIMIT_HEADER = (
    "API",
    "LIMIT %",
    "FOR RESTORES %",
    "USED",
    "MAX",
    "THRESHOLD",
    "IN FLIGHT",
    "LAST READ",
)


def _status_row(here: BudgetStatus, restores: BudgetStatus) -> tuple[str, ...]:
    # A question mark: the number is a lower bound, because some call had no reading.
    used = number(here.used) + ("" if here.is_known or here.used < 0 else "?")
    return (
        here.api,
        str(here.limit_percent),
        str(restores.limit_percent),
        used,
        number(here.maximum),
        number(here.threshold),
        number(here.in_flight),
        iso(here.read_at) or "never",
    )


def _status_json(here: BudgetStatus, restores: BudgetStatus) -> dict[str, Any]:
    return {
        "api": here.api,
        "percent": here.limit_percent,
        "used": _known(here.used),
        "max": _known(here.maximum),
        "threshold": _known(here.threshold),
        "lower_mark": _known(here.lower_mark),
        "restore_percent": restores.limit_percent,
        "restore_threshold": _known(restores.threshold),
        "restore_lower_mark": _known(restores.lower_mark),
        "in_flight": here.in_flight,
        "read_at": iso(here.read_at),
        "is_known": here.is_known,
    }


@click.command()
@click.argument("name", required=False, type=ORG)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(AUDIT_KINDS),
    help="Only what is of this kind; may be given several times.",
)
@as_json_option
@pass_app
def audit(app: App, name: str | None, kinds: tuple[str, ...], as_json: bool) -> int:
    """
    Show who did what when and why; with NAME, to one org.

    Changes of limits, restores, archives, prunes, holds, erasures, orgs, roles and schedules are in
    one log. `sfnb audit verify` checks it: exit code 1 if a line was changed, removed or inserted.
    """
    if name == "verify":
        return _verify(app, as_json)
    entries = app.state.audit.entries(name, kinds)
    if name is not None and name not in app.org_names and not app.state.audit.entries(name):
        raise CallerError(
            f"org {name!r} is not registered, and the audit log has no line of it; "
            "`sfnb org list` shows the orgs."
        )
    if as_json:
        print_json([{**asdict(entry), "details": entry.facts()} for entry in entries])
    elif not entries:
        say("Nothing of that kind is in the log yet." if kinds else "The log is empty.")
    else:
        rows = [
            (
                str(e.seq),
                e.at[:19] + "Z",
                e.org or e.org_id,
                e.kind,
                e.who,
                _what(e),
                e.reason,
            )
            for e in entries
        ]
        print_table(("LINE", "AT", "ORG", "KIND", "WHO", "WHAT", "REASON"), rows)
    return 0


def _what(entry: AuditEntry) -> str:
    """What a line tells, in the width of a table."""
    if entry.kind == "limit":
        whose = f"{entry.limit_of}s" if entry.limit_of else "all jobs"
        return f"{entry.api} for {whose}: {entry.change}"
    facts = [f"{key} {_fact(value)}" for key, value in entry.facts().items() if value]
    return f"{entry.change} ({', '.join(facts)})" if facts else entry.change


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {number}" for key, number in value.items() if number)
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    return str(value)


def _verify(app: App, as_json: bool) -> int:
    findings = app.state.audit.verify()
    seq, digest = app.state.audit.head()
    if as_json:
        print_json({"is_good": not findings, "findings": findings, "lines": seq, "head": digest})
    elif findings:
        for finding in findings:
            say(finding)
        say("The audit log was changed or damaged; compare it with a backup of the state database.")
    else:
        # People may note the head elsewhere: see state/audit.py.
        say(f"The audit log is intact: {count(seq, 'line')}, head {digest}.")
    return DAMAGED if findings else 0


def _known(value: int) -> int | None:
    return None if value < 0 else value


COMMANDS: list[click.Command] = [limit, audit]
