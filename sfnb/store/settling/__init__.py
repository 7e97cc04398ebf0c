"""
The end of a reading: what was read is compared with the state before it, and only the net change
stays, in one commit.

``compare``: whose rows are new, other, the same or gone. ``outcome``: what a caller learns.
``settle``: the parts that stay, those that are written anew, and the commit. ``base``: what the
store has of an object before a snapshot. ``sweeps``: Ids compared.
"""
