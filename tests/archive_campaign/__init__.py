"""
The archive campaign: archives that are killed at any step, meet faults, holds and people who write
meanwhile. Nothing may be gone from the org that is not whole in the store.

``python -m tests.archive_campaign SEED POINTS REAL`` replays a seed with so many kills; this share of
them ends a process of its own by the operating system (0.2 where nothing is said).
"""
