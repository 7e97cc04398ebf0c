"""
Files of a table that no commit names, and whether nobody is about to name them.

On a disk one process prunes, erases or compacts at a time, and jobs are looked for. In a bucket
other installations may write whose jobs nobody here sees: what is young and not a prune's or an
erasure's is left alone there.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

from sfnb.clock import Clock
from sfnb.store.columns import GENERATION
from sfnb.store.compaction.catalog import Catalog
from sfnb.store.files import Files

GRACE = timedelta(hours=1)
"""No part waits that long for its commit."""

OURS = re.compile(r"-[0-9a-f]{24}\.parquet$")
"""
By the length of its last number a later prune or erasure knows a file that one of them wrote: one of
them works at a time, so that it is nobody's any more. Parts and compactions have 16 digits.
"""


def restated_name(path: str) -> str:
    """A new name for a file that takes another one's place; see ``OURS``."""
    return re.sub(r"[0-9a-f]+\.parquet$", f"{secrets.token_hex(12)}.parquet", path)


def new_path(generation: str, name: str) -> str:
    """The path of a new file of some generation of versions; see ``OURS``."""
    return f"{GENERATION}={generation}/{name}-{secrets.token_hex(12)}.parquet"


def is_left(table: Files, path: str, catalog: Catalog, clock: Clock) -> bool:
    """
    Whether a file that no commit names any more, or none yet, is certainly nobody's.

    Args:
        catalog: what the table's log said before it was tidied.

    Cost: in an object store a request.
    """
    if table.local is not None or path in catalog.named or path in catalog.replaced:
        return True
    if OURS.search(path):
        return True
    written_at = table.written_at(path)
    return written_at is None or clock.now() - written_at > GRACE
