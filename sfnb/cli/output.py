"""What all commands print alike: JSON, tables, and the option `--json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: Any) -> None:
    """One JSON value on standard output; nothing else of the command goes there."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def number(value: int) -> str:
    """``12,345``; a number below zero stands for one that nobody knows yet."""
    return "unknown" if value < 0 else f"{value:,}"


def print_table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[int] = ()
) -> None:
    """Columns as wide as their widest cell; those in ``right`` (from 0) hold numbers."""
    lines = [[str(cell) for cell in line] for line in (heads, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    numbers = set(right)
    for line in lines:
        cells = [
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
