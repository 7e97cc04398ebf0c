"""Arguments and options that several commands take: names of objects, how a job is run, completion."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from sfnb.cli.names import OBJECT


def names_of(_ctx: click.Context, _param: click.Parameter, value: str | None) -> list[str] | None:
    """The names of an option's value."""
    if value is None:
        return None
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("give names separated by commas: Account,Contact")
    return names


def _seconds(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 < value <= 7 * 86_400:
        raise click.BadParameter("give seconds, more than 0 and at most a week")
    return value


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(fn: Any) -> Any:
        for option in reversed(options):
            fn = option(fn)
        return fn

    return decorate


objects_option = click.option(
    "--objects", type=OBJECT, callback=names_of, metavar="A,B", help="Only these objects."
)
choice_options = _options(
    objects_option,
    click.option(
        "--exclude", type=OBJECT, callback=names_of, metavar="A,B", help="All objects but these."
    ),
)
_history_options = _options(
    click.option("--full", is_flag=True, help="Read all rows again, not only what changed."),
    click.option(
        "--sweep", is_flag=True, help="Compare all Ids with the org now; default: every 7 days."
    ),
    click.option(
        "--refresh", is_flag=True, help="Read formula and roll-up columns of all rows again now."
    ),
)
_more_options = _options(
    click.option("--no-files", is_flag=True, help="Leave out the bodies of files."),
    click.option(
        "--metadata/--no-metadata",
        default=None,
        help="With or without the org's metadata; default: with, unless --objects names some.",
    ),
)


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a backup is to read: the command gets it as ``request``, a ``BackupRequest``."""

    @wraps(command)
    def run(
        *args: Any,
        objects: list[str] | None,
        exclude: list[str] | None,
        full: bool,
        sweep: bool,
        refresh: bool,
        no_files: bool,
        metadata: bool | None,
        **others: Any,
    ) -> Any:
        from sfnb import engine

        request = engine.backup(
            objects=objects,
            exclude=exclude or (),
            full=full,
            sweep=sweep,
            refresh=refresh,
            files=not no_files,
            metadata=metadata,
        )
        return command(*args, request=request, **others)

    decorated: Callable[..., Any] = _options(choice_options, _history_options, _more_options)(run)
    return decorated


run_options = _options(
    click.option(
        "--on-pause",
        type=click.Choice(["wait", "exit"]),
        default="wait",
        show_default=True,
        help="At the limit: wait until usage has fallen, or exit with code 75.",
    ),
    click.option(
        "--poll-seconds",
        type=float,
        callback=_seconds,
        help="Seconds between two checks of the org's limits while paused; default 1800.",
    ),
    click.option("--workers", type=click.IntRange(1, 32), help="Calls in flight at a time."),
)

dask_option = click.option(
    "--dask",
    metavar="tcp://HOST:PORT",
    help="Read on the workers of this Dask cluster; needs the extra sfnb[dask].",
)
