"""
What sfnb remembers between commands: limits and their audit log, gauges and tickets of the gate,
usage, jobs.

A database: SQLite by default, PostgreSQL by URL for a team. It never holds a secret (P7) and never
a row of an org: which rows exist, only the store says.

Every change is one transaction, atomic across threads, processes and (PostgreSQL) hosts. An
interrupt leaves either all of a change or nothing of it; a killed process also leaves its tickets
and its lease, which the next one takes over.
"""
