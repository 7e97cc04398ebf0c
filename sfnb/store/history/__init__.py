"""
What became of records: the difference of two snapshots, and the history of one record.

Two rules. **Absence is not deletion**: an object that is not complete in the newer snapshot has no
deleted records there, only records that were not seen. **A change of schema is said once**: a field
that only one snapshot knows, or whose formula was edited, makes no record a changed one.

=============  ================================================================================
``fields``     which fields of two snapshots are compared, and how (pure)
``scratch``    DuckDB in a temporary file: tables larger than memory
``compare``    one object in two snapshots: counts, and each change
``diff``       two snapshots
``record``     one record in all snapshots
=============  ================================================================================
"""
