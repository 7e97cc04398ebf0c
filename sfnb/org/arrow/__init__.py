"""
From Salesforce's CSV and JSON to Arrow, without a Python object per value.

One schema serves both readers, and the same record gives the same row through either: numbers are
float64 (Salesforce's are xsd:double), ``int`` and ``long`` are int64, moments are
timestamp[us, UTC], everything else is text exactly as sent. Bulk CSV cannot tell null from the
empty string (both are ``""``) and REST sends null for both, so both become null.

- ``columns``: which fields are read, as which Arrow type; ``Misfit`` and the wider types.
- ``values``: the slow, exact way for values that the fast way refuses.
- ``csv`` (Bulk API 2.0 result pages) and ``json`` (REST query answers): the two readers.
"""

from sfnb.org.arrow.columns import (
    Misfit,
    arrow_schema,
    misfit_notes,
    readable_fields,
    wider_schema,
)
from sfnb.org.arrow.csv import csv_batches
from sfnb.org.arrow.json import QueryPage, query_page
from sfnb.org.arrow.values import Note, Tally, as_bulk_writes, nul_note

__all__ = [
    "Misfit",
    "Note",
    "QueryPage",
    "Tally",
    "arrow_schema",
    "as_bulk_writes",
    "csv_batches",
    "misfit_notes",
    "nul_note",
    "query_page",
    "readable_fields",
    "wider_schema",
]
