"""A table of texts behind its title. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def folded(title: str, heads: Iterable[str], lines: Iterable[Iterable[str]], note: str = "") -> str:
    """A table of texts behind its title."""
    return f"<details><summary>{escape(title)}</summary>{table_html(heads, lines)}{_note(note)}</details>"


def table_html(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A table of texts; the first cell of a line is its heading."""
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in heads)
    body = "".join(
        f"<tr><th scope='row'>{escape(first)}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in lines
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _note(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""
