"""Whether words are a command of sfnb's, before somebody relies on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from sfnb.cli.context import App
from sfnb.cli.names import OrgName
from sfnb.errors import CallerError

ENDLESS = ("schedule", "lab", "dashboard")
"""Commands that make no sense on a schedule."""


def checked_command(words: Sequence[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """
    The words of a command that there is, with options and arguments that it takes; and the orgs
    that it names.

    Raises:
        CallerError: they are none.
    """
    from sfnb.cli.main import cli

    words = tuple(words[1:] if words[0] == "sfnb" and len(words) > 1 else words)
    if words[0] in ENDLESS:
        raise CallerError(f"`sfnb {words[0]}` does not end, so it cannot be scheduled.")
    if {"-h", "--help", "--version"} & set(words):
        raise CallerError(f"`sfnb {' '.join(words)}` only explains itself.")
    group: click.Command = cli
    orgs: frozenset[str] = frozenset()
    rest, context = list(words), click.Context(cli, info_name="sfnb", obj=App())
    try:
        while isinstance(group, click.Group):
            _, command, rest = group.resolve_command(context, rest)
            if command is None:
                raise click.UsageError(f"no such command {words[0]!r}")
            if isinstance(command, click.Group) and not rest:
                raise CallerError(f"`sfnb {' '.join(words)}` is not a whole command.")
            if not isinstance(command, click.Group):
                given = command.make_context(command.name, rest, parent=context).params
                orgs = frozenset(_orgs(command, given))
            group = command
    except click.ClickException as err:
        raise CallerError(
            f"`sfnb {' '.join(words)}` cannot be scheduled: {err.format_message()}"
        ) from err
    return words, orgs


def _orgs(command: click.Command, given: Mapping[str, Any]) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter.type, OrgName) and (value := given.get(parameter.name or "")):
            yield from (value,) if isinstance(value, str) else value
