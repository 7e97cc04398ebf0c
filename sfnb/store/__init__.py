"""
Rows on disk: one Delta table per object, one manifest per snapshot.

A part (Parquet) is written first and is not yet visible. One Delta commit then names it and carries
the cursor that it moved the object to. The manifest comes last and seals the snapshot. So an
interrupt leaves, at worst:

- between part and commit: a file that no commit names. ``verify`` calls it an orphan; a later prune
removes it;
- between commit and seal: a partial snapshot that can be read at once and resumed.

The state database has no say here: the Delta logs alone decide which rows exist.
Importing this package loads neither pandas nor duckdb. docs/format.md describes the files.

=================  ============================================================================
``files``          where the bytes are: a folder or an object store; errors in words
``paths``          where each file of an org is (pure)
``formats``        the format number, and the refusal of a newer one
``parts``          rows as Parquet
``part_writer``    the worker's half of writing: rows become parts, in any process
``columns``        types and columns of a table (pure)
``layout``         which column holds a field, also after it was retyped (pure)
``schema``         an object's columns in one snapshot
``log``            what the Delta logs say; ``commits``: what one commit says (pure)
``actions``        every action of a commit (pure)
``keys``           digests of Ids, and whether they are distinct (pure)
``proof``          whether an object is complete
``manifest``       plan and manifest of a snapshot
``objects``        the deciding thread's half: one object's commits
``ownership``      which process may write a snapshot
``tables``         where writing begins: a store, an org in it, a snapshot's writer
``snapshots``      where reading begins: an org's snapshots
``orgs``           which orgs a store holds
``views``          records as frames, SQL, CSV, Parquet; ``pages``: page by page; ``text``
``history``        what changed between two snapshots, and one record's versions
``compaction``     many small files become few; ``upgrade``: older formats become this one
``readings``       the readings in a table's log: what the next one follows
``verify``         whether the store still is what was written
=================  ============================================================================
"""
