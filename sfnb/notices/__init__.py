"""
Telling people who do not look: paused, resumed, completed, failed, limits, usage, mass changes.

- `texts`: what a job's events and the audit log have to tell. Pure.
- `collect`: reads them from the state database; nothing that runs jobs knows of notices.
- `sending`: to any address that apprise knows, not in quiet hours, and once.

**Promise.** A notice has names and numbers: no value of a record, no message of an org, no secret.
"""
