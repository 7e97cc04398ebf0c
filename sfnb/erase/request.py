"""What an erasure is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EraseRequest:
    """
    Args:
        object_name: as it is stored.
        ids: 18 characters each.
        with_children: also what hangs on the records by a cascading lookup, and its files.
        certificate: where the certificate goes; empty: under SFNB_HOME.
    """

    object_name: str
    ids: tuple[str, ...]
    with_children: bool = False
    certificate: str = ""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ids": list(self.ids)}

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> EraseRequest:
        """The request in a job's options."""
        return cls(
            options["object_name"],
            tuple(options["ids"]),
            options["with_children"],
            options["certificate"],
        )
