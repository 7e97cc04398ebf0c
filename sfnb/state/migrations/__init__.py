"""The state database's history: one revision per change of ``schema.py``, run by ``migration.migrate``."""
