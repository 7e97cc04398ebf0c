"""The frames as CSV and JSON beside a report."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd

from sfnb.errors import JobError
from sfnb.usage.review import Review

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the begin of a formula, full-width forms included."""


def write_csv(review: Review, folder: Path) -> list[Path]:
    """
    One CSV file for each frame of the org: UTF-8 with a mark for spreadsheets, moments as ISO 8601
    UTC.

    Texts that a spreadsheet would take for a formula get an apostrophe before them. Returns the
    files written.
    """
    written = []
    for name, frame in review.tables.items():
        path = folder / f"{review.org}-{name}.csv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(frame.columns)
                writer.writerows(
                    [csv_cell(value) for value in row] for row in frame.itertuples(index=False)
                )
        except OSError as err:
            raise JobError(
                f"{path} cannot be written ({err.strerror}); choose another folder."
            ) from err
        written.append(path)
    return written


def csv_cell(value: Any) -> Any:
    """
    A value as CSV holds it: text can be no formula, a moment is ISO 8601, what is missing is empty.
    """
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return iso(value)
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" ").startswith(FORMULA_SIGNS) else value
    return value


def write_json(reviews: list[Review], path: Path) -> None:
    """All frames of all orgs in one JSON file: ``{org: {frame: [row, …]}}``."""
    text = json.dumps(
        {review.org: frames_json(review) for review in reviews}, ensure_ascii=False, allow_nan=False
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as err:
        raise JobError(f"{path} cannot be written ({err.strerror}); choose another place.") from err


def frames_json(review: Review) -> dict[str, list[dict[str, Any]]]:
    """Each frame as a list of rows of JSON values."""
    return {name: rows_json(frame) for name, frame in review.tables.items()}


def rows_json(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """
    The rows of a frame as JSON values; moments as ISO 8601 with ``Z``, what is missing as null.
    """
    return [
        {name: _json(value) for name, value in zip(frame.columns, row, strict=True)}
        for row in frame.itertuples(index=False)
    ]


def _json(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return iso(value)
    return value.item() if hasattr(value, "item") else value


def iso(moment: pd.Timestamp) -> str:
    """``2026-11-22T04:38:00Z``."""
    return str(moment.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"))
