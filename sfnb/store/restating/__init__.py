"""
Taking versions out of a table for good: those that no kept snapshot needs, or those of some records.

New files are written without them and read back. One Delta commit exchanges the files and says
again what the readings before it said (``log.RESTATING``). Delta writes a checkpoint of it, and the
commits before go: their entries name parts, and least and greatest Ids, that are gone. Then the old
files go. A kill before the commit leaves orphans; after it, old files and commits that nobody reads
any more, which the next run removes.

``readings``: what the log says, as it is restated. ``exchange``: the commit, and tidying after it.
``rows``: files without some of their rows.
"""
