"""
Answers changed by a rule just before they are sent: rows dropped, repeated or added, values and
headers changed.

The org has served the call as it should; only what the client reads is untrue. JSON answers with a
list of rows (``records``, ``sobjects``, ``sObjects``) and CSV result pages are changed by the same
keys.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfnb_demo.server.wire import Response, json_bytes, whole_body

ROW_LISTS = ("records", "sobjects", "sObjects")
KEYS = {"drop", "keep", "repeat", "add", "set", "remove", "headers", "replace"}

_QUOTED_RECORD = re.compile(r'(?:[^"\n]|"[^"]*")*\n?')


@dataclass(frozen=True, slots=True)
class Rewrite:
    """
    What to change, in this order.

    Args:
        drop: places of rows to leave out; negative ones count from the end.
        keep: how many rows to keep at most.
        repeat: places of rows to send twice.
        add: rows to append, each a copy of the last row with these values changed.
        values: JSON values to set, by dotted path (``sObjects.0.count``).
        remove: JSON values to take out, by dotted path.
        headers: headers to set; None removes one.
        replace: pairs of a regular expression and a text for the body, whatever its type.
    """

    drop: tuple[int, ...] = ()
    keep: int | None = None
    repeat: tuple[int, ...] = ()
    add: tuple[Mapping[str, Any], ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    headers: Mapping[str, str | None] = field(default_factory=dict)
    replace: tuple[tuple[str, str], ...] = ()

    @property
    def changes_rows(self) -> bool:
        return bool(self.drop or self.repeat or self.add) or self.keep is not None


def read_rewrite(given: Mapping[str, Any]) -> Rewrite:
    """A rewrite from a rule's JSON; ``ValueError`` or ``TypeError`` for what cannot be meant."""
    pairs = [(str(pattern), str(text)) for pattern, text in given.get("replace", ())]
    for pattern, _ in pairs:
        re.compile(pattern)
    return Rewrite(
        drop=tuple(int(place) for place in given.get("drop", ())),
        keep=None if given.get("keep") is None else int(given["keep"]),
        repeat=tuple(int(place) for place in given.get("repeat", ())),
        add=tuple(dict(row) for row in given.get("add", ())),
        values=dict(given.get("set") or {}),
        remove=tuple(str(path) for path in given.get("remove", ())),
        headers={
            str(name): None if value is None else str(value)
            for name, value in (given.get("headers") or {}).items()
        },
        replace=tuple(pairs),
    )


def rewritten(rewrite: Rewrite, response: Response, fill: Callable[[str], str]) -> Response:
    """
    The answer as the rule wants it.

    Args:
        fill: fills the placeholders of texts that the rule gives.
    """
    body, value = whole_body(response.body), response.value
    if "csv" in response.content_type:
        body = _csv_rows(rewrite, body) if rewrite.changes_rows else body
    elif "json" in response.content_type and body:
        value = json.loads(body)
        _json_rows(rewrite, value)
        for path, wanted in rewrite.values.items():
            _set(value, path, fill(wanted) if isinstance(wanted, str) else wanted)
        for path in rewrite.remove:
            _remove(value, path)
        body = json_bytes(value)
    for pattern, text in rewrite.replace:
        # A function, so that a backslash in the text is only a backslash.
        filled = fill(text).encode()
        body = re.sub(pattern.encode(), lambda _found, new=filled: new, body)  # type: ignore[misc]
    headers = dict(response.headers)
    for name, wanted_text in rewrite.headers.items():
        headers.pop(name, None)
        if wanted_text is not None:
            headers[name] = fill(wanted_text)
    return Response(response.status, body, response.content_type, headers, value)


def changed_rows(
    rewrite: Rewrite, rows: Sequence[Any], changed: Callable[[Any, Mapping[str, Any]], Any]
) -> list[Any]:
    """The rows of a page as the rule wants them; ``changed`` makes a row like another."""
    count = len(rows)
    dropped = {place % count for place in rewrite.drop if -count <= place < count}
    twice = {place % count for place in rewrite.repeat if -count <= place < count}
    kept: list[Any] = []
    for place, row in enumerate(rows):
        if place not in dropped:
            kept += [row, row] if place in twice else [row]
    if rewrite.keep is not None:
        kept = kept[: rewrite.keep]
    pattern = rows[-1] if rows else None
    return kept + [changed(pattern, values) for values in rewrite.add]


def _json_rows(rewrite: Rewrite, value: Any) -> None:
    if not rewrite.changes_rows or not isinstance(value, dict):
        return
    for name in ROW_LISTS:
        if isinstance(value.get(name), list):
            value[name] = changed_rows(
                rewrite, value[name], lambda row, new: {**(row or {}), **new}
            )
            return


def _csv_rows(rewrite: Rewrite, body: bytes) -> bytes:
    text = body.decode()
    records = [found for found in _QUOTED_RECORD.findall(text) if found]
    if not records:
        return body
    header = next(csv.reader([records[0]]))

    def changed(record: str | None, values: Mapping[str, Any]) -> str:
        cells = next(csv.reader([record])) if record else [""] * len(header)
        out = io.StringIO()
        row = [values.get(name, cell) for name, cell in zip(header, cells, strict=True)]
        csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(row)
        return out.getvalue()

    return "".join([records[0], *changed_rows(rewrite, records[1:], changed)]).encode()


def _parent(value: Any, path: str) -> tuple[Any, Any]:
    """The container that a dotted path ends in, and the key in it."""
    *way, last = path.split(".")
    for step in way:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value, int(last) if isinstance(value, list) else last


def _set(value: Any, path: str, wanted: Any) -> None:
    container, key = _parent(value, path)
    container[key] = wanted


def _remove(value: Any, path: str) -> None:
    container, key = _parent(value, path)
    if isinstance(container, list):
        del container[key]
    else:
        container.pop(key, None)
