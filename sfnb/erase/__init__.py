"""
Erasing records and their files from everything that is stored of an org, as a job.

``request``: what is wanted. ``plan``: which records go, which are refused. ``work``: the job.
``certificate``: what was erased, without a value. ``traces``: what this installation's own files and
its state have of the records. ``starting``: making the job.

The org itself is not asked and not changed: a record that still is there comes back with the next
backup.
"""
