"""
The rejects file: the rows that were refused, as a CSV that a person can mend and restore from.

``sfnb_object,sfnb_id,sfnb_code,sfnb_message`` and then the records' fields. The code is always a
status code of Salesforce, whoever refused the row. An empty cell says nothing: a field that is to
be cleared stays as it was planned.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfnb.errors import CallerError
from sfnb.org.ids import is_api_name, is_record_id, to18
from sfnb.private import private_file, private_folder
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.journal import Act, Refused
from sfnb.restore.outcomes import Outcomes
from sfnb.restore.plan import PlannedRow, RestorePlan
from sfnb.restore.status_codes import as_status
from sfnb.restore.wave_rows import WaveRows

HEAD = ("sfnb_object", "sfnb_id", "sfnb_code", "sfnb_message")
FINAL_ACTS: tuple[Act, ...] = ("create", "update")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not written, and why: ``code`` is the org's, or a word of sfnb's own."""

    row: PlannedRow
    code: str
    message: str


def planned_rejects(folder: RestoreFolder, plan: RestorePlan) -> Iterator[Reject]:
    """Rows that the plan refuses."""
    said: dict[tuple[str, str, str], str] = {
        (r.object_name, r.reason, r.field): r.message for r in plan.refusals
    }
    for name in folder.refused_objects():
        for row in folder.refused_rows(name):
            message = said.get((name, row.reason, row.field)) or said.get((name, row.reason, ""))
            where = f" ({row.field})" if row.field else ""
            yield Reject(row, row.reason, message or f"{row.reason.replace('_', ' ')}{where}")


def refused_rows(folder: RestoreFolder, plan: RestorePlan, outcomes: Outcomes) -> Iterator[Reject]:
    """Rows that the org refused."""
    for wave in plan.waves:
        found: dict[int, Refused] = {}
        for act in FINAL_ACTS:
            if (of_act := outcomes.has(wave.number, act)) is not None:
                found |= of_act.refusals
        for place, row in WaveRows(folder, wave).at(sorted(found)) if found else ():
            yield Reject(row, found[place].code, found[place].message)


def write_rejects(path: Path, rejects: Iterable[Reject]) -> int:
    """
    Write the file, for its user's eyes alone; how many rows it has. Without any, no file is left.
    """
    rows = list(rejects)
    if not rows:
        path.unlink(missing_ok=True)
        return 0
    columns = list(dict.fromkeys(name for one in rows for name in one.row.values))
    private_folder(path.parent)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with private_file(temporary).open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([*HEAD, *columns])
        for one in rows:
            values = one.row.values
            head = (one.row.object_name, one.row.old_id, *as_status(one.code, one.message))
            out.writerow([*head, *(_cell(values.get(name)) for name in columns)])
    temporary.replace(path)
    return len(rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


@dataclass(frozen=True)
class Amendments:
    """
    A rejects file that a person has mended: its cells replace the snapshot's values.

    Attributes:
        cells: by object and old Id, the cells that are not empty.
    """

    cells: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(old_id for _, old_id in self.cells))

    def amend(self, object_name: str, old_id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """A record's values with the cells of its row, in the types that the values have."""
        cells = self.cells.get((object_name.lower(), old_id), {})
        by_lower = {name.lower(): name for name in values}
        amended = dict(values)
        for column, cell in cells.items():
            name = by_lower.get(column.lower(), column)
            if _cell(amended.get(name)) != cell:
                amended[name] = _like(amended.get(name), cell)
        return amended


def _like(value: Any, cell: str) -> Any:
    """The cell as a value of the kind that was there; text where none was."""
    if isinstance(value, bool) and cell.lower() in ("true", "false"):
        return cell.lower() == "true"
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(cell)
        except ValueError:
            return cell
    return cell


def read_rejects(path: Path) -> Amendments:
    """
    The rows of a rejects file.

    Raises:
        CallerError: it is not one.
    """
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 20))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, strict=True)
            head = lines.fieldnames or []
            if not {"sfnb_object", "sfnb_id"} <= set(head):
                raise CallerError(f"{path} is no rejects file: it has no sfnb_object and sfnb_id.")
            for line in lines:
                if None in line:
                    raise CallerError(f"{path}, line {lines.line_num}: more cells than columns.")
                name, old_id = line["sfnb_object"] or "", line["sfnb_id"] or ""
                if not is_api_name(name) or not is_record_id(old_id):
                    raise CallerError(f"{path}, line {lines.line_num}: no object or no Id.")
                given = {n: v for n, v in line.items() if n not in HEAD and v}
                cells[name.lower(), to18(old_id)] = given
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        raise CallerError(f"{path} cannot be read: {err}.") from err
    if not cells:
        raise CallerError(f"{path} has no rows.")
    return Amendments(cells)
