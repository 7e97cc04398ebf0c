"""Every action of a Delta commit, compared with the entry of sfnb's beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sfnb.store.parts import Part
from sfnb.store.place import Place

Actions = Mapping[str, list[dict[str, Any]]]
"""The bodies of a commit's actions by kind, in the order of the file."""


def read_actions(text: bytes) -> Actions:
    """
    The actions of one commit file.

    Raises:
        ValueError, AttributeError, RecursionError: it is no such file.
    """
    actions: dict[str, list[dict[str, Any]]] = {}
    for line in text.splitlines():
        for kind, body in json.loads(line).items():
            actions.setdefault(kind, []).append(body)
    return actions


def agree(
    actions: Actions,
    *,
    version: int,
    place: Place,
    snapshot: str,
    number: int,
    parts: Sequence[Part],
    removed: frozenset[str],
    is_read: bool,
) -> bool:
    """
    Whether these are exactly the actions of a commit of sfnb's: none twice, none slipped in, none
    changed.
    """
    # The first commit creates the table; no later one of ours changes it.
    own_kinds = {"commitInfo": 1, "txn": 1} if is_read else {"commitInfo": 1}
    own_kinds |= {"protocol": 1, "metaData": 1} if version == 0 else {}
    counts = {kind: len(bodies) for kind, bodies in actions.items()}
    adds = counts.pop("add", 0)
    counts.pop("remove", 0)
    if counts != own_kinds or adds != len(parts):
        return False
    if is_read:
        (txn,) = actions["txn"]
        if (txn["appId"], txn["version"]) != (snapshot, number):
            return False
    for add, part in zip(actions.get("add", []), parts, strict=False):  # as many, see above
        named = (add["path"], add["size"], add["dataChange"])
        if named != (part.path, part.size_bytes, is_read):
            return False
        if not _is_in(place, add) or json.loads(add["stats"]) != part.delta_stats():
            return False
    gone = [remove["path"] for remove in actions.get("remove", [])]
    return len(gone) == len(set(gone)) and set(gone) == removed


def _is_in(place: Place, add: Mapping[str, Any]) -> bool:
    """Whether a part's partition is one of the place's, and the one that its path names."""
    values = add["partitionValues"]
    (value,) = values.values()
    path = str(add["path"])
    if place.value and place.constants == ():
        return bool(values == place.partition)
    return list(values) == [place.column] and path.startswith(f"{place.column}={value}/")


def changes_rows(actions: Actions) -> bool:
    """Whether a commit adds or removes files; one without an entry of sfnb's must not."""
    return bool(actions.get("add") or actions.get("remove"))
