"""Where the rows of one object of one snapshot go. Pure: formats differ here and hardly anywhere else."""

from __future__ import annotations

from dataclasses import dataclass

from sfnb.store.columns import (
    EXTRACTED_AT,
    FROM,
    GENERATION,
    NEW,
    OP,
    SNAPSHOT,
    UNTIL,
)
from sfnb.store.paths import records_path, table_path

RECORDS_FORMAT = 3
"""The first format whose tables hold record versions."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    A folder of parts, and what their rows have beside the object's fields.

    Args:
        folder: of the table, from the org's folder.
        column, value: Delta's partition.
        constants: text columns of sfnb's that have the same value in all rows.
        own: all of sfnb's columns in the table.
    """

    folder: str
    column: str
    value: str
    constants: tuple[tuple[str, str], ...] = ()
    own: tuple[str, ...] = (OP, EXTRACTED_AT, FROM, UNTIL, GENERATION)

    @property
    def partition(self) -> dict[str, str]:
        return {self.column: self.value}


def place_of(object_name: str, snapshot: str, number: int) -> Place:
    """The place of a snapshot that was begun in this format."""
    if number < RECORDS_FORMAT:
        own = (OP, EXTRACTED_AT, SNAPSHOT)
        return Place(table_path(object_name), SNAPSHOT, snapshot, own=own)
    return Place(records_path(object_name), GENERATION, NEW, ((FROM, snapshot),))


def aside_place(object_name: str, snapshot: str, generation: str) -> Place:
    """The place of parts that hold some fields only, and are in no state."""
    constants = ((FROM, snapshot), (UNTIL, snapshot))
    return Place(records_path(object_name), GENERATION, generation, constants)
