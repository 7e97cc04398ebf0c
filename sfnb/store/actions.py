"""Every action of a Delta commit, compared with the entry of sfnb's beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sfnb.store.columns import SNAPSHOT
from sfnb.store.parts import Part

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
    snapshot: str,
    number: int,
    parts: Sequence[Part],
    is_restart: bool,
) -> bool:
    """
    Whether these are exactly the actions of a commit of sfnb's: none twice, none slipped in, none
    changed.
    """
    partition = {SNAPSHOT: snapshot}
    # The first commit creates the table; no later one of ours changes it.
    own_kinds = {"commitInfo": 1, "txn": 1} | (
        {"protocol": 1, "metaData": 1} if version == 0 else {}
    )
    counts = {kind: len(bodies) for kind, bodies in actions.items()}
    adds, removes = counts.pop("add", 0), counts.pop("remove", 0)
    if counts != own_kinds or adds != len(parts) or (removes and not is_restart):
        return False
    (txn,) = actions["txn"]
    if (txn["appId"], txn["version"]) != (snapshot, number):
        return False
    for add, part in zip(actions.get("add", []), parts, strict=True):
        named = (add["path"], add["size"], add["partitionValues"], add["dataChange"])
        if named != (part.path, part.size_bytes, partition, True):
            return False
        if json.loads(add["stats"]) != part.delta_stats():
            return False
    gone = [remove["path"] for remove in actions.get("remove", [])]
    return len(gone) == len(set(gone)) and all(
        remove["dataChange"] is True and remove["partitionValues"] == partition
        for remove in actions.get("remove", [])
    )


def changes_rows(actions: Actions) -> bool:
    """Whether a commit adds or removes files; one without an entry of sfnb's must not."""
    return bool(actions.get("add") or actions.get("remove"))
