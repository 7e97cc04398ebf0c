"""
Values that must come out of every reader as they went in, and how each reader writes them.

Bulk CSV cannot tell null from the empty text, and Salesforce stores no empty text: both are None
here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]

TEXT_FIELDS = ("LastName", "FirstName", "Title", "Department", "Description", "MailingStreet")

TREACHEROUS: tuple[dict[str, str], ...] = (
    {"LastName": "NA", "FirstName": "null", "Title": "00042", "Department": "#N/A"},
    {
        "LastName": "Ω 日本 é 👩‍👩‍👧",
        "Title": "NaN",
        "Description": "one\r\ntwo\nthree\r\n\r\nfive",
        "Department": "1e5",
    },
    {
        "LastName": 'say "yes", or "no"',
        "FirstName": "a,b;c\td",
        "Description": '"\n"',
        "MailingStreet": "1 A\r\nB",
    },
    {"LastName": "=1+1", "Title": "true", "Description": "Größe Ж €\n" * 3_100},
)
"""
Contacts: what looks like null or like a number, what breaks lines and quotes, a text near its
field's 32,000.
"""


def text_rows(
    rows: Iterable[Row], fields: Iterable[str] = TEXT_FIELDS
) -> dict[str, dict[str, str | None]]:
    """Id to the values of ``fields``, whichever reader the rows took."""
    names = tuple(fields)
    return {row["Id"]: {name: row[name] or None for name in names} for row in rows}


def csv_rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV text with its line breaks as they are."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def expected(made: Mapping[str, Row]) -> dict[str, dict[str, str | None]]:
    """What the records with these ids must hold."""
    return {
        record_id: {name: row.get(name) for name in TEXT_FIELDS} for record_id, row in made.items()
    }
