"""Files of record Ids as options take them."""

from __future__ import annotations

from pathlib import Path

import click


def ids_of(_ctx: click.Context, _param: click.Parameter, value: str | None) -> list[str] | None:
    """The Ids of a file, one of 15 or 18 characters to a line, as 18 characters."""
    if value is None:
        return None
    from sfnb.org.ids import is_record_id, to18

    try:
        lines = Path(value).read_text(encoding="utf-8-sig").splitlines()
    except OSError as err:
        raise click.BadParameter(f"{value} cannot be read: {err.strerror}") from err
    except UnicodeDecodeError as err:
        raise click.BadParameter(f"{value} cannot be read: it is no UTF-8 text") from err
    found = []
    for number, line in enumerate(lines, start=1):
        if not (text := line.strip()):
            continue
        if not is_record_id(text):
            raise click.BadParameter(f"{value}, line {number}: {text[:40]!r} is not a record Id")
        found.append(to18(text))
    if not found:
        raise click.BadParameter(f"{value} has no Ids")
    return found
