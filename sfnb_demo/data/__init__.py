"""
The demo org's data: what objects there are, their rows, and how they change.

``database.Database`` is the face. Behind it: the catalogue (``people``, ``sales``, ``service``, ``content``,
``custom``) written with the short calls of ``fields``; ``fills`` and ``generate``, which make whole columns from a
seed; ``storage``, a DuckDB file in a temporary folder; ``export``, which writes Bulk CSV with an index of its records.

An org is a function of seed, size and the day of its clock. Nothing outlives the process: an interrupt leaves a
temporary folder behind, no more.
"""
