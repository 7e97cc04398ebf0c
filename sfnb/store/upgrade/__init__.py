"""
Rewriting what formats 1 and 2 stored as record versions.

Object by object, the old snapshots are replayed in their order into ``records/``, as if each were
read now, and every state is compared with what it was. Then each manifest is exchanged, whole or
not at all, and with it where its snapshot is read from. The old tables go last. Killed anywhere,
the store reads as before, and the next run continues.

Backups may have been made in the new format already. Their versions stay where they are; the first
of them says that nothing older counts for it and its successors, so older versions can be put
below.

``replay``: one object. ``upgrade``: an org.
"""
