"""
Rows on disk: one Delta table per object, one manifest per snapshot.

A part (Parquet) is written first and is not visible; one Delta commit then names it and carries the cursor that it
brought the object to; the manifest comes last and seals the snapshot. So an interrupt leaves, at worst:

- between part and commit: a file that no commit names. ``verify`` calls it litter, a later prune removes it;
- between commit and seal: a partial snapshot that can be read at once and gone on with.

Nothing here asks the state database anything: which rows exist is decided by the Delta logs alone.
Importing this package loads neither pandas nor duckdb.

Modules: ``files`` (where the bytes are), ``parts`` (Parquet), ``log`` (what the Delta logs say), ``columns``
(what a table has from snapshot to snapshot), ``manifest`` (plan and manifest of a snapshot), ``tables`` (the FACE for
writing), ``snapshots`` (the FACE for reading), ``views`` (frames, SQL, CSV), ``verify``.
"""
