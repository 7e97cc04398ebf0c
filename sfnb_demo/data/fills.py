"""
The values of a column: whole Arrow arrays from a seeded generator, never one Python object per
value.

A *fill* is a function of a batch. A row's number alone decides whether it is deleted, so a lookup
can avoid deleted rows, and a detail can follow its master, without looking anything up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sfnb_demo.data import ids, pools
from sfnb_demo.data.schema import ObjectDef

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass
class Batch:
    """
    Rows ``start`` to ``start + size`` of one object while their columns are made, in field order.
    """

    object: ObjectDef
    start: int
    size: int
    rng: np.random.Generator
    now: datetime
    rows: Mapping[str, int]
    objects: Mapping[str, ObjectDef]
    columns: dict[str, Any] = field(default_factory=dict)
    master_deleted: Flags | None = None

    @property
    def numbers(self) -> Integers:
        return np.arange(self.start, self.start + self.size, dtype=np.int64)

    def chance(self, share: float) -> Flags:
        """True for about this share of the rows."""
        return self.rng.random(self.size) < share


Fill = Callable[[Batch], Any]


def deleted(obj: ObjectDef, numbers: Integers) -> Flags:
    """
    Which rows are in the recycle bin: about one in a hundred, by row number; never two in a row.
    """
    if not obj.is_deletable or obj.is_fixed or not obj.has("IsDeleted"):
        return np.zeros(len(numbers), dtype=np.bool_)
    is_gone: Flags = (numbers * 37 + crc32(obj.name.encode())) % 101 == 7
    return is_gone


def take(values: Sequence[Any], at: Any, kind: Any = None) -> Any:
    """``values[at]`` as an Arrow array."""
    return pa.array(values, type=kind or pa.string()).take(pa.array(at))


def blank(array: Any, is_null: Flags) -> Any:
    """The array with nulls where the flag is set."""
    return pc.if_else(pa.array(~is_null), array, pa.scalar(None, array.type))


def pick(values: Sequence[Any], *, nulls: float = 0.0, kind: Any = None) -> Fill:
    """One of the values; earlier ones are more frequent."""

    def fill(batch: Batch) -> Any:
        at = (batch.rng.random(batch.size) ** 1.5 * len(values)).astype(np.int64)
        return (
            blank(take(values, at, kind), batch.chance(nulls)) if nulls else take(values, at, kind)
        )

    return fill


def constant(value: Any, kind: Any = None) -> Fill:
    return lambda batch: pa.repeat(pa.scalar(value, type=kind or pa.string()), batch.size)


def sequence(values: Sequence[Any], kind: Any = None) -> Fill:
    """The values in turn, by row number."""
    return lambda batch: take(values, batch.numbers % len(values), kind)


def joined(*parts: Fill | str, separator: str = "") -> Fill:
    """Text made of other fills and fixed words."""

    def fill(batch: Batch) -> Any:
        arrays = [pa.scalar(p) if isinstance(p, str) else p(batch) for p in parts]
        return pc.binary_join_element_wise(*arrays, separator)

    return fill


def padded(numbers: Any, width: int) -> Any:
    """Whole numbers as text with leading zeros."""
    return pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width=width, padding="0")


def numbered(prefix: str, width: int = 6, *, nulls: float = 0.0) -> Fill:
    """Unique text: the prefix and the row's number, counted from 1."""

    def fill(batch: Batch) -> Any:
        text = pc.binary_join_element_wise(pa.scalar(prefix), padded(batch.numbers + 1, width), "")
        return blank(text, batch.chance(nulls)) if nulls else text

    return fill


def spiced(plain: Fill, *, share: float = 0.01) -> Fill:
    """Another fill's text, mixed with values that break careless programs."""

    def fill(batch: Batch) -> Any:
        at = batch.rng.integers(0, len(pools.NASTY), batch.size)
        return pc.if_else(pa.array(batch.chance(share)), take(pools.NASTY, at), plain(batch))

    return fill


@cache
def _paragraphs() -> tuple[str, ...]:
    """Made once: a third of the time that a tiny org took to start."""
    rng = np.random.default_rng(crc32(b"prose"))
    return tuple(" ".join(rng.choice(pools.SENTENCES, rng.integers(1, 4))) for _ in range(300))


def prose(length: int, *, nulls: float = 0.3) -> Fill:
    """A few sentences; about one in 5,000 is nearly as long as the field allows."""
    long_one = ('Lorem ipsum, dolor sit amet. "Quoted"\n' * (length // 38 + 1))[: length - 1]
    texts = [t[:length] for t in (*_paragraphs(), *pools.NASTY)] + [long_one]

    def fill(batch: Batch) -> Any:
        at = batch.rng.integers(0, len(texts) - 1, batch.size)
        at[batch.chance(0.0002)] = len(texts) - 1
        return blank(take(texts, at), batch.chance(nulls))

    return fill


def reference(field_name: str, targets: Sequence[str], *, nulls: float) -> Fill:
    """
    Ids of existing rows. A lookup avoids deleted rows; an object's reference to itself points to an
    earlier row.

    With several targets the first gets half of the rows, the next half of the rest, and so on.
    """

    def fill(batch: Batch) -> Any:
        existing = [t for t in targets if batch.rows.get(t)]
        if not existing:
            return pa.nulls(batch.size, pa.string())
        share = batch.rng.random(batch.size)
        result = pa.nulls(batch.size, pa.string())
        is_detail = batch.object.by_lower_name[field_name.lower()].is_detail
        for place, target in enumerate(existing):
            low = 0.0 if place == len(existing) - 1 else 0.5 ** (place + 1)
            is_here = (share >= low) & (share < 0.5**place)
            rows = batch.rows[target]
            if target == "Group":
                rows = min(rows, pools.QUEUES)
            parent = batch.objects[target]
            upper = (
                batch.numbers
                if target == batch.object.name
                else np.full(batch.size, rows, dtype=np.int64)
            )
            at = (batch.rng.random(batch.size) * upper).astype(np.int64)
            is_empty = ~is_here | (upper <= 0)
            if is_detail:
                gone = deleted(parent, at) & ~is_empty
                batch.master_deleted = (
                    gone if batch.master_deleted is None else batch.master_deleted | gone
                )
            else:
                at = np.where(deleted(parent, at), np.where(at > 0, at - 1, at + 1), at)
                is_empty |= at >= rows
            found = ids.make_ids(parent.prefix or "000", at + parent.id_start, is_null=is_empty)
            result = pc.coalesce(result, found)
        return blank(result, batch.chance(nulls)) if nulls else result

    return fill


def number(low: float, high: float, *, decimals: int, nulls: float = 0.1) -> Fill:
    """
    Numbers spread evenly over a range. With more than two decimals, one in a hundred is extreme.
    """

    def fill(batch: Batch) -> Any:
        values = np.round(batch.rng.uniform(low, high, batch.size), decimals)
        if decimals > 2:
            odd = np.array(pools.EXTREME_DOUBLES)[
                batch.rng.integers(0, len(pools.EXTREME_DOUBLES), batch.size)
            ]
            values = np.where(batch.chance(0.01), odd, values)
        return pa.array(values, mask=batch.chance(nulls))

    return fill


def whole(low: int, high: int, *, nulls: float = 0.0) -> Fill:
    return lambda batch: pa.array(
        batch.rng.integers(low, high, batch.size), mask=batch.chance(nulls)
    )


def flag(share: float) -> Fill:
    return lambda batch: pa.array(batch.chance(share))


def day(
    *, back_days: int, ahead_days: int = 0, nulls: float = 0.1, has_extremes: bool = False
) -> Fill:
    """
    Dates around the org's start. ``has_extremes``: one in two hundred is far off, years 1900 to
    4000.
    """

    def fill(batch: Batch) -> Any:
        today = np.datetime64(batch.now.replace(tzinfo=None), "D")
        days = today + batch.rng.integers(-back_days, ahead_days + 1, batch.size).astype(
            "timedelta64[D]"
        )
        if has_extremes:
            odd = np.array(pools.EXTREME_DATES, dtype="datetime64[D]")
            days = np.where(
                batch.chance(0.005), odd[batch.rng.integers(0, len(odd), batch.size)], days
            )
        return pa.array(days, mask=batch.chance(nulls))

    return fill


def moment(
    *, back_days: int, ahead_days: int = 0, nulls: float = 0.1, has_extremes: bool = False
) -> Fill:
    """Datetimes to the second, as Salesforce keeps them."""

    def fill(batch: Batch) -> Any:
        now = np.datetime64(batch.now.replace(tzinfo=None), "s")
        seconds = batch.rng.integers(-back_days * 86400, ahead_days * 86400 + 1, batch.size).astype(
            "timedelta64[s]"
        )
        times = now + seconds
        if has_extremes:
            odd = np.array(pools.EXTREME_DATES, dtype="datetime64[s]") + np.timedelta64(86399, "s")
            times = np.where(
                batch.chance(0.005), odd[batch.rng.integers(0, len(odd), batch.size)], times
            )
        return pa.array(times.astype("datetime64[us]"), mask=batch.chance(nulls))

    return fill


def later(than: str, *, within_days: int, share: float = 1.0) -> Fill:
    """
    Moments after another column's, never past the org's start. Only a share of the rows differs.
    """

    def fill(batch: Batch) -> Any:
        start = batch.columns[than].to_numpy(zero_copy_only=False).astype("datetime64[s]")
        now = np.datetime64(batch.now.replace(tzinfo=None), "s")
        moved = start + (batch.rng.random(batch.size) ** 2 * within_days * 86400).astype(
            "timedelta64[s]"
        )
        times = np.where(batch.chance(share), np.minimum(moved, now), start)
        return pa.array(np.maximum(times, start).astype("datetime64[us]"))

    return fill


def time_of_day(batch: Batch) -> Any:
    """Times as Salesforce prints them, ``05:12:03.000Z``."""
    seconds = batch.rng.integers(0, 86400, batch.size)
    parts = [padded(seconds // 3600, 2), padded(seconds // 60 % 60, 2), padded(seconds % 60, 2)]
    clock = pc.binary_join_element_wise(*parts, ":")
    return blank(pc.binary_join_element_wise(clock, pa.scalar(".000Z"), ""), batch.chance(0.2))


def phone(batch: Batch) -> Any:
    digits = padded(batch.rng.integers(0, 10**7, batch.size), 7)
    lead = take(
        ("(030) ", "+1 555 ", "+81-3-", "0049 ", "00"), batch.rng.integers(0, 5, batch.size)
    )
    return blank(pc.binary_join_element_wise(lead, digits, ""), batch.chance(0.15))


def email(batch: Batch) -> Any:
    domain = take(
        ("acme.test", "example.com", "post.example", "müller.example"),
        batch.rng.integers(0, 4, batch.size),
    )
    text = pc.binary_join_element_wise(pa.scalar("user"), padded(batch.numbers, 1), "")
    return blank(pc.binary_join_element_wise(text, domain, "@"), batch.chance(0.1))


def several(values: Sequence[str]) -> Fill:
    """Multipicklist values, ``A;B`` in the picklist's order."""
    pairs = [
        *values,
        *(f"{a};{b}" for i, a in enumerate(values) for b in values[i + 1 :]),
        ";".join(values),
    ]
    return pick(pairs, nulls=0.3)
