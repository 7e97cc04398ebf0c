"""
What runs by itself when records are written: listed for the plan, and switched off for a restore.

Promise: whatever happens to the process, each thing that was switched off is switched on again by
whoever resumes the job, exactly as it was. So its state is in the journal before it is touched, and
the org is asked before anything is switched again. What somebody else changed meanwhile is not
overwritten, but named.

- ``listing``: what there is on the objects of a plan
- ``items``: one such thing, and how it stood
- ``journal``: what was switched, durable before the call that does it
- ``deciding``: what is to be done with one thing (pure)
- ``triggers``: deployments of triggers
- ``switching``: FACE: ``switch_off``, ``switch_on``
"""
