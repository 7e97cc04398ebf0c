"""`sfnb notices`: what people who do not look should know."""

from __future__ import annotations

import click

from sfnb.cli.context import App, Group, pass_app
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.errors import CallerError
from sfnb.jobs.summary import iso
from sfnb.text import count


@click.group(cls=Group)
def notices() -> None:
    """Tell people by mail or chat what happens to jobs and limits."""


NOWHERE = (
    "there is no address: set SFNB_NOTICE_URL, or `url` under [notices] in sfnb.toml "
    "(docs/schedule.md)."
)


@notices.command()
@as_json_option
@pass_app
def test(app: App, as_json: bool) -> None:
    """Send one message to the address, now."""
    from sfnb.notices.sending import addresses, send

    targets = addresses(app.settings)
    if not targets:
        raise CallerError(NOWHERE)
    send(targets, "sfnb: test", "This is a test. Notices of jobs and limits will come here.")
    if as_json:
        print_json({"addresses": len(targets)})
        return
    say(f"Sent to {count(len(targets), 'address', 'addresses')}.")


@notices.command()
@as_json_option
@pass_app
def send(app: App, as_json: bool) -> None:
    """Send what is to be told; for those who do not run `sfnb schedule serve`, which does it."""
    from sfnb.notices.collect import collect
    from sfnb.notices.sending import addresses, deliver

    if not addresses(app.settings):
        raise CallerError(NOWHERE)
    collect(app.state, app.settings)
    sent = deliver(app.state, app.settings)
    if as_json:
        print_json({"sent": sent})
    else:
        say(f"{count(sent, 'notice')} sent.")


@notices.command("list")
@as_json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List the notices of the last 30 days, oldest first."""
    found = app.state.notices.all()
    if as_json:
        print_json(
            [
                {
                    "at": iso(one.at),
                    "kind": one.kind,
                    "org": one.org,
                    "text": one.text,
                    "sent_at": iso(sent_at),
                }
                for one, sent_at in found
            ]
        )
    elif not found:
        say("There are no notices.")
    else:
        rows = [
            (f"{one.at:%Y-%m-%d %H:%M}Z", one.kind, "yes" if sent_at else "no", one.text)
            for one, sent_at in found
        ]
        print_table(("AT", "KIND", "SENT", "TEXT"), rows)


@notices.command()
@as_json_option
@pass_app
def address(app: App, as_json: bool) -> None:
    """Put the address into the keyring; it is read from the terminal or standard input."""
    from sfnb.notices.sending import keep_address, keyring_hint

    typed = click.prompt("Address", hide_input=True, err=True).strip()
    keep_address(typed)
    if as_json:
        print_json({"kept": "keyring"})
        return
    say(f"Kept in the keyring; {keyring_hint(app.settings.home)}.")


COMMANDS: list[click.Command] = [notices]
