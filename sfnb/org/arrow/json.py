"""REST query answers: one JSON text of up to 2,000 records."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from sfnb.errors import TransientError
from sfnb.org.answers import count_of, is_last_page
from sfnb.org.arrow.columns import Misfit, Wider
from sfnb.org.arrow.csv import mended_note
from sfnb.org.arrow.values import (
    Note,
    NumberText,
    Tally,
    fit,
    is_in_calendar,
    json_text,
    nul_tallies,
    text_array,
)

# Made of buffers: Arrow's own conversion of Python values would load pandas (70 MB).
_EMPTY = text_array([""])[0]
_NULL = pa.nulls(1, pa.string())[0]

_NUL = b"\\u0000"

_OBJECT = re.compile(rb"\s*\{")

log = logging.getLogger("sfnb.org")


@dataclass(frozen=True, slots=True)
class QueryPage:
    """
    One page of a query's answer.

    Args:
        batch: its records.
        total: ``totalSize``, the records of all pages; None where the org does not say.
        is_done: whether this is the last page, as the org says.
        next_url: ``nextRecordsUrl``, where the next page is.
        notes: a sentence for each column whose text had to be mended, or has the character NUL.
    """

    batch: pa.RecordBatch
    total: int | None
    is_done: bool
    next_url: str | None = None
    notes: tuple[Note, ...] = ()


def query_page(body: bytes, columns: pa.Schema) -> QueryPage:
    """
    One query answer, as sent.

    Raises:
        TransientError: it ends early, or is no query answer.
        Misfit: values need a wider column.
    """
    try:
        # Arrow does not look whether text is UTF-8, and Parquet must hold nothing else.
        str(body, "utf-8")
        # Arrow 26 ends the process (a segmentation fault) when a JSON text is just null.
        if _OBJECT.match(body):
            return _fast(body, columns)
    except (pa.ArrowException, UnicodeDecodeError) as err:
        log.debug("a query answer needs the careful way: %s", type(err).__name__)
    return _careful(body, columns)


def _fast(body: bytes, columns: pa.Schema) -> QueryPage:
    # Moments come as 2026-11-09T05:12:03.000+0000, which the JSON reader takes as text and a cast
    # understands.
    wire = pa.struct(
        [
            f.with_type(pa.string() if pa.types.is_temporal(f.type) else f.type).with_nullable(True)
            for f in columns
        ]
    )
    explicit = pa.schema(
        {
            "totalSize": pa.int64(),
            "done": pa.bool_(),
            "nextRecordsUrl": pa.string(),
            "records": pa.list_(wire),
        }
    )
    answer = pajson.read_json(
        io.BytesIO(body),
        read_options=pajson.ReadOptions(block_size=len(body) + 1, use_threads=False),
        parse_options=pajson.ParseOptions(
            explicit_schema=explicit, unexpected_field_behavior="ignore", newlines_in_values=True
        ),
    )
    lists = answer.column("records").combine_chunks()
    records = lists.flatten()
    if len(lists) != 1 or lists.null_count or records.null_count:
        raise pa.ArrowInvalid("no list of records")
    arrays = [
        _conformed(child, field) for child, field in zip(records.flatten(), columns, strict=True)
    ]
    following = answer.column("nextRecordsUrl")[0].as_py()
    batch = pa.RecordBatch.from_arrays(arrays, schema=columns)
    return QueryPage(
        batch,
        count_of(answer.column("totalSize")[0].as_py()),
        is_last_page(answer.column("done")[0].as_py(), following),
        following,
        _nul_notes(body, batch),
    )


def _nul_notes(body: bytes, batch: pa.RecordBatch) -> tuple[Tally, ...]:
    return tuple(nul_tallies(batch)) if _NUL in body else ()


def _conformed(child: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_string(child.type):
        # REST sends null for the empty text; a server that sends "" means the same.
        child = pc.if_else(pc.equal(child, _EMPTY), _NULL, child)
    array = child if child.type == field.type else child.cast(field.type)
    if not is_in_calendar(array):
        raise pa.ArrowInvalid("a date before the year 1")
    return array


def _careful(body: bytes, columns: pa.Schema) -> QueryPage:
    """The answer once more, value by value: mixed types, whole numbers as 7.0, broken text."""
    text, is_whole = _decoded(body)
    answer, records = _parsed(text)
    arrays: list[pa.Array] = []
    wider: dict[str, Wider] = {}
    notes: list[str] = []
    for field in columns:
        sent = [record.get(field.name) for record in records]
        try:
            texts = [json_text(value) for value in sent]
        except RecursionError:
            raise _no_answer("a value is nested too deep") from None
        if any(_is_mended(v, t, is_whole=is_whole) for v, t in zip(sent, texts, strict=True)):
            notes.append(mended_note(field.name))
        array, needed = fit(field.type, text_array(texts))
        arrays.append(array)
        if needed:
            wider[field.name] = needed
    if wider:
        raise Misfit(wider)
    following = answer.get("nextRecordsUrl")
    batch = pa.RecordBatch.from_arrays(arrays, schema=columns)
    return QueryPage(
        batch,
        count_of(answer.get("totalSize")),
        is_last_page(answer.get("done"), following if isinstance(following, str) else None),
        following if isinstance(following, str) else None,
        (*notes, *_nul_notes(body, batch)),
    )


def _decoded(body: bytes) -> tuple[str, bool]:
    """The text, and whether all of it was UTF-8."""
    try:
        return body.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return body.decode("utf-8-sig", "replace"), False


def _parsed(text: str) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    try:
        answer = json.loads(
            text,
            parse_int=NumberText,
            parse_float=NumberText,
            parse_constant=NumberText,
        )
    except (ValueError, RecursionError) as err:
        raise _no_answer("it is not valid JSON") from err
    records = answer.get("records") if isinstance(answer, dict) else None
    if (
        records is None
        and isinstance(answer, dict)
        and count_of(answer.get("totalSize")) is not None
    ):
        records = []  # some leave out an empty list; the count tells whether it was one
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise _no_answer("it has no list of records")
    return answer, records


def _no_answer(reason: str) -> TransientError:
    return TransientError(f"the answer of a query cannot be read: {reason}.")


def _is_mended(sent: object, text: str | None, *, is_whole: bool) -> bool:
    return text is not None and "\ufffd" in text and not (is_whole and text == sent)
