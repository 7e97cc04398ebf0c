"""
What all commands print alike: text, JSON, tables, and the option `--json`.

Output never ends a job: a letter that the terminal cannot show is replaced, and a stream that nobody
reads any more is given up.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TextIO

import click

from sfnb.text import count, table

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and movements of the cursor
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # titles, links and other texts for the terminal itself
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u202a-\u202e\u2066-\u2069]",  # marks that turn the direction of writing
    re.DOTALL,
)


def plain(text: str) -> str:
    """
    The text without what a terminal would obey.

    Names of objects, apps and users come from the org: whoever may name one there could otherwise
    write anywhere on this screen.
    """
    return CONTROL.sub("", text)


def say(text: str, *, err: bool = False, colour: str | None = None) -> None:
    """A line on standard output, or on standard error; coloured where the terminal has colours."""
    text = plain(text)
    click.echo(click.style(text, fg=colour) if colour else text, err=err)


class _Answer:
    """Whether the command that runs has printed its JSON value."""

    is_given = False


answer = _Answer()


def print_json(value: Any) -> None:
    """One JSON value on standard output; nothing else of the command goes there."""
    answer.is_given = True
    # A stream that is not Unicode would replace letters; JSON has a way to write them all in ASCII.
    is_unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    click.echo(json.dumps(value, indent=2, ensure_ascii=not is_unicode))


def number(value: int) -> str:
    """``12,345``; "unknown" for a number below zero, which nobody has reported yet."""
    return "unknown" if value < 0 else count(value)


def print_table(
    titles: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[int] = ()
) -> None:
    """Columns as wide as their widest cell; those in ``right`` (from 0) hold numbers."""
    cells = [[plain(str(cell)).replace("\n", " ") for cell in row] for row in rows]
    click.echo(table(titles, cells, right=right))


def settle_streams() -> None:
    """
    Make standard output and error ones that can take any text.

    A letter that their encoding lacks is replaced. A stream that was closed before we started is
    replaced by one that swallows everything, before a database or a part gets its number.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def give_up(stream: TextIO) -> None:
    """Let what is still to be written to a broken stream go nowhere, also at Python's end."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, stream.fileno())
    except (OSError, ValueError):  # not a file of the operating system: nothing to redirect
        return
    finally:
        os.close(devnull)


class Unbroken:
    """Calls that print. The first that fails, because nobody reads any more, is the last."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_broken = False

    def __call__(self, printing: Callable[[], None]) -> None:
        if self._is_broken:
            return
        try:
            printing()
            self._out.flush()
        except (OSError, ValueError):  # a broken pipe, a full disk; a stream that was closed
            self._is_broken = True
            give_up(self._out)
