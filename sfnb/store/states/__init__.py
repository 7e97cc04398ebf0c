"""
An object's state at a snapshot: of each key the newest version that the snapshot or an older one
brought, unless the record is gone.

``files``: which files hold versions. ``versions``: whose rows count, found by their keys' hashes.
``contents``: whether two rows say the same. ``records``: the state as people read it.
"""
