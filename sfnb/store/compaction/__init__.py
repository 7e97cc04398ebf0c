"""
Compaction: many small parts become few, and the versions that were replaced go into months.

A table's versions are in three kinds of generations. ``new`` has the parts of readings, ``current``
the versions that nothing has replaced, ``2026-11`` those that a snapshot of that month ended. After
a compaction the latest state is one file and the tail of new parts, and a state of the past skips
the months before it.

Nothing is lost on the way: the versions of the files that are replaced and of the files that
replace them are counted, and their digest over (Id, from) is compared, after the new files have been
read back. One Delta commit exchanges them. Before it, a kill leaves orphans; after it, replaced
files, which the next compaction removes. A reader that was there before still finds them for an
hour.

``policy``: when it is worth it (pure). ``ends``: which snapshot ended a version (pure).
``catalog``: what a table's log says. ``writer``: versions as Parquet. ``compact``: does it.
"""
