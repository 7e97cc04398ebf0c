"""
The demo org's data: its objects, their rows, and how they change.

``database.Database`` is the face. Behind it stand

- the catalogue (``people``, ``sales``, ``service``, ``content``, ``custom``, ``oddities``), written
  with the short calls of ``fields``, ``compounds`` and ``system_fields``;
- ``fills`` and ``generate``, which make whole columns from a seed;
- ``storage``, a DuckDB file in a temporary folder;
- ``export``, which writes Bulk CSV with an index of its records.

Seed, size and the day of its clock determine an org completely. Nothing outlives the process: an
interrupt leaves only a temporary folder behind.
"""
