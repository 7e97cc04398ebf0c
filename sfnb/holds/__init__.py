"""
Holds: records that nobody may prune, archive or erase until the hold is removed.

A hold is on records by their Ids, on all records of an object, or on a condition. A condition is
asked of every stored version of every record: who matched it once is held with all versions, also
when the record says something else now.

``book``: the holds in the state database. ``question``: which records, and which snapshots, they
hold. ``versions``: conditions over all that is stored of an object.
"""
