"""
Commands that run at set times, with a service or with one that people have already.

- `cron`: when a line is due, in its time zone. Pure.
- `service`: claims what is due, starts it, tries again what was paused or lost.
- `starting`: a command as a process of its own, which outlives the service.
- `health`: a page for whoever watches the service.
- `usual`: the entries that a new user wants.

**Promise.** Each due time has one line in the state database, and one attempt at a time runs it,
however many services share the database and however often they are killed. A kill between the claim
and the start leaves a line whose owner is gone; the next look starts it again.
"""
