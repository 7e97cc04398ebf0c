"""
Price books, prices and lines that fit each other, so that the org would take them again: one price
for a product in a book, the standard one for each, and lines from the book of their opportunity.

All follows from the rows' numbers. The entries of the first book, which is the standard one, come
first, one for each product; then those of the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from sfnb_demo.data import fills, ids
from sfnb_demo.data.fills import Batch, Integers


def is_standard(batch: Batch) -> Any:
    return pa.array(batch.numbers == 0)


def product_of_entry(batch: Batch) -> Any:
    """An entry goes with its product."""
    at = batch.numbers % _products(batch)
    gone = fills.deleted(batch.objects["Product2"], at)
    batch.master_deleted = gone
    return _ids(batch, "Product2", at)


def book_of_entry(batch: Batch) -> Any:
    lists = batch.rows["Pricebook2"]
    return _ids(batch, "Pricebook2", batch.numbers // _products(batch) % max(lists, 1))


def book_of_deal(batch: Batch) -> Any:
    """The book of an opportunity; about one in ten has none."""
    return _ids(batch, "Pricebook2", _book(batch, batch.numbers), is_null=batch.numbers % 11 == 4)


def entry_of_line(batch: Batch) -> Any:
    """A living entry of the opportunity's book."""
    products, entries = _products(batch), batch.rows["PricebookEntry"]
    start = batch.objects["Opportunity"].id_start
    deals = np.array([ids.number_of(i) - start for i in batch.columns["OpportunityId"].to_pylist()])
    first = _book(batch, deals) * products
    size = np.clip(entries - first, 1, products)
    chosen = (batch.rng.random(batch.size) * size).astype(np.int64)
    for _ in range(3):
        at = first + chosen
        is_gone = fills.deleted(batch.objects["PricebookEntry"], at)
        is_gone |= fills.deleted(batch.objects["Product2"], at % products)
        chosen = np.where(is_gone, (chosen + 1) % size, chosen)
    return _ids(batch, "PricebookEntry", first + chosen)


def product_of_line(batch: Batch) -> Any:
    start = batch.objects["PricebookEntry"].id_start
    entries = batch.columns["PricebookEntryId"].to_pylist()
    at = np.array([ids.number_of(i) - start for i in entries]) % _products(batch)
    return _ids(batch, "Product2", at)


def _book(batch: Batch, deals: Integers) -> Integers:
    """The number of each opportunity's book, among those that have entries."""
    lists = min(-(-batch.rows["PricebookEntry"] // _products(batch)), batch.rows["Pricebook2"])
    return deals % max(lists, 1)


def _ids(batch: Batch, target: str, at: Integers, is_null: Any = None) -> Any:
    parent = batch.objects[target]
    nulls = np.zeros(len(at), dtype=np.bool_) if is_null is None else is_null
    return ids.make_ids(parent.prefix or "000", at + parent.id_start, is_null=nulls)


def _products(batch: Batch) -> int:
    return max(batch.rows["Product2"], 1)
