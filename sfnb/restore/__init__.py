"""
A restore as a kind of work: what was lost or changed since a snapshot is planned, written and proven.

``planning`` asks the org and the store and writes a plan, ``work`` carries it out. The plan's values
are in ``plan``, the job's folder in ``folder``.
"""
