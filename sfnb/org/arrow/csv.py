"""
Bulk API 2.0 result pages: CSV, read in chunks of whole records as it arrives.

We cut the chunks ourselves, by counting quotes: then a record may be longer than a chunk, a page
that ends within a value is noticed, and a chunk with a value that does not fit is parsed again
without asking the org again. It costs no more than Arrow's own streaming.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from sfnb.errors import ObjectError, TransientError
from sfnb.org.arrow.columns import Misfit, Wider
from sfnb.org.arrow.values import EXACT, Note, Tally, fit, is_in_calendar, nul_tallies, text_array

CHUNK_BYTES = 1 << 20
"""Parsed at a time. Smaller ones cost a third more time, larger ones memory."""

MAX_RECORD_BYTES = 1 << 24
"""Salesforce's limit for a record is 400,000 characters; a longer line is no record of an org."""

TAIL_BYTES = 1 << 13
"""Records are shorter than this, most of them."""

_QUOTE = ord('"')
_LINE_END = ord("\n")

Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


class Readable(Protocol):
    """Bytes as they arrive: a file, or a result page on the wire."""

    def read(self, size: int = -1, /) -> bytes: ...


def csv_batches(
    stream: Readable,
    columns: pa.Schema,
    *,
    notes: list[Note] | None = None,
    chunk: int = CHUNK_BYTES,
) -> Iterator[pa.RecordBatch]:
    """
    Batches of a Bulk result page, in its order, columns in the order of ``columns``.

    Header names are compared without case: it follows the query or the API name (Bulk API 2.0
    guide).

    Args:
        notes: gets a sentence for each column whose text had to be mended.

    Raises:
        TransientError: the connection broke, or the page ended within a record.
        Misfit: values need a wider column.
        ObjectError: a column is missing, or a record is longer than any record of an org.
    """
    parser: _Parser | None = None
    for records in whole_records(stream, chunk=chunk):
        rows = records
        if parser is None:
            header, _, rows = records.partition(b"\n")
            if not header.strip():
                return
            parser = _Parser(header_names(header), columns)
        if rows:
            batch = parser.parse(rows)
            if batch.num_rows:
                yield batch
    if parser is not None and notes is not None:
        notes += parser.notes()


def whole_records(stream: Readable, *, chunk: int = CHUNK_BYTES) -> Iterator[bytes]:
    """
    The bytes of a CSV, cut where a record ends.

    Quotes come in pairs, also those within a value, which are doubled: so a line end after an even
    number of quotes ends a record, and one after an odd number belongs to a value.

    Raises:
        TransientError: the page ended within a value.
        ObjectError: a record is longer than ``MAX_RECORD_BYTES``.
    """
    pieces: list[bytes] = []
    size, is_quoted = 0, False
    while data := stream.read(chunk):
        end, is_quoted = _last_record_end(data, is_quoted=is_quoted)
        if end:
            yield b"".join([*pieces, data[:end]])
            pieces, size = [], 0
        if rest := data[end:]:
            pieces.append(rest)
            size += len(rest)
        if size > MAX_RECORD_BYTES:
            raise ObjectError(
                f"a record is longer than {MAX_RECORD_BYTES >> 20} MB, so this is no CSV of an "
                "org. Check whether a proxy changes answers.",
                code="RECORD_TOO_LONG",
            )
    last = b"".join(pieces)
    # A value that the end of the page has cut off looks whole to a parser, and one that is missing
    # after the last comma looks like null.
    if is_quoted or last.endswith(b","):
        raise TransientError("a result page ended within a value.")
    if last:
        yield last


def _last_record_end(data: bytes, *, is_quoted: bool) -> tuple[int, bool]:
    """Where the last whole record ends in ``data`` (0: in none), and whether its end is quoted."""
    at = np.frombuffer(data, np.uint8)
    end = data.rfind(b"\n") + 1
    quotes = is_quoted + _quotes(at[:end])
    is_rest_quoted = (quotes + _quotes(at[end:])) % 2 == 1
    if quotes % 2 == 0:
        return end, is_rest_quoted
    # The last line end stands within a value: look for the last one that does not, near the end
    # first, where it usually is.
    for start in (max(0, end - TAIL_BYTES), 0):
        tail = at[start:end]
        before = np.cumsum(tail == _QUOTE) + (quotes - _quotes(tail))
        found = np.flatnonzero((tail == _LINE_END) & (before & 1 == 0))
        if len(found):
            return start + int(found[-1]) + 1, is_rest_quoted
    return 0, is_rest_quoted


def _quotes(at: Bytes) -> int:
    # numpy counts five times as fast as bytes.count, and lets other threads run meanwhile.
    return int(np.count_nonzero(at == _QUOTE))


def header_names(line: bytes) -> list[str]:
    """
    The names in a CSV's first line. Pure.

    Raises:
        ObjectError: it is no line of CSV.
    """
    try:
        return next(csv.reader(io.StringIO(line.decode("utf-8-sig").rstrip("\r"))))
    except (UnicodeDecodeError, csv.Error, StopIteration) as err:
        raise ObjectError("the answer is no CSV: its header cannot be read.") from err


class _Parser:
    """Parses chunks of one page, and remembers which columns need care."""

    def __init__(self, header: list[str], columns: pa.Schema) -> None:
        self._header = header
        self._columns = columns
        self._mended: set[str] = set()
        self._with_nul: Counter[str] = Counter()
        by_name = {name.lower(): name for name in header}
        if missing := [f.name for f in columns if f.name.lower() not in by_name]:
            raise ObjectError(
                f"the answer lacks the columns {', '.join(sorted(missing))}: describe and data "
                "disagree."
            )
        if len(by_name) < len(header):
            raise ObjectError("the answer has two columns of one name.")
        self._sent_as = [by_name[f.name.lower()] for f in columns]
        self._wire = [f.type for f in columns]
        self._options = self._convert_options(self._wire)

    def parse(self, rows: bytes) -> pa.RecordBatch:
        """One chunk, as a batch."""
        try:
            table = self._read(rows, self._options)
            arrays = [
                self._conformed(column, field)
                for column, field in zip(table.columns, self._columns, strict=True)
            ]
        except pa.ArrowException as err:
            text = str(err)
            # A page cut within a record shows as a row with too few columns.
            if "Expected" in text and "columns" in text:
                raise TransientError(
                    f"a result page ended within a record ({text.splitlines()[0][:80]})."
                ) from None
            arrays = self._careful(rows)
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._columns)
        if b"\0" in rows:
            self._with_nul.update({one.field: one.values for one in nul_tallies(batch)})
        return batch

    def notes(self) -> list[Note]:
        """What is to be said of each column whose text was mended, or has the character NUL."""
        mended = [mended_note(name) for name in sorted(self._mended)]
        return [*mended, *(Tally(name, self._with_nul[name]) for name in sorted(self._with_nul))]

    def _read(self, rows: bytes, options: pacsv.ConvertOptions) -> pa.Table:
        return pacsv.read_csv(
            pa.BufferReader(pa.py_buffer(rows)),
            read_options=pacsv.ReadOptions(
                column_names=self._header, block_size=len(rows) + 1, use_threads=False
            ),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=options,
        )

    def _convert_options(self, wire: Sequence[pa.DataType]) -> pacsv.ConvertOptions:
        return pacsv.ConvertOptions(
            column_types=dict(zip(self._sent_as, wire, strict=True)),
            include_columns=self._sent_as,
            strings_can_be_null=True,
            null_values=[""],
            true_values=["true"],
            false_values=["false"],
        )

    def _conformed(self, column: pa.ChunkedArray, field: pa.Field) -> pa.Array:
        array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if not is_in_calendar(array):
            raise pa.ArrowInvalid("a date before the year 1")
        if array.type == field.type:
            return array
        # Whole numbers that came as 7.0. Beyond 2^53 a double has lost digits: the careful way
        # keeps them.
        if (pc.max(pc.abs(array)).as_py() or 0) > EXACT:
            raise pa.ArrowInvalid("a whole number beyond 2^53")
        return array.cast(field.type)

    def _careful(self, rows: bytes) -> list[pa.Array]:
        """The chunk once more, as bytes, each column converted by itself."""
        as_bytes = self._convert_options([pa.binary()] * len(self._columns))
        table = self._read(rows, as_bytes)
        arrays: list[pa.Array] = []
        wider: dict[str, Wider] = {}
        for i, field in enumerate(self._columns):
            texts = self._texts(table.column(i).combine_chunks(), field.name)
            array, needed = fit(field.type, texts)
            arrays.append(array)
            if needed:
                wider[field.name] = needed
            else:
                self._choose_wire(i, field, texts)
        if wider:
            raise Misfit(wider)
        return arrays

    def _texts(self, column: pa.Array, name: str) -> pa.Array:
        try:
            return column.cast(pa.string())
        except pa.ArrowException:
            # Bytes that are no UTF-8: Java writes half a surrogate pair so.
            self._mended.add(name)
            return text_array(
                [None if v is None else v.decode("utf-8", "replace") for v in column.to_pylist()]
            )

    def _choose_wire(self, i: int, field: pa.Field, texts: pa.Array) -> None:
        """
        Read this column in a faster way from now on: whole numbers that come as 7.0 as doubles.
        """
        if not pa.types.is_int64(field.type):
            return
        try:
            texts.cast(field.type)
        except pa.ArrowException:
            self._wire[i] = pa.float64()
            self._options = self._convert_options(self._wire)


def mended_note(name: str) -> str:
    """What is said of a column with text that is no valid UTF-8."""
    return f"{name}: some text is not valid Unicode; what cannot be read became U+FFFD."
